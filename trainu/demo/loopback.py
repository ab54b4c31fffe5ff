"""What the demo's simulated services have in common: JSON over HTTP, on loopback only, one process each."""

import gzip
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class LoopbackHandler(BaseHTTPRequestHandler):
    """Subclass it, and answer POST and GET by `answer`."""

    protocol_version = "HTTP/1.1"
    # One write an answer: headers and body apart run into delayed acknowledgements.
    wbufsize = -1

    def body(self) -> bytes:
        """Return the body of the request, unpacked."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def answer(self, document: dict[str, object], *, status: int = 200) -> None:
        """Answer with a JSON document."""
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve(handler: type[LoopbackHandler]) -> None:
    """Serve on the port that the command line names, until the process is ended."""
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler).serve_forever()
