"""PostgreSQL stops under the whole service: somebody is paged without it, nothing accepted is lost, and all
of it goes on by itself when PostgreSQL is back.
"""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from observability.alerts.channels.pagerduty import DATABASE_KEY
from tests import make, servers
from tests.alert_servers import PagerDutyServer
from tests.journeys.conftest import ROOT, python_cache
from tests.journeys.database import eventually
from trainu.processes import web_command
from trainu.supervisor import Service, Supervisor

# As manage.py's qcluster runs it, but with less patience, as `impatient_web`. Its alert lane starts at once.
IMPATIENT = """
import django
django.setup()
from django.db import connections
from django_q.tasks import async_task
from observability import database_watch
from observability.database_watch import Patience
from trainu.cluster import WatchedCluster
async_task("observability.tasks.watch_alerts")
connections.close_all()
patience = Patience(ask_every_s=0.3, answer_within_s=1, away_after_s=2)
WatchedCluster(ping_every_s=0.5).run(beside=lambda: database_watch.start(patience))
"""
AWAY_S = 4.0
PROCESSES = 2


class House:
    """The service on a PostgreSQL of its own: a web process and a cluster."""

    def __init__(self, server: tuple[str, Any], pagerduty: PagerDutyServer) -> None:
        self.url, self.postgres = server
        self.port = servers.free_port()
        self.environment = python_cache() | {
            "DATABASE_URL": self.url,
            "TRAINU_SECRET_KEY": "only-for-this-journey-0123456789abcdefghijklmnopqr",
            "DJANGO_SETTINGS_MODULE": "trainu.settings",
            "TRAINU_LOG_LEVEL": "CRITICAL",
            "PAGERDUTY_URL": pagerduty.url,
            "PAGERDUTY_ROUTING_KEY": pagerduty.KEY,
            "PATH": str(Path(sys.executable).parent),
        }
        self.key = self._manage("create_api_key", "journey", "--scopes", "events:write").strip()
        web = web_command(self.port, workers=1, threads=4)
        web[-1] = "tests.journeys.impatient_web:application"
        cluster = [sys.executable, "-c", IMPATIENT]
        workers = {"TRAINU_PROCESS": "worker", "TRAINU_WORKERS": "5"}
        self.supervisor = Supervisor(
            [
                Service("Web server", web, self.environment | {"TRAINU_PROCESS": "web"}),
                Service("Workers", cluster, self.environment | workers),
            ],
            folder=ROOT,
            say=lambda line: None,
        )
        self.supervisor.start()

    def _manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        own = self.environment | {"TRAINU_PROCESS": "command"}
        return subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=True).stdout

    def ask(self, method: str, path: str, body: Any = None) -> int:
        """Return the status of an answer; 0 for none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"} if body else {}
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def rows(self, statement: str, *given: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement, given).fetchall()


@pytest.fixture
def pagerduty() -> Iterator[PagerDutyServer]:
    with PagerDutyServer() as running:
        yield running


@pytest.fixture
def house(own_server: tuple[str, Any], pagerduty: PagerDutyServer) -> Iterator[House]:
    started = House(own_server, pagerduty)
    yield started
    started.supervisor.shut_down()


def beats(house: House, *, since: datetime) -> bool:
    """Whether the alert lane and its cluster have given signs of life."""
    found = house.rows("select name from observability_heartbeat where beat_at > %s", since)
    return {"alert", "cluster"} <= {name.split()[0] for (name,) in found}


def test_somebody_is_paged_nothing_is_lost_and_it_recovers_by_itself(
    house: House, pagerduty: PagerDutyServer
) -> None:
    accepted: set[str] = set()
    tried: dict[str, dict[str, Any]] = {}

    def report() -> None:
        """A client that tries again what was not accepted."""
        event = make.event()
        tried[event["uuid"]] = event
        for uuid, waiting in list(tried.items()):
            if house.ask("POST", "/api/events", waiting) == 200:
                accepted.add(uuid)
                del tried[uuid]

    began = datetime.now(UTC)
    assert eventually(lambda: house.ask("GET", "/api/health/ready") == 200, 60)
    report()
    assert eventually(lambda: beats(house, since=began), 60)
    assert (pagerduty.asked, len(accepted)) == ([], 1)

    house.postgres.stop()
    ends = time.monotonic() + AWAY_S
    while time.monotonic() < ends or (len(pagerduty.taken) < PROCESSES and time.monotonic() < ends + 10):
        report()
        time.sleep(0.5)
    assert house.ask("POST", "/api/events", next(iter(tried.values()))) == 503
    before = len(accepted)
    house.postgres.start()
    back = datetime.now(UTC)

    assert eventually(lambda: house.ask("GET", "/api/health/ready") == 200, 15)
    assert eventually(lambda: report() is None and not tried, 15)
    assert len(accepted) > before == 1
    stored = house.rows(
        "select uuid::text from observability_event where uuid = any(%s::uuid[])", list(accepted)
    )
    assert {uuid for (uuid,) in stored} == accepted
    assert eventually(lambda: beats(house, since=back), 20)
    # Each process has paged once, and PagerDuty has made one alert of it.
    assert len(pagerduty.taken) == PROCESSES
    assert pagerduty.opened == {DATABASE_KEY: 1}
    since = began - timedelta(minutes=1)
    counted = (
        "select coalesce(sum(count), 0) from observability_counterminute where name = %s and minute >= %s"
    )
    assert eventually(lambda: house.rows(counted, "database_away", since)[0][0] >= 2 * AWAY_S - 2, 15)
