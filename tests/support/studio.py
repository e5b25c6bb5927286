"""For tests of `neural_style studio`: a studio with a folder of its own, and what can be asked of it."""

import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(os.environ["SFUMATO_SOURCE_DIR"])
PROGRAM = pathlib.Path(os.environ["SFUMATO_BUILD_DIR"]) / "neural_style"
IMAGES = SOURCE / "examples" / "images"


def skip_unless_built():
    said = subprocess.run([PROGRAM, "studio", "--port", "no"], capture_output=True, text=True).stderr
    if "built without" in said:
        print("SKIPPED: the program is built without cpp-httplib")
        sys.exit(77)


class Studio:
    """Started with options; ended by leaving the block."""

    def __init__(self, *options, folder=None):
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(folder or self.scratch.name) / "studio"
        environment = {**os.environ, "HOME": self.scratch.name,
                       "SFUMATO_WEIGHTS": str(SOURCE / "weights" / "vgg19-slim.safetensors")}
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [PROGRAM, "studio", "--port", "0", "--folder", self.folder, *options],
            stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment)
        line = ""
        for line in self.process.stdout:
            found = re.search(r"http://(\S+?):(\d+)/(?:\?token=(\w+))?", line)
            if found:
                break
        else:
            raise AssertionError(f"the studio did not start: {self.said()}")
        self.port = int(found[2])
        self.token = found[3]
        self.url = found[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()
        self.scratch.cleanup()

    def said(self):
        self.errors.seek(0)
        return self.errors.read()

    def ask(self, method, path, body=None, kind="application/json", headers=None, timeout=60):
        """The status, the headers and the body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        own = {"Origin": f"http://127.0.0.1:{self.port}"} if method != "GET" else {}
        if body is not None:
            own["Content-Type"] = kind
        try:
            connection.request(method, path, body, {**own, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def upload(self, data, **more):
        status, _, body = self.ask("POST", "/pictures", data, "application/octet-stream", **more)
        return status, json.loads(body)

    def paint(self, content, style, name="a in the style of b", **settings):
        status, _, body = self.ask("POST", "/jobs", json.dumps(
            {"content": content, "style": style, "name": name, "settings": settings}))
        return status, json.loads(body)

    def jobs(self):
        """The list that a page gets when it begins to listen."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/events")
        answer = connection.getresponse()
        if answer.status == 503:  # who has just gone still has a place
            answer.close()
            time.sleep(1)
            return self.jobs()
        assert answer.status == 200, answer.status
        name = None
        while True:
            line = answer.readline().decode()
            if line.startswith("event: "):
                name = line[7:].strip()
            if line.startswith("data: ") and name == "jobs":
                answer.close()
                return {job["id"]: job for job in json.loads(line[6:])}

    def wait_for(self, job, state, seconds=180):
        until = time.time() + seconds
        while time.time() < until:
            now = self.jobs()[job]
            if now["state"] == state:
                return now
            time.sleep(0.5)
        raise AssertionError(f"job {job} did not become {state}: {self.jobs()[job]}; {self.said()}")

    def memory(self):
        """Resident bytes."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) * 1024

    def threads(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"Threads:\s+(\d+)", text)[1])

    def end(self):
        """Ends it as Ctrl-C does; returns the status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)
