"""A Sentry for the demo: takes envelopes as the real one does, and counts the errors in them.

Run as `python -m trainu.demo.sentry PORT`; GET / tells the count. It listens on loopback only.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Sentry(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One write an answer: headers and body apart run into delayed acknowledgements.
    wbufsize = -1
    envelopes = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Sentry.envelopes += 1
        self._answer({"id": "0" * 32})

    def do_GET(self) -> None:
        self._answer({"envelopes": Sentry.envelopes})

    def _answer(self, document: dict[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Sentry).serve_forever()
