"""A PostHog for the demo: takes batches as the real one does, and counts what is new and what is repeated.

Run as `python -m trainu.demo.posthog PORT`; GET / tells the counts. It listens on loopback only.
"""

import gzip
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class PostHog(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One write an answer: headers and body apart run into delayed acknowledgements.
    wbufsize = -1
    seen: set[str] = set()
    repeated = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        for event in json.loads(body)["batch"]:
            if event["uuid"] in PostHog.seen:
                PostHog.repeated += 1
            PostHog.seen.add(event["uuid"])
        self._answer({"status": "Ok"})

    def do_GET(self) -> None:
        self._answer({"events": len(PostHog.seen), "repeated": PostHog.repeated})

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
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), PostHog).serve_forever()
