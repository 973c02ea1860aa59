# SPDX-License-Identifier: GPL-2.0-only
"""The preview exports a notebook again when it changes."""

import http.server
import re
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from urllib.parse import urljoin

import pytest

from kvmmmu_lab.publish.preview import preview

PREFIX = "/user/jo/proxy/"


@contextmanager
def served(folder, watched=(), export=lambda: None):
    """A preview; its address."""
    said, stop = [], threading.Event()
    thread = threading.Thread(target=preview, args=(folder, watched, export), kwargs={"say": said.append, "stop": stop})
    thread.start()
    try:
        while not said:
            time.sleep(0.01)
        yield said[0].split()[0]
    finally:
        stop.set()
        thread.join()


class Proxy(http.server.BaseHTTPRequestHandler):
    """Maps PREFIX/port/path to http://127.0.0.1:port/path, as jupyter-server-proxy does; anything else is the hub's 404.

    PREFIX/absolute/port/path goes to http://127.0.0.1:port/PREFIX/absolute/port/path.
    """

    missed = ()

    def do_GET(self):
        absolute = f"{PREFIX}absolute/"
        port, _, path = self.path.removeprefix(absolute).removeprefix(PREFIX).partition("/")
        path = self.path.lstrip("/") if self.path.startswith(absolute) else path
        if not self.path.startswith(PREFIX):
            self.missed.append(self.path)
            self.send_error(404)
            return
        try:
            answer = urllib.request.build_opener(NoRedirect).open(f"http://127.0.0.1:{port}/{path}")
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            body = answer.read()
            self.send_response(answer.status)
            for name in ("Content-Type", "Location"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


@pytest.fixture
def proxy(monkeypatch):
    """The address of a proxy, up to the port."""
    monkeypatch.setattr(Proxy, "missed", [])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}{PREFIX}"
    server.shutdown()
    thread.join()
    server.server_close()


def get(address):
    with urllib.request.urlopen(address) as answer:
        return answer.read().decode(), answer.url


@pytest.mark.slow
@pytest.mark.parametrize("page", ["index.html", "", "lessons/one.html", "lessons/deep/two.html?print#/2", "lessons"])
def test_behind_a_prefix_every_page_finds_the_version(page, tmp_path, proxy):
    for name in ("index.html", "lessons/index.html", "lessons/one.html", "lessons/deep/two.html"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"<p>{name}</p>")
    with served(tmp_path) as address:
        port = re.search(r":(\d+)/", address)[1]
        for start in (address, f"{proxy}{port}/", f"{proxy}absolute/{port}/"):
            text, at = get(f"{start}{page}".partition("#")[0])
            assert text.startswith("<p>") and at.startswith(start)
            (asked,) = re.findall(r"fetch\('([^']*)'\)", text)
            assert get(urljoin(at, asked))[0] == "1"
    assert Proxy.missed == []


def test_a_change_is_exported_and_the_page_reloads(tmp_path):
    source, page = tmp_path / "talk.ipynb", tmp_path / "talk.html"
    source.write_text("1")
    page.write_text("<p>1</p>")
    export = lambda: page.write_text(f"<p>{source.read_text()}</p>")  # noqa: E731
    with served(tmp_path, [source], export) as address:
        version = get(f"{address}~version")[0]
        assert get(f"{address}talk.html")[0].startswith("<p>1</p><script>")
        time.sleep(0.4)
        source.write_text("2")
        end = time.monotonic() + 5
        while get(f"{address}~version")[0] == version and time.monotonic() < end:
            time.sleep(0.05)
        assert get(f"{address}talk.html")[0].startswith("<p>2</p>")


@pytest.mark.parametrize("prefix", ["", "proxy/absolute/"])
def test_the_root_without_a_slash_leads_to_the_root(prefix, tmp_path, proxy):
    (tmp_path / "index.html").write_text("<p>start</p>")
    with served(tmp_path) as address:
        port = re.search(r":(\d+)/", address)[1]
        text, at = get(f"{address}absproxy/{port}" if not prefix else f"{proxy}absolute/{port}")
        assert text.startswith("<p>start") and at.endswith(f"/{port}/")
        with pytest.raises(urllib.error.HTTPError):
            get(f"{address}nothing/{port}/gone.html")
