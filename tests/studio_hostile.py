#!/usr/bin/env python3
"""`neural_style studio` and clients that mean it no good: requests that are none, slow ones, huge ones, those of other
pages, paths that lead out of its folder, 200 at once, 100 pictures in a row. It goes on working, and its memory stays
where it was."""

import json
import os
import pathlib
import socket
import struct
import sys
import threading
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))
from studio import IMAGES, Studio, skip_unless_built  # noqa: E402

MIB = 1 << 20
skip_unless_built()


def png(height, width, seed=0):
    """A PNG of one colour by its seed."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    packer = zlib.compressobj(9)
    row = b"\0" + bytes([seed % 256, seed // 256 % 256, 77]) * width
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", packed) + chunk(b"IEND", b""))


def claimed_png(height, width):
    """The beginning of a PNG that claims to be so large."""
    return png(1, 1).replace(struct.pack(">II", 1, 1), struct.pack(">II", width, height), 1)


def raw(studio, data, seconds=20, close=False):
    """What is answered to these bytes, until the connection ends."""
    with socket.create_connection(("127.0.0.1", studio.port), timeout=seconds) as line:
        answer = b""
        try:
            line.sendall(data)
            if close:
                line.shutdown(socket.SHUT_WR)
            while piece := line.recv(65536):
                answer += piece
        except (ConnectionError, BrokenPipeError):
            pass
        return answer


def alive(studio):
    start = time.time()
    status, headers, body = studio.ask("GET", "/", timeout=30)
    assert status == 200 and b"sfumato" in body, status
    assert "default-src 'none'" in headers["Content-Security-Policy"] and headers["X-Content-Type-Options"] == "nosniff"
    return time.time() - start


def malformed(studio):
    host = f"Host: 127.0.0.1:{studio.port}\r\n".encode()
    origin = f"Origin: http://127.0.0.1:{studio.port}\r\n".encode()
    post = b"POST /pictures HTTP/1.1\r\n" + host + origin + b"Content-Type: application/octet-stream\r\n"
    for data in (
            b"\0" * 5000, b"\xff\xfe\r\n\r\n", os.urandom(4000), b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n" + host + b"\r\n",
            b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + host + host + b"\r\n", b"FOO / HTTP/1.1\r\n" + host + b"\r\n",
            b"TRACE / HTTP/1.1\r\n" + host + origin + b"\r\n", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + host + b"\r\n",
            b"GET /" + b"%61" * 2000 + b" HTTP/1.1\r\n" + host + b"\r\n", b"GET /\0/.. HTTP/1.1\r\n" + host + b"\r\n",
            b"GET / HTTP/1.1\r\n" + host + b"X: " + b"y" * 100000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + host + b"X: y\r\n" * 20000 + b"\r\n", b"GET /x?" + b"a&" * 3000 + b" HTTP/1.1\r\n" + host + b"\r\n",
            post + b"Content-Length: -1\r\n\r\nx", post + b"Content-Length: many\r\n\r\nx", post + b"\r\nx",
            post + b"Content-Length: 99999999999999999999999\r\n\r\nx", post + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
            post + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx", post + b"Content-Length: 10000000000\r\n\r\nx",
            post + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b", post + b"Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n",
            post.replace(b"octet-stream", b"x-www-form-urlencoded") + b"Content-Length: 3\r\n\r\na=b",
            post.replace(b"application/octet-stream", b"multipart/form-data; boundary=x") + b"Content-Length: 3\r\n\r\n--x",
            b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 5\r\n\r\nhello", b"\r\n\r\n\r\n", b"GET / HTTP/1.1\n" + host[:-2] + b"\n\n"):
        answer = raw(studio, data, close=True)
        status = answer.split(b" ", 2)[1:2]
        assert not answer or status[0][:1] == b"4" or answer.startswith(b"HTTP/1.1 500"), (data[:80], answer[:200])
        if answer:
            assert b"default-src 'none'" in answer and b"nosniff" in answer, answer[:500]
    # A range is not obeyed: thousands of them would be as many copies.
    many = b"GET / HTTP/1.1\r\n" + host + b"Range: bytes=" + b",".join([b"0-9"] * 1500) + b"\r\n\r\n"
    assert len(raw(studio, many)) < MIB
    alive(studio)


def strangers(studio):
    own = f"127.0.0.1:{studio.port}"
    for headers in ({"Host": "evil.example"}, {"Host": f"evil.example:{studio.port}"}, {"Host": f"127.0.0.1.evil.example:{studio.port}"},
                    {"Host": "0.0.0.0"}, {"Host": ""}, {"Origin": "http://evil.example"}, {"Origin": "null"},
                    {"Origin": f"http://{own}", "Host": "evil.example"}, {"Origin": "http://127.0.0.1:1"},
                    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        for method, path in (("GET", "/events"), ("POST", "/jobs/000001/stop"), ("DELETE", "/jobs/000001")):
            body = "{}" if method == "POST" else None
            status, _, _ = studio.ask(method, path, body, headers=headers)
            assert status in (400, 403), (method, headers, status)
    bare = raw(studio, f"POST /jobs/000001/stop HTTP/1.1\r\nHost: {own}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    assert b" 403 " in bare.split(b"\r\n")[0], bare[:100]
    for host in ("localhost", "[::1]"):
        assert studio.ask("GET", "/", headers={"Host": f"{host}:{studio.port}"})[0] == 200, host


def paths(studio, picture):
    secret = studio.folder / "secret"
    secret.write_text("nobody's business")
    for path in ("/../secret", "/pictures/../secret", "/pictures/../../secret", "/pictures/..%2f..%2fsecret", "/pictures/%2e%2e/secret",
                 "/pictures//etc/passwd", f"/pictures/{picture}%00", f"/pictures/{picture}/../../secret", f"/pictures/{picture}.jpg",
                 "/pictures/incoming-1", "/pictures/lock", "/jobs/../secret/result", "/jobs/..%2f..%2fetc/result", "/jobs/000001/job.json",
                 "/jobs/000001/../../secret", "/jobs/000001/run.ckpt", "/jobs/999999/result", "/jobs/-1/result", "/etc/passwd", "/lock",
                 "//etc/passwd", "/%c0%ae%c0%ae/secret", "/jobs/000001/result/../../../secret"):
        status, _, body = studio.ask("GET", path)
        assert status in (400, 403, 404) and b"nobody's" not in body, (path, status)
    for body in ("", "no", "[]", "[" * 10000, '{"a":' * 3000, "null", '{"content": 1}',
                 json.dumps({"content": "../secret", "style": picture, "name": "x", "settings": {}}),
                 json.dumps({"content": "/etc/passwd", "style": picture, "name": "x", "settings": {}}),
                 *(json.dumps({"content": picture, "style": picture, "name": "x", "settings": settings}) for settings in (
                     {"output": "/tmp/x.png"}, {"checkpoint": "/tmp/x"}, {"weights": "/etc/passwd"}, {"report": "x.html"}, {"size": 1},
                     {"size": 1e99}, {"size": "64; rm"}, {"size": [64]}, {"method": {"a": 1}}, {"method": "gram", "preset": "gatys"},
                     {"iterations": -1}, {"preset": "x" * 1000}, [], "x", {"--size": 64}, {"folder": "/"}, {"jobs": "/etc/passwd"}))):
        status, _, said = studio.ask("POST", "/jobs", body)
        assert status in (400, 413, 422), (body[:80], status, said)
    assert studio.ask("POST", "/jobs", json.dumps({"x": "y" * 20000}))[0] == 413


def huge(studio):
    for size in (40 * MIB, 33 * MIB):
        try:
            status = studio.upload(b"\xff" * size)[0]
        except ConnectionError:
            status = 413  # it did not wait for the end of it
        assert status == 413, status
    assert studio.upload(b"\xff" * (31 * MIB))[0] == 422  # no picture
    for height, width in ((20000, 20000), (16384, 16384), (1 << 30, 1)):
        data = claimed_png(height, width)
        data = data[:29] + struct.pack(">I", zlib.crc32(data[12:29])) + data[33:]
        assert studio.upload(data)[0] == 422, (height, width)
    status, said = studio.upload(png(3000, 4000))
    assert status == 200 and said["height"] == 3000, said
    for data in (b"", b"\x89PNG\r\n\x1a\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>", (IMAGES / "cat.jpg").read_bytes()[:5000]):
        assert studio.upload(data)[0] in (400, 422)


def slow(studio):
    """More of those who send a byte now and then than the studio has connections."""
    lines = []
    for i in range(200):
        line = socket.create_connection(("127.0.0.1", studio.port), timeout=30)
        line.sendall(b"POST /pictures HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " if i % 2 else b"G")
        lines.append(line)
    waited = alive(studio)
    assert waited < 10, f"a request waited {waited:.1f} s behind slow ones"
    most = studio.threads()
    until = time.time() + 40
    while lines and time.time() < until:
        for line in list(lines):
            line.setblocking(False)
            try:
                line.sendall(b"x")
                ended = not line.recv(1000)
            except BlockingIOError:
                ended = False
            except OSError:
                ended = True
            if ended:
                line.close()
                lines.remove(line)
        time.sleep(0.3)
    assert not lines, f"{len(lines)} slow clients are still there after 40 s"

    # Who does not read an answer.
    for _ in range(30):
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        line.connect(("127.0.0.1", studio.port))
        line.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\n\r\n".encode())
        lines.append(line)
    alive(studio)
    for line in lines:
        line.close()
    return waited, most


def listeners(studio):
    """Only so many may listen, and their places are free soon after they have gone."""
    for _ in range(2):
        time.sleep(4)
        lines = []
        for _ in range(30):
            line = socket.create_connection(("127.0.0.1", studio.port), timeout=30)
            line.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\n\r\n".encode())
            lines.append((line, line.recv(100)))
        good = sum(b" 200 " in answer for _, answer in lines)
        assert good == 12 and all(b" 200 " in answer or b" 503 " in answer for _, answer in lines), good
        alive(studio)
        for line, _ in lines:
            line.close()


def crowd(studio, picture):
    """200 at once."""
    answers = []

    def one(i):
        try:
            if i % 4 == 0:
                answers.append(studio.upload(picture, timeout=120)[0])
            else:
                answers.append(studio.ask("GET", "/", timeout=120)[0])
        except OSError as error:
            answers.append(str(error))

    threads = [threading.Thread(target=one, args=(i,)) for i in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {answer: answers.count(answer) for answer in set(answers)}


with Studio() as studio:
    cat, suns = ((IMAGES / name).read_bytes() for name in ("cat.jpg", "suns.jpg"))
    status, content = studio.upload(cat)
    assert status == 200, content
    style = studio.upload(suns)[1]
    status, said = studio.paint(content["id"], style["id"], size=64, iterations=3)
    assert status == 200, said
    studio.wait_for(said["id"], "done")
    for i in range(10):
        assert studio.upload(png(300, 400, 5000 + i))[0] == 200
    before = studio.memory()

    # All the while something is painted.
    status, long = studio.paint(content["id"], style["id"], size=64, iterations=100000)
    assert status == 200, long
    studio.wait_for(long["id"], "painting")
    malformed(studio)
    strangers(studio)
    paths(studio, content["id"])
    waited, most = slow(studio)
    listeners(studio)
    answers = crowd(studio, cat)
    assert answers.get(200, 0) >= 190, answers
    alive(studio)
    huge(studio)
    early = studio.memory()
    for i in range(100):
        assert studio.upload(png(300, 400, i))[0] == 200
    late = studio.memory()
    kept = len(list((studio.folder / "pictures").iterdir()))
    assert kept <= 2 * (12 + 2), f"{kept} files of pictures are kept"

    # Only so many jobs wait, and all can be withdrawn.
    waiting = [studio.paint(content["id"], style["id"], size=64)[0] for _ in range(12)]
    assert waiting == [200] * 8 + [429] * 4, waiting
    for job in studio.jobs().values():
        if job["state"] == "waiting":
            assert studio.ask("POST", f"/jobs/{job['id']}/stop", "{}")[0] == 200
    assert studio.jobs()[long["id"]]["state"] == "painting"
    assert studio.ask("DELETE", f"/jobs/{long['id']}")[0] == 409
    assert studio.ask("POST", f"/jobs/{long['id']}/stop", "{}")[0] == 200
    studio.wait_for(long["id"], "stopped")

    # It still paints; only the last twenty are kept.
    for _ in range(14):
        status, said = studio.paint(content["id"], style["id"], size=64, iterations=1)
        studio.wait_for(said["id"], "done")
    kept = sorted(studio.jobs())
    assert len(kept) == 20 and len(list((studio.folder / "results").iterdir())) == 20, kept
    time.sleep(1)
    after, threads = studio.memory(), studio.threads()
    print(f"resident: {before / MIB:.0f} MiB before, {after / MIB:.0f} after; {early / MIB:.0f} and {late / MIB:.0f} around 100 "
          f"uploads; at most {most} threads, {threads} at the end; {waited:.2f} s for a page among 200 slow clients; {answers}")
    assert after < before + 64 * MIB, "memory has grown"
    assert late < early + 16 * MIB, "memory grows with uploads"
    assert most < 48 + 16 and threads < 16, "threads are left over"
    assert studio.end() == 130, studio.said()
    assert "ERROR" not in studio.said(), studio.said()

# From outside only with the token, whatever is asked.
with Studio("--host", "0.0.0.0") as studio:
    assert studio.token and len(studio.token) == 32, studio.url
    wrong = "0" * 32
    for path, headers in (("/", {}), ("/events", {}), (f"/?token={wrong}", {}), ("/", {"Cookie": f"studio={wrong}"}),
                          ("/", {"Cookie": "studio="}), ("/", {"Cookie": f"studio={studio.token[:-1]}"}), ("/?token=", {}),
                          (f"/?token={studio.token}", {"Host": "evil.example"})):
        assert studio.ask("GET", path, headers=headers)[0] == 403, (path, headers)
    status, headers, _ = studio.ask("GET", f"/?token={studio.token}")
    assert status == 302 and "HttpOnly" in headers["Set-Cookie"] and "SameSite=Strict" in headers["Set-Cookie"], headers
    cookie = {"Cookie": "a=b; " + headers["Set-Cookie"].split(";")[0]}
    assert studio.ask("GET", "/", headers=cookie)[0] == 200
    assert studio.ask("GET", "/events", headers={"Cookie": "xstudio=" + studio.token})[0] == 403
    assert studio.ask("POST", "/jobs", "{}", headers=cookie)[0] == 422

    # Two do not share a folder.
    try:
        Studio(folder=studio.scratch.name)
        raise SystemExit("two studios have one folder")
    except AssertionError as error:
        assert "another studio has it" in str(error), error
print("all as it should be")
