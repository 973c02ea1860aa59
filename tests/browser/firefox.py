# SPDX-License-Identifier: GPL-2.0-only
"""The installed Firefox without a window, driven by WebDriver BiDi: the few calls of playwright's pages that the tests need.

Playwright drives only a Firefox of its own making, which is not the one that learners have.
"""

import json
import shutil
import subprocess
import tempfile
import time
from base64 import b64decode
from contextlib import contextmanager
from pathlib import Path

NAMES = ("firefox-esr", "firefox")
PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.aboutwelcome.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.disable_open_during_load": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}
KEYS = {
    "Alt": "\ue00a", "ArrowDown": "\ue015", "ArrowLeft": "\ue012", "ArrowRight": "\ue014", "ArrowUp": "\ue013",
    "Backspace": "\ue003", "Control": "\ue009", "Delete": "\ue017", "End": "\ue010", "Enter": "\ue007", "Escape": "\ue00c",
    "Home": "\ue011", "PageDown": "\ue00f", "PageUp": "\ue00e", "Shift": "\ue008", "Space": " ", "Tab": "\ue004",
}  # fmt: skip
"""The code points that WebDriver gives to keys without a character."""


def find_firefox():
    return next(filter(None, map(shutil.which, NAMES)), None)


class Refused(Exception):
    """The browser's answer to a command that failed."""


class Page:
    """One tab. `evaluate` and `wait_for_function` take an expression or a function, as playwright's do."""

    def __init__(self, socket, context):
        self._socket, self._context, self._number = socket, context, 0
        self.requests = []
        self.keyboard = self

    def command(self, method, **parameters):
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("method") == "network.beforeRequestSent":
                self.requests.append(answer["params"]["request"]["url"])
            if answer.get("id") == self._number:
                break
        if answer["type"] == "error":
            raise Refused(f"{method}: {answer['error']}: {answer['message']}")
        return answer["result"]

    def goto(self, address):
        self.command("browsingContext.navigate", context=self._context, url=address, wait="complete")

    def evaluate(self, expression, arg=None):
        """Return what an expression, or a function called with ``arg``, gives or resolves to; None if it is no JSON."""
        return self._call(expression, arg, "try { return JSON.stringify(value) } catch { return 'null' }")

    def _call(self, expression, arg, end):
        call = f"const made = ({expression}); const value = await (typeof made === 'function' ? made(arg) : made); {end}"
        result = self.command(
            "script.callFunction",
            functionDeclaration=f"async (text) => {{ const arg = JSON.parse(text); {call} }}",
            arguments=[{"type": "string", "value": json.dumps(arg)}],
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        if result["type"] == "exception":
            raise Refused(result["exceptionDetails"]["text"])
        return json.loads(result["result"].get("value", "null"))

    def wait_for_function(self, expression, *, arg=None, timeout=60_000):
        until = time.monotonic() + timeout / 1000
        while time.monotonic() < until:
            if self._call(expression, arg, "return value ? 'true' : 'false'"):
                return
            time.sleep(0.05)
        raise TimeoutError(f"not within {timeout} ms: {expression}")

    def wait_for_timeout(self, milliseconds):
        time.sleep(milliseconds / 1000)

    def press(self, keys):
        """Press a key, or several that are joined by "+", such as "Shift+Enter"."""
        keys = [KEYS.get(key, key) for key in (["+"] if keys == "+" else keys.split("+"))]
        downs = [{"type": "keyDown", "value": key} for key in keys]
        ups = [{"type": "keyUp", "value": key} for key in reversed(keys)]
        source = {"type": "key", "id": "keyboard", "actions": downs + ups}
        self.command("input.performActions", context=self._context, actions=[source])

    def set_viewport_size(self, size):
        self.command("browsingContext.setViewport", context=self._context, viewport=dict(size))

    def screenshot(self, path):
        taken = self.command("browsingContext.captureScreenshot", context=self._context)
        Path(path).write_bytes(b64decode(taken["data"]))


@contextmanager
def firefox(program, width=1280, height=800, theme="light"):
    """Start a browser with an empty profile; yield its page, which notes its `requests`. ``theme``: what pages prefer."""
    from websocket import create_connection

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        preferences = {**PREFERENCES, "layout.css.prefers-color-scheme.content-override": ("dark", "light").index(theme)}
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items()]
        Path(profile, "user.js").write_text("\n".join(lines), "utf-8")
        command = [program, "--headless", "--no-remote", "--remote-debugging-port=0", "--profile", profile]
        with open(Path(profile, "log"), "wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            port = _wait_for(Path(profile, "WebDriverBiDiServer.json"), process)
            socket = create_connection(f"ws://127.0.0.1:{port}/session", timeout=120, suppress_origin=True)
            page = Page(socket, None)
            page.command("session.new", capabilities={})
            # a tab of its own: the first one of a window without a screen never gets the focus
            page._context = page.command("browsingContext.create", type="tab")["context"]
            page.command("session.subscribe", events=["network.beforeRequestSent"])
            page.set_viewport_size({"width": width, "height": height})
            yield page
            socket.close()
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(file, process):
    """Return the port that the browser writes into a file of its profile once it listens."""
    for _ in range(600):
        assert process.poll() is None, "Firefox ended"
        try:
            return json.loads(file.read_text("utf-8"))["ws_port"]
        except (OSError, ValueError, KeyError):
            time.sleep(0.1)
    raise AssertionError("Firefox did not start within a minute")
