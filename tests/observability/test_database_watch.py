"""PostgreSQL does not answer: it is noticed in whatever way, told once, and counted when it is over."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone
from psycopg import sql

from observability import counters, database_watch
from observability.alerts.channels.pagerduty import DATABASE_KEY
from observability.counters import Counter
from observability.database_watch import DatabaseWatch, Patience
from tests.alert_servers import PagerDutyServer
from tests.servers import Reply, free_port

# What a server says that needs no password and is ready.
WELCOME = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"


class World:
    """A database that is there or not, a clock, and who was paged when."""

    def __init__(self) -> None:
        self.now, self.answers, self.arrives = 0.0, True, True
        self.paged_at: list[float] = []
        self.watch = DatabaseWatch(lambda: self.answers, self.page)

    def page(self, away_s: float) -> bool:
        self.paged_at.append(self.now)
        return self.arrives

    def pass_by(self, seconds: float) -> None:
        """Let the time pass, with a look every 3 s as the thread looks."""
        ends = self.now + seconds
        while self.now < ends:
            self.now += 3
            self.watch.look(lambda: self.now)


def counted() -> int:
    counters.flush()
    return counters.total(Counter.DATABASE_AWAY, since=timezone.now() - timedelta(minutes=5))


def test_the_patience_of_real_processes_is_what_the_runbook_says() -> None:
    assert Patience() == Patience(
        ask_every_s=3, answer_within_s=3, away_after_s=10, page_every_s=300, again_s=15
    )


@pytest.mark.django_db
def test_it_pages_after_ten_seconds_and_then_every_five_minutes_and_counts_the_seconds() -> None:
    world = World()
    world.pass_by(30)
    world.answers = False
    world.pass_by(12)
    assert world.paged_at == []
    world.pass_by(600)
    # It began to be away at 33, which the fourth try after that shows.
    assert world.paged_at == [45, 345]
    assert counted() == 0
    world.answers = True
    world.pass_by(30)
    assert counted() == 645 - 33


@pytest.mark.django_db
def test_a_moment_without_an_answer_is_no_outage() -> None:
    world = World()
    for _ in range(4):
        world.answers = False
        world.pass_by(9)
        world.answers = True
        world.pass_by(3)
    assert world.paged_at == []
    assert counted() == 0


def test_one_try_is_not_enough_however_long_it_took() -> None:
    clock = iter([0.0, 60.0])
    world = World()
    world.answers = False
    world.watch.look(lambda: next(clock))
    assert world.paged_at == []


def test_a_page_that_did_not_arrive_is_sent_again_soon() -> None:
    world = World()
    world.answers = world.arrives = False
    world.pass_by(15)
    world.arrives = True
    world.pass_by(30)
    assert world.paged_at == [15, 30]


@contextmanager
def speaking(words: bytes) -> Iterator[dict[str, Any]]:
    """A server that says this to whoever comes, and nothing else."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        held = []

        def welcome() -> None:
            while True:
                try:
                    guest, _ = listening.accept()
                except OSError:
                    return
                held.append(guest)
                guest.sendall(words)

        threading.Thread(target=welcome, daemon=True).start()
        yield at(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
        for guest in held:
            guest.close()


def at(port: int) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": port,
        "user": "x",
        "sslmode": "disable",
        "gssencmode": "disable",
    }


@pytest.mark.parametrize("words", [b"", WELCOME], ids=["to anybody", "to who is in"])
def test_a_server_that_says_nothing_does_not_answer_and_is_not_waited_for(words: bytes) -> None:
    with speaking(words) as silent:
        began = time.monotonic()
        assert not database_watch.answers(silent, within_s=0.5)
        assert time.monotonic() - began < 3


@pytest.mark.django_db
def test_it_answers_whom_it_lets_in_and_nobody_else() -> None:
    server = database_watch.server()
    assert database_watch.answers(server, within_s=2)
    assert not database_watch.answers(at(free_port()), within_s=2)
    assert not database_watch.answers(server | {"dbname": "another"}, within_s=2)
    full = sql.Identifier("trainu_full_house")
    with psycopg.connect(**server, autocommit=True) as outside:
        outside.execute(sql.SQL("create role {} login connection limit 0").format(full))
        try:
            assert not database_watch.answers(server | {"user": "trainu_full_house"}, within_s=2)
        finally:
            outside.execute(sql.SQL("drop role {}").format(full))


def test_the_page_goes_to_pagerduty_without_the_database(settings: Any) -> None:
    # No mark, no fixture: whatever asked the database would fail here.
    with PagerDutyServer() as pagerduty:
        settings.PAGERDUTY_URL, settings.PAGERDUTY_ROUTING_KEY = pagerduty.url, ""
        assert not database_watch.page(11)
        assert pagerduty.asked == []
        settings.PAGERDUTY_ROUTING_KEY = pagerduty.KEY
        assert database_watch.page(11)
        pagerduty.script(Reply(500))
        assert not database_watch.page(11)
        assert pagerduty.opened == {DATABASE_KEY: 1}
        assert [one["payload"]["severity"] for one in pagerduty.taken] == ["critical"]
