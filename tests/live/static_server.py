# SPDX-License-Identifier: GPL-2.0-only
"""A plain static server, as anybody has one: files as they are, and nothing else. It notes what it is asked for."""

import functools
import http.server
import threading
from contextlib import contextmanager


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.server.down:
            self.close_connection = True  # the browser gets no answer
            return
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *message):
        pass


@contextmanager
def serving(folder, port=0):
    """Serve a folder. The server has an ``address``, ``asked`` lists the paths that it was asked for; if ``down``, it
    answers nothing."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Handler, directory=str(folder)))
    server.asked, server.down, server.address = [], False, f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
