# SPDX-License-Identifier: GPL-2.0-only
"""Preview exported pages on a local port. When a notebook changes, it is exported again and browsers reload."""

from __future__ import annotations

import functools
import http.server
import re
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from ..errors import LabError

VERSION = "~version"
RELOAD_SCRIPT = (
    f"<script>let was; setInterval(() => fetch('{VERSION}').then((answer) => answer.ok ? answer.text() : '')"
    ".then((now) => { if (!/^[0-9]+$/.test(now)) return; if (was && now !== was) location.reload(); was = now; })"
    ".catch(() => {}), 700);</script>"
)
"""Asks for the version in the folder of the page: behind a proxy, such as a JupyterHub, the server's root is another site."""


def preview(
    folder: Path,
    watched: Iterable[Path],
    export: Callable[[], object],
    *,
    port: int = 0,
    first: str = "",
    say: Callable[[str], object] = print,
    stop: threading.Event | None = None,
) -> None:
    """Serve ``folder`` until the user presses Ctrl+C; call ``export`` whenever one of the ``watched`` files changes.

    ``port`` 0 means any free port. ``first`` is the page whose address is printed. Raises LabError if the port is in use.
    """
    server, files, stop = _server(folder, port), list(watched), stop or threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say(f"http://127.0.0.1:{server.server_address[1]}/{quote(first)}  (press Ctrl+C to stop)")
    seen = [_modified(path) for path in files]
    try:
        while not stop.wait(0.3):
            now = [_modified(path) for path in files]
            if now != seen:
                seen = now
                time.sleep(0.1)  # an editor may still be writing
                try:
                    export()
                except LabError as error:
                    say(f"{error}")
                server.version += 1
    finally:
        server.shutdown()
        server.server_close()


def _server(folder: Path, port: int) -> Any:
    """Return a server for a folder. It accepts connections only from this machine. Raises LabError if the port is in use."""
    handler = functools.partial(PreviewHandler, directory=str(folder))
    try:
        server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise LabError(f"port {port} can't be used ({error.strerror}); choose another with --port") from None
    server.version = 1
    return server


class PreviewHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder. To each page it adds a script that reloads the page after every export."""

    server: Any

    def do_GET(self) -> None:
        """Send the requested file, or the version number of the latest export, which every folder has."""
        self.path = self._without_prefix(self.path)
        address = unquote(urlsplit(self.path).path)
        path = Path(self.translate_path(self.path))
        if path.is_dir() and not address.endswith("/"):
            self._redirect(f"{quote(path.name) if address else self.server.server_address[1]}/")
            return
        if path.is_dir() and (path / "index.html").is_file():
            path /= "index.html"
        if address.endswith(f"/{VERSION}"):
            self._send(str(self.server.version).encode(), "text/plain")
        elif path.suffix == ".html" and path.is_file():
            self._send(path.read_bytes() + RELOAD_SCRIPT.encode(), "text/html; charset=utf-8")
        else:
            super().do_GET()

    def _without_prefix(self, address: str) -> str:
        """Return an address without what is before it if a proxy passes it on whole: anything that ends with this port.

        Examples: ``/user/jo/proxy/absolute/8000/talk.html`` (jupyter-server-proxy), ``/absproxy/8000/talk.html`` (code-server).
        Proxies that remove their prefix pass on ``/talk.html``.
        """
        prefix = re.match(rf"/(?:[^/?]+/)*{self.server.server_address[1]}(?=[/?]|$)", address)
        return address if prefix is None else address[prefix.end() :]

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def _redirect(self, address: str) -> None:
        """Redirect to an address that is relative to the requested one, since the server doesn't know what is before it."""
        self.send_response(301)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing, since each open page sends more than one request a second."""


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
