# SPDX-License-Identifier: GPL-2.0-only
"""Links by name: a lesson links to ``06_reverse_maps.ipynb#A-heading``, and its page or deck to the exported heading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from .anchors import Anchors


class Links:
    """The files of an export, by the names of the notebooks and texts from which they are made.

    ``addresses`` maps "06_reverse_maps.ipynb" or "01_split/README.md" to an address relative to the root of the export.
    ``anchors`` returns the anchors of a notebook or text; it is called when a link leads to one of its headings.
    """

    def __init__(self, addresses: Mapping[str, str], anchors: Callable[[str], Anchors] = lambda name: Anchors()) -> None:
        self.addresses, self.anchors = addresses, anchors
        self._known = dict[str, Anchors]()

    def address(self, link: str, say: Callable[[str], object], up: str = "") -> str | None:
        """Return the address of a link to a file, or None if the file isn't exported; ``say`` is then told why.

        ``up`` leads from the file with the link to the root of the export, as "../". If the file has no such heading, the
        address is that of the whole file.
        """
        file, _, fragment = link.partition("#")
        name = self._name(file)
        if name is None:
            say(f"the link to {unquote(file)} is left out, since the file is not part of this export; its text is kept")
            return None
        address = up + quote(self.addresses[name])
        if not fragment:
            return address
        if name not in self._known:
            self._known[name] = self.anchors(name)
        id = self._known[name].find(fragment)
        if id is None:
            say(f"{name} has no heading {unquote(fragment)}, so the link leads to its beginning")
            return address
        return f"{address}#{quote(id)}"

    def _name(self, file: str) -> str | None:
        """Return the longest name that a link's path ends with; a README is told by its folder."""
        parts = Path(unquote(file)).parts
        found = ("/".join(parts[-length:]) for length in (2, 1) if len(parts) >= length)
        return next((name for name in found if name in self.addresses), None)
