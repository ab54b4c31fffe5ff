"""A GoHighLevel that costs next to nothing: answers at once, or after a fixed time, and remembers nothing.

The rule: one thread, plain sockets, answers rendered beforehand: it shares the cores with whom it serves,
so each of its microseconds is one less for them. Run as `-m tests.bench.instant_ghl PORT SECONDS`.
"""

import select
import socket
import sys
import time
from collections import deque

_LIMITS = (
    b"X-RateLimit-Max: 100\r\nX-RateLimit-Remaining: 99\r\nX-RateLimit-Interval-Milliseconds: 10000\r\n"
    b"X-RateLimit-Limit-Daily: 200000\r\nX-RateLimit-Daily-Remaining: 199999\r\n"
    b"X-Trace-Id: 5f2c1d0e-8a7b-4c3d-9e2f-1a2b3c4d5e6f\r\n"
)


def _template(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n" + _LIMITS
    return head + b"Content-Length: %d\r\n\r\n" % (len(body) - len(b"%019d") + 19) + body


_UPSERTED = _template(b'{"new": false, "contact": {"id": "c%019d"}}')
_UPDATED = _template(b'{"succeded": true, "contact": {"id": "c%019d"}}')
_SENT = _template(b'{"messageId": "m%019d"}')
_LOCATION = _template(b'{"location": {"id": "l%019d"}}')


class Connection:
    """One client's connection, and what has arrived of its next request."""

    __slots__ = ("received", "socket")

    def __init__(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = accepted
        self.received = b""

    def send(self, answer: bytes) -> None:
        try:
            self.socket.send(answer)
        except OSError:
            # Whoever asked has gone; nobody waits for it.
            self.socket.close()


class Server:
    """Serves until its process ends. delay_s: between a request and its answer."""

    def __init__(self, port: int, delay_s: float) -> None:
        self.delay_s = delay_s
        # Into the ids that it gives: of two servers, one after another, none is given twice.
        self.answered = time.time_ns() // 1000
        self.listening = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.connections: dict[int, Connection] = {}
        # Every answer takes equally long, so they become due in the order in which they were asked for.
        self.due: deque[tuple[float, Connection, bytes]] = deque()
        self.ready = select.epoll()
        self.ready.register(self.listening, select.EPOLLIN)

    def run(self) -> None:
        while True:
            pause = max(0.0, self.due[0][0] - time.monotonic()) if self.due else -1
            for number, _ in self.ready.poll(pause):
                if number == self.listening.fileno():
                    self._accept()
                else:
                    self._receive(number)
            now = time.monotonic() if self.due else 0.0
            while self.due and self.due[0][0] <= now:
                _, connection, answer = self.due.popleft()
                connection.send(answer)

    def _accept(self) -> None:
        accepted, _ = self.listening.accept()
        self.connections[accepted.fileno()] = Connection(accepted)
        self.ready.register(accepted, select.EPOLLIN)

    def _receive(self, number: int) -> None:
        connection = self.connections[number]
        try:
            chunk = connection.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.ready.unregister(number)
            del self.connections[number]
            connection.socket.close()
            return
        connection.received = connection.received + chunk if connection.received else chunk
        while (length := _length(connection.received)) is not None:
            request, connection.received = connection.received[:length], connection.received[length:]
            self._answer(connection, request)

    def _answer(self, connection: Connection, request: bytes) -> None:
        self.answered += 1
        if request.startswith(b"POST /contacts/upsert "):
            answer = _UPSERTED % self.answered
        elif request.startswith(b"PUT /contacts/"):
            answer = _UPDATED % self.answered
        elif request.startswith(b"POST /conversations/messages "):
            answer = _SENT % self.answered
        else:
            answer = _LOCATION % self.answered
        if self.delay_s:
            self.due.append((time.monotonic() + self.delay_s, connection, answer))
        else:
            connection.send(answer)


def _length(received: bytes) -> int | None:
    """Return the length of the first whole request, None while there is none."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    start = received.find(b"Content-Length: ", 0, end)
    length = end + 4
    if start >= 0:
        length += int(received[start + 16 : received.find(b"\r", start)])
    return length if len(received) >= length else None


if __name__ == "__main__":
    Server(int(sys.argv[1]), float(sys.argv[2])).run()
