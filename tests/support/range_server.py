"""A small web server on the loopback address for fetch_weights_test.sh.

    range_server.py FOLDER LOG

Serves FOLDER on a free port and prints that port. It understands `Range: bytes=N-`, which Python's own
server does not, and writes each request's range (or "whole") to LOG. A request under /short/ is answered
with half of what was promised, and then the connection is closed.
"""

import functools
import http.server
import os
import re
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        short = self.path.startswith("/short/")
        path = os.path.join(self.directory, os.path.basename(self.path))
        if not os.path.isfile(path):
            self.send_error(404)
            return
        with open(path, "rb") as file:
            body = file.read()
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        with open(self.log_path, "a", encoding="ascii") as log:
            log.write(wanted.group(0) + "\n" if wanted else "whole\n")
        start = int(wanted.group(1)) if wanted else 0
        if start >= len(body) and wanted:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        body = body[start:]
        self.wfile.write(body[: len(body) // 2] if short else body)

    def log_message(self, *arguments):
        pass


def main():
    folder, Handler.log_path = sys.argv[1:]
    server = http.server.HTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
