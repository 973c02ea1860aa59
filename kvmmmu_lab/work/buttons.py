# SPDX-License-Identifier: GPL-2.0-only
"""Two buttons of the live course's start page: download the learner's work as one zip, and upload it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files import reason
from ..grade.omissions import enumerated
from ..host_platform import HERE
from ..player.page import one_module, resource
from ..progress import Progress
from .work_zip import ZIP_NAME, Restored, pack, restore

NOT_KEPT = (
    "This browser keeps no files for this page: it allows no service worker, as in some private windows. Your work is lost "
    "when the page is closed. To save a notebook, right-click on its name at the left and choose Download."
)

ON_A_DISK = "Your files are in the working folder on this computer; there is nothing to download."


def my_work(folder: Path | None = None) -> Any:
    """Return the buttons for the work in a folder (default: the browser's storage); where nothing is kept, say so."""
    folder = HERE.kept if folder is None else folder
    if folder is None:
        print(NOT_KEPT if HERE.in_browser else ON_A_DISK)
        return None
    return _buttons_class()(folder)


def _packed(folder: Path) -> tuple[dict[str, Any], list[bytes]]:
    """Return the answer to a click on the first button, and the zip."""
    try:
        content, names = pack(folder, Progress())
    except (DataError, OSError) as error:
        return {"event": "failed", "words": f"Your work can't be packed: {_why(error)}"}, []
    files = f"{_count(names)} that you have changed or added" if names else "no file, since none is changed,"
    words = f"{ZIP_NAME} has {files} and your progress. Your browser has put it where it puts all downloads."
    return {"event": "zip", "name": ZIP_NAME, "words": words}, [content]


def _restored(folder: Path, name: str, content: bytes) -> dict[str, Any]:
    """Return the answer to an upload."""
    try:
        done = restore(content, name, folder, Progress())
    except (DataError, OSError) as error:
        return {"event": "failed", "words": f"Nothing was uploaded. {_why(error)}"}
    return {"event": "restored", "names": [*done.restored, *done.beside.values()], "words": words_of(done)}


def words_of(done: Restored) -> str:
    """Say what an upload did, in lines."""
    lines = []
    if done.restored:
        lines.append(f"{_count(done.restored)} restored: {enumerated(done.restored)}.")
    if done.same:
        lines.append(f"{_count(done.same)} {'is' if len(done.same) == 1 else 'are'} here already.")
    if done.beside:
        lines.append(f"{_count(list(done.beside))} not replaced, because what you changed here stays. The zip's is beside:")
        lines += [f"  {name} → {beside.rpartition('/')[2]}" for name, beside in done.beside.items()]
    lines.append("Progress from the zip was added to yours." if done.progress else "The zip has no progress that isn't here.")
    lines += [f"{sentence[0].upper()}{sentence[1:]}." for sentence in done.left_out]
    return "\n".join(lines)


def _count(names: list[str]) -> str:
    return f"{len(names)} file{'' if len(names) == 1 else 's'}"


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, DataError) else f"{reason(error)}."


@functools.cache
def _buttons_class() -> Any:
    import anywidget
    import traitlets

    class WorkButtons(anywidget.AnyWidget):
        """See `my_work`."""

        _esm = one_module(resource("notebook.js"), Path(__file__).with_name("buttons.js").read_text("utf-8"))
        download = traitlets.Unicode("Download my work").tag(sync=True)
        upload = traitlets.Unicode("Upload my work").tag(sync=True)

        def __init__(self, folder: Path) -> None:
            super().__init__()
            self.folder = folder
            self.on_msg(self._receive)

        def _receive(self, _: Any, content: Any, buffers: Any) -> None:
            """Handle a message from the browser; anything else than the two events is ignored."""
            event = content.get("event") if isinstance(content, dict) else None
            if event == "download":
                answer, parts = _packed(self.folder)
                self.send(answer, parts)
            elif event == "upload" and len(buffers) == 1:
                self.send(_restored(self.folder, str(content.get("name")), bytes(buffers[0])))

    return WorkButtons
