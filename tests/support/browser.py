"""Chromium without a screen, driven by its debugging protocol through a pipe."""

import base64
import json
import os
import pathlib
import select
import subprocess
import tempfile
import time


class Browser:
    """A page of a browser of its own. What a page complains of, and what it asks of the network, is kept."""

    def __init__(self):
        self.profile = tempfile.TemporaryDirectory()
        for_browser, self.writer = os.pipe()
        self.reader, from_browser = os.pipe()
        # The protocol wants its ends as 3 and 4.
        script = f"exec 3<&{for_browser} 4>&{from_browser}; exec chromium \"$@\""
        self.process = subprocess.Popen(
            ["bash", "-c", script, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--user-data-dir={self.profile.name}", "--remote-debugging-pipe",
             "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "about:blank"],
            pass_fds=(for_browser, from_browser), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        os.close(for_browser)
        os.close(from_browser)
        self.count = 0
        self.buffer = b""
        self.complaints = []
        self.requests = []
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        os.close(self.writer)
        os.close(self.reader)
        time.sleep(0.2)
        self.profile.cleanup()

    def receive(self, seconds):
        until = time.time() + seconds
        while b"\0" not in self.buffer:
            if not select.select([self.reader], [], [], max(0.0, until - time.time()))[0]:
                return None
            piece = os.read(self.reader, 1 << 20)
            if not piece:
                raise AssertionError("the browser has gone")
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(message)
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(parameters["exceptionDetails"])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.complaints.append(parameters["entry"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(parameters)
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        return message

    def call(self, method, **parameters):
        self.count += 1
        number = self.count
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writer, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive(60)
            if answer is None:
                raise AssertionError(f"the browser does not answer {method}")
            if answer.get("id") == number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def value(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, expression, seconds=180):
        until = time.time() + seconds
        while time.time() < until:
            if self.value(expression):
                return
            time.sleep(0.1)
        raise AssertionError(f"never came true: {expression}; the page: {self.value('document.body.innerText')}; "
                             f"complaints: {self.complaints}")

    def click(self, selector):
        """Once it stands still, as a person would."""
        where = (f"(() => {{ const e = document.querySelector({json.dumps(selector)}); "
                 "e.scrollIntoView({block: 'center', behavior: 'instant'}); const r = e.getBoundingClientRect(); "
                 "return [r.x + r.width / 2, r.y + r.height / 2, r.width]; })()")
        place, before = self.value(where), None
        while place != before:
            time.sleep(0.1)
            place, before = self.value(where), place
        assert place[2] > 0, f"{selector} can't be seen"
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def key(self, name, code=None, text=None):
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name,
                      windowsVirtualKeyCode=code or 0, **more)

    def choose(self, selector, file):
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(file)], nodeId=node)

    def look(self, width, height, dark=False, phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if phone else 1,
                  mobile=phone)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        time.sleep(0.4)

    def picture(self, path, whole=True):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))
