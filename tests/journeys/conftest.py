"""The service as real processes on the test database, which are started, killed and stopped here."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

from tests import servers
from tests.journeys import database
from trainu.processes import web_command
from trainu.supervisor import Service, Supervisor

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with database.committing(django_db_blocker):
        yield


def python_cache() -> dict[str, str]:
    """Let child processes share compiled modules, also where Python is told not to write them beside
    the sources: it halves the time that each takes to start."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(settings.SHARED_DIR / "python-cache")}


@pytest.fixture
def environment(transactional_db: None) -> dict[str, str]:
    """What a child process needs to be the service on the test database."""
    server = connection.settings_dict
    connection.ensure_connection()
    url = f"postgresql://{server['USER']}@/{server['NAME']}?host={quote(server['HOST'], safe='')}"
    if server["PASSWORD"] or server["PORT"]:
        port = f":{server['PORT']}" if server["PORT"] else ""
        login = f"{server['USER']}:{quote(server['PASSWORD'])}"
        url = f"postgresql://{login}@{server['HOST']}{port}/{server['NAME']}"
    return python_cache() | {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "trainu.settings",
        "TRAINU_SECRET_KEY": os.environ["TRAINU_SECRET_KEY"],
        "TRAINU_LOG_LEVEL": "ERROR",
        "TRAINU_TIMING_SAMPLE_EVERY": "0",
    }


@pytest.fixture
def supervise(environment: dict[str, str]) -> Iterator[Callable[..., Supervisor]]:
    """Start processes of the service under its own supervisor: supervise(("name", command, extra), …)."""
    started: list[Supervisor] = []

    def run(*wanted: tuple[str, list[str], dict[str, str]]) -> Supervisor:
        services = [Service(name, command, environment | extra) for name, command, extra in wanted]
        supervisor = Supervisor(services, folder=ROOT, say=lambda line: None)
        started.append(supervisor)
        supervisor.start()
        return supervisor

    yield run
    # Outright: how it stops is not what these journeys are about, and a starting granian stops slowly.
    for service in (service for supervisor in started for service in supervisor.services):
        assert service.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(service.process.pid, signal.SIGKILL)
        service.process.wait(10)


@pytest.fixture
def web(supervise: Callable[..., Supervisor]) -> tuple[int, Supervisor]:
    """The web server as `up` runs it, and its port."""
    port = servers.free_port()
    command = web_command(port, workers=2, threads=4)
    return port, supervise(("Web server", command, {"TRAINU_PROCESS": "web", "TRAINU_WEB_THREADS": "4"}))
