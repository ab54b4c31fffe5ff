"""The dead man's switch is told that all is well, or what is not, and is never waited for for long."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import structlog
from django.utils import timezone

from observability.alerts import dead_man
from observability.models import Evaluation, Notification

NOW = timezone.now()
SECRET = "4f1c2d3e-planted-secret"


class Switch:
    """A switch on loopback. asked: (path, body) of every request. status: what it answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.status = 200
        switch = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                switch.asked.append((self.path, body))
                self.send_response(switch.status)
                if switch.status == 302:
                    self.send_header("Location", f"{switch.url}/elsewhere")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/{SECRET}"


@contextmanager
def switch() -> Iterator[Switch]:
    """Run a switch for the time of a block."""
    running = Switch()
    threading.Thread(target=running.server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield running
    finally:
        running.server.shutdown()
        running.server.server_close()


def kept() -> tuple[Any, str]:
    row = Evaluation.objects.get()
    return row.pinged_at, row.ping_code


def died(*, ago: timedelta, act: str = "trigger") -> None:
    Notification.objects.create(
        key=str(ago), channel="slack", act=act, state="dead", due_at=NOW - ago, created_at=NOW - ago
    )


@pytest.fixture
def row(db: None) -> None:
    Evaluation.objects.create(pk=1)


@pytest.mark.usefixtures("row")
def test_it_tells_that_all_is_well_and_what_is_not(settings: Any) -> None:
    with switch() as heard:
        settings.HEARTBEAT_URL = ""
        assert dead_man.ping([], now=NOW) is None
        settings.HEARTBEAT_URL = f"{heard.url}?rid=1"
        assert dead_man.ping([], now=NOW) == ""
        died(ago=timedelta(days=2))
        died(ago=timedelta(minutes=1), act="test")
        assert dead_man.ping([], now=NOW) == ""
        died(ago=timedelta(hours=2))
        assert dead_man.ping(["measure:error_rate"], now=NOW) == ""
    well, fail = f"/{SECRET}?rid=1", f"/{SECRET}/fail?rid=1"
    assert heard.asked == [(well, ""), (well, ""), (fail, "measure:error_rate\nnotification:slack")]
    assert kept() == (NOW, "")


@pytest.mark.usefixtures("row")
def test_what_went_wrong_is_kept_in_words_of_ours_and_the_address_told_to_nobody(settings: Any) -> None:
    said: dict[str, str | None] = {}
    with structlog.testing.capture_logs() as lines, switch() as heard:
        settings.HEARTBEAT_URL = heard.url
        for status in (302, 404, 500):
            heard.status = status
            said[str(status)] = dead_man.ping([], now=NOW)
        assert len(heard.asked) == 3
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        for name, url in (
            ("closed", f"http://127.0.0.1:{port}/{SECRET}"),
            ("file", f"file:///{SECRET}"),
            ("broken", f"http://[{SECRET}"),
        ):
            settings.HEARTBEAT_URL = url
            said[name] = dead_man.ping([], now=NOW)
    assert said == {
        "302": "status_302",
        "404": "status_404",
        "500": "status_500",
        "closed": "unreachable",
        "file": "bad_address",
        "broken": "bad_address",
    }
    assert kept() == (None, "bad_address")
    assert SECRET not in str(lines)


@pytest.mark.usefixtures("row")
def test_a_switch_that_hangs_or_drips_delays_it_by_its_wait_and_no_more(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dead_man.WAIT_S == 5
    monkeypatch.setattr(dead_man, "WAIT_S", 0.4)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            guest, _ = listening.accept()
            for letter in b"HTTP/1.1 200 OK but very slowly, one letter at a time, without any end":
                if stop.wait(0.1):
                    break
                guest.sendall(bytes([letter]))
            guest.close()

        dripping = threading.Thread(target=drip, daemon=True)
        dripping.start()
        settings.HEARTBEAT_URL = f"http://127.0.0.1:{listening.getsockname()[1]}/{SECRET}"
        began = time.monotonic()
        assert dead_man.ping([], now=NOW) == "timeout"
        # The first one is still at it: no second one beside it.
        assert dead_man.ping([], now=NOW) == "timeout"
        assert time.monotonic() - began < 1.5
        assert sum(thread.name == "heartbeat" for thread in threading.enumerate()) == 1
        stop.set()
        dripping.join(5)
    assert kept() == (None, "timeout")
