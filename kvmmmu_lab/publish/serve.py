# SPDX-License-Identifier: GPL-2.0-only
"""A preview: what was exported, on a port of this machine, made anew when a notebook changes; the browser follows."""

from __future__ import annotations

import functools
import http.server
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from ..errors import LabError

VERSION = "/~version"
FOLLOW = (
    "<script>let was; setInterval(() => fetch('/~version').then((answer) => answer.text()).then((now) => "
    "{ if (was && now !== was) location.reload(); was = now; }).catch(() => {}), 700);</script>"
)


class Preview(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; pages ask it whether they are still what there is."""

    server: Any

    def do_GET(self) -> None:
        """A file, or the number of the latest export."""
        path = Path(self.translate_path(unquote(urlsplit(self.path).path)))
        if self.path == VERSION:
            self._answer(str(self.server.version).encode(), "text/plain")
        elif path.suffix == ".html" and path.is_file():
            self._answer(path.read_bytes() + FOLLOW.encode(), "text/html; charset=utf-8")
        else:
            super().do_GET()

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing: each page asks more than once a second."""


def server(folder: Path, port: int = 0) -> Any:
    """A server for a folder, on this machine alone. Raises LabError for a port that is taken."""
    handler = functools.partial(Preview, directory=str(folder))
    try:
        made: Any = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise LabError(f"port {port} can't be used ({error.strerror}); choose another with --port") from None
    made.version = 1
    return made


def serve(
    folder: Path,
    watched: Iterable[Path],
    again: Callable[[], object],
    *,
    port: int = 0,
    first: str = "",
    say: Callable[[str], object] = print,
    stop: threading.Event | None = None,
) -> None:
    """Serve ``folder`` until it is interrupted; when one of the ``watched`` files changes, call ``again``. ``first``: the page
    whose address is said. Raises LabError for a port that is taken."""
    web, files, stop = server(folder, port), list(watched), stop or threading.Event()
    threading.Thread(target=web.serve_forever, daemon=True).start()
    say(f"http://127.0.0.1:{web.server_address[1]}/{quote(first)}  (Ctrl+C ends it)")
    seen = [_stamp(path) for path in files]
    try:
        while not stop.wait(0.3):
            now = [_stamp(path) for path in files]
            if now != seen:
                seen = now
                time.sleep(0.1)  # an editor may still be writing
                try:
                    again()
                except LabError as error:
                    say(f"{error}")
                web.version += 1
    finally:
        web.shutdown()
        web.server_close()


def _stamp(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
