"""A load generator that costs little itself: one thread, plain sockets, bodies rendered beforehand."""

import selectors
import socket
import time
from dataclasses import dataclass, field


@dataclass
class Result:
    """What a run saw. latencies_s: one per answered request."""

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies_s)
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3, 2)


class _Client:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.received = b""
        self.sent_at = time.perf_counter()
        self.socket.setblocking(True)
        self.socket.sendall(request)
        self.socket.setblocking(False)

    def answered(self) -> int:
        """Take what has arrived; return the status once the answer is whole, else 0."""
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("The server closed the connection.")
        self.received += chunk
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return 0
        start = head.lower().index(b"content-length:") + 15
        length = int(head[start:].split(b"\r\n", 1)[0])
        return int(head[9:12]) if len(body) >= length else 0


def run(port: int, requests: list[bytes], clients: int) -> Result:
    """Send all requests over `clients` kept-alive connections, each waiting for its answer."""
    result = Result()
    waiting = iter(requests)
    selector = selectors.DefaultSelector()
    connections = [_Client(port) for _ in range(clients)]
    started = time.perf_counter()
    busy = 0
    for client in connections:
        if request := next(waiting, None):
            client.send(request)
            selector.register(client.socket, selectors.EVENT_READ, client)
            busy += 1
    while busy:
        for key, _ in selector.select(timeout=30):
            client = key.data
            status = client.answered()
            if not status:
                continue
            result.latencies_s.append(time.perf_counter() - client.sent_at)
            result.statuses[status] = result.statuses.get(status, 0) + 1
            if request := next(waiting, None):
                client.send(request)
            else:
                selector.unregister(client.socket)
                busy -= 1
    result.seconds = time.perf_counter() - started
    for client in connections:
        client.socket.close()
    return result


def post(path: str, body: bytes, key: str) -> bytes:
    """Render one POST request."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
