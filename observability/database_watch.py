"""Notice that PostgreSQL does not answer, and page without it: incidents and outbox stand in there.

One thread in each web process and in the main process of each cluster. The rule: it asks by a connection of
its own, so a busy pool is no outage; whatever keeps it from an answer (refused, full, silent, a wrong
password) is one. It only pages: the rule `database_down` opens the incident from what is counted here, once
PostgreSQL is back, and resolves what was paged, under the same key.
"""

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.db import connections
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

from observability import counters
from observability.counters import Counter

log = structlog.get_logger(__name__)

NAME = "database-watch"


@dataclass(frozen=True, slots=True)
class Patience:
    """How often it asks, how long it waits for an answer, when that is an outage, how often it pages.

    again_s: after a page that did not arrive.
    """

    ask_every_s: float = 3.0
    answer_within_s: float = 3.0
    away_after_s: float = 10.0
    page_every_s: float = 300.0
    again_s: float = 15.0


class DatabaseWatch:
    """What one process knows of the database. ask: whether it answers. page: tell; whether that arrived.

    The first try that fails begins an outage; it is one when a later one fails `away_after_s` afterwards.
    """

    def __init__(
        self, ask: Callable[[], bool], page: Callable[[float], bool], *, patience: Patience | None = None
    ) -> None:
        self._ask = ask
        self._page = page
        self._patience = patience or Patience()
        self._since: float | None = None
        self._pages_at = float("-inf")

    def look(self, now: Callable[[], float] = time.monotonic) -> None:
        """Ask once; page where it has been away for too long, and count the seconds when it is back.

        now: seconds on a monotonic clock.
        """
        began = now()
        if self._ask():
            self._is_back(now())
            return
        first = self._since is None
        self._since = began if self._since is None else self._since
        away_s = now() - self._since
        if first or away_s < self._patience.away_after_s or now() < self._pages_at:
            return
        arrived = self._page(away_s)
        pause_s = self._patience.page_every_s if arrived else self._patience.again_s
        self._pages_at = now() + pause_s
        log.warning("database_away", seconds=round(away_s, 1), paged=arrived)

    def _is_back(self, now: float) -> None:
        since, self._since = self._since, None
        if since is None:
            return
        away_s = now - since
        log.warning("database_answers_again", seconds=round(away_s, 1))
        # What was too short to page anybody is no incident either.
        if away_s >= self._patience.away_after_s:
            counters.add(Counter.DATABASE_AWAY, count=round(away_s))


def server() -> dict[str, Any]:
    """Return how to reach PostgreSQL, as libpq takes it."""
    known = connections["default"].get_connection_params()
    of_django = ("context", "cursor_factory", "prepare_threshold", "options")
    return {name: value for name, value in known.items() if name not in of_django}


def answers(server: Mapping[str, Any], *, within_s: float) -> bool:
    """Whether PostgreSQL lets us in, by a new connection, and answers a query: each in about this time."""
    parameters = {
        **server,
        "application_name": f"trainu-{NAME}",
        # libpq takes a second for two.
        "connect_timeout": max(2, round(within_s)),
        "autocommit": True,
    }
    try:
        connection = psycopg.connect(**parameters)
    except (psycopg.Error, OSError):
        return False
    try:
        return _answers(connection.pgconn, within_s)
    except (psycopg.Error, OSError):
        return False
    finally:
        # Not as a context: that would commit, and wait for it.
        connection.close()


def _answers(asked: PGconn, within_s: float) -> bool:
    # Not `execute`: a server that has let us in and falls silent would hold it for ever.
    asked.send_query(b"select 1")
    waiting = select.poll()
    waiting.register(asked.socket, select.POLLIN)
    deadline = time.monotonic() + within_s
    while asked.is_busy():
        if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1e3):
            return False
        asked.consume_input()
    result = asked.get_result()
    return result is not None and result.status == ExecStatus.TUPLES_OK


def page(away_s: float) -> bool:
    """Tell PagerDuty, past the outbox; whether that arrived. Without a key there is nobody to tell."""
    from observability.alerts.channels import pagerduty
    from observability.alerts.outbox import Delivered

    if not settings.PAGERDUTY_ROUTING_KEY:
        return False
    event = {
        "event_action": "trigger",
        "dedup_key": pagerduty.DATABASE_KEY,
        "client": "TrainU observability",
        "client_url": settings.PUBLIC_URL,
        "payload": {
            "summary": f"PostgreSQL has not answered for {away_s:.0f} s: nothing is taken in or worked off.",
            "severity": "critical",
            "source": socket.gethostname(),
            "component": "postgresql",
            "class": "database_down",
            "custom_details": {"process": settings.PROCESS, "runbook": f"{settings.PUBLIC_URL}/admin/"},
        },
    }
    outcome = pagerduty.send(settings.PAGERDUTY_ROUTING_KEY, event, timeout_s=3.0)
    return isinstance(outcome, Delivered)


_started: threading.Thread | None = None


def start(patience: Patience | None = None) -> None:
    """Watch from now on, in a thread that ends with the process; a second call changes nothing.

    Called where nothing is forked any more: a fork would not have the thread.
    """
    global _started
    if _started is None:
        chosen = patience or Patience()
        _started = threading.Thread(target=_run, args=(chosen,), name=NAME, daemon=True)
        _started.start()


def _run(patience: Patience) -> None:
    watch = DatabaseWatch(
        lambda: answers(server(), within_s=patience.answer_within_s), page, patience=patience
    )
    while True:
        time.sleep(patience.ask_every_s)
        try:
            watch.look()
        except Exception as error:  # noqa: BLE001 - whoever watches alone must not end
            log.warning("database_watch_failed", error=type(error).__name__)


def _after_fork() -> None:
    global _started
    _started = None


os.register_at_fork(after_in_child=_after_fork)
