"""A mail server for the demo: takes every message, keeps it, and sends nothing on.

Its own few lines of SMTP: what Python had is gone from 3.12 on, and a demo is no reason for a dependency. It
listens on loopback only.
"""

import email
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import default as modern
from socketserver import StreamRequestHandler, ThreadingTCPServer

LONGEST_LINE = 2_000
LARGEST = 5_000_000


class _Session(StreamRequestHandler):
    """One client: whatever it says is well, as long as it is SMTP."""

    timeout = 30
    server: "MailServer"

    def handle(self) -> None:
        self._say("220 localhost takes it all")
        while line := self.rfile.readline(LONGEST_LINE):
            match line.split(maxsplit=1)[:1]:
                case [word] if word.upper() in (b"EHLO", b"HELO"):
                    self._say("250 localhost")
                case [word] if word.upper() in (b"MAIL", b"RCPT", b"RSET", b"NOOP"):
                    self._say("250 OK")
                case [word] if word.upper() == b"DATA":
                    self._say("354 Go on, and end with a dot")
                    self._take()
                case [word] if word.upper() == b"QUIT":
                    self._say("221 Bye")
                    return
                case _:
                    self._say("502 Not here")

    def _take(self) -> None:
        lines: list[bytes] = []
        size = 0
        while (line := self.rfile.readline(LARGEST)) and line.rstrip(b"\r\n") != b".":
            size += len(line)
            if size <= LARGEST:
                # A line of the message that begins with a dot has another one in front on its way.
                lines.append(line.removeprefix(b"."))
        if size > LARGEST:
            self._say("552 Too large")
            return
        message = email.message_from_bytes(b"".join(lines), policy=modern)
        self.server.keep(message)
        self._say("250 Taken")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class MailServer(ThreadingTCPServer):
    """keep: called with each message that has come."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, keep: Callable[[EmailMessage], None]) -> None:
        super().__init__(("127.0.0.1", port), _Session)
        self.keep = keep
