# SPDX-License-Identifier: GPL-2.0-only
"""The preview exports a notebook again when it changes."""

import threading
import time
import urllib.request

from kvmmmu_lab.publish.preview import preview


def test_a_change_is_exported_and_the_page_reloads(tmp_path):
    source, page, said, stop = tmp_path / "talk.ipynb", tmp_path / "talk.html", [], threading.Event()
    source.write_text("1")
    page.write_text("<p>1</p>")
    export = lambda: page.write_text(f"<p>{source.read_text()}</p>")  # noqa: E731
    thread = threading.Thread(target=preview, args=(tmp_path, [source], export), kwargs={"say": said.append, "stop": stop})
    thread.start()
    try:
        while not said:
            time.sleep(0.01)
        address = said[0].split()[0]

        def get(path):
            with urllib.request.urlopen(address + path) as answer:
                return answer.read().decode()

        version = get("~version")
        assert get("talk.html").startswith("<p>1</p><script>")
        time.sleep(0.4)
        source.write_text("2")
        end = time.monotonic() + 5
        while get("~version") == version and time.monotonic() < end:
            time.sleep(0.05)
        assert get("talk.html").startswith("<p>2</p>")
    finally:
        stop.set()
        thread.join()
