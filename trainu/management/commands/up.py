"""`manage.py up`: everything, running, with one command.

Database, migrations (with catalog, schedules and partitions), web server and workers; with --demo a
small outside world on loopback and 90 days of history too. Ctrl-C or TERM stops it all.
"""

import argparse
import contextlib
import os
import secrets
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection, connections
from django.utils import timezone

from trainu import embedded, processes
from trainu.management import integrations
from trainu.supervisor import Service, Supervisor

READY_S = 60.0
DEMO_SEED = 7
DEMO_DAYS = 90


class Command(BaseCommand):
    help = "Start everything: database, web server and workers. Stop with Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=_port, default=8000, help="where to listen (8000)")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--web-workers", type=int, default=2, help="web processes (2)")
        parser.add_argument(
            "--demo", action="store_true", help="with a simulated outside world and 90 days of history"
        )
        parser.add_argument("--seed", type=int, default=DEMO_SEED, help="another seed, another history (7)")

    def handle(self, *args: Any, **options: Any) -> None:
        _require_free(options["host"], options["port"])
        with self._terminated_like_interrupted():
            try:
                self._run(options)
            except KeyboardInterrupt:
                self.say("Stopped before it was ready.")

    def _run(self, options: dict[str, Any]) -> None:
        environment = self._database()
        self.say("Bringing tables, catalog and schedules up to date …")
        call_command("migrate", verbosity=0)
        services, login, url = [], "", _address(options)
        if not os.environ.get("TRAINU_PUBLIC_URL"):
            environment["TRAINU_PUBLIC_URL"] = url
        if options["demo"]:
            from trainu.demo import world

            environment |= world.environment(seed=options["seed"])
            services += world.services(environment, seed=options["seed"], url=url)
            login = world.populate(
                days=DEMO_DAYS, seed=options["seed"], password=_demo_password(), stream=sys.stderr
            )
            world.connect_channels(environment, now=timezone.now())
        services += self._services(environment, options)
        supervisor = Supervisor(services, folder=settings.BASE_DIR, say=self.say)
        # Before anything is said or closed: an interrupt in the midst of that would be lost, or raised there.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, supervisor.stop)
        self.say("Starting web server and workers …")
        connections.close_all()
        supervisor.start()
        try:
            self._announce(supervisor, options, environment, login)
            supervisor.watch()
        finally:
            self.say("Stopping …")
            supervisor.shut_down()
            self.say("Stopped.")

    def say(self, line: str) -> None:
        """Print a line for the person who started it; on stderr, for stdout carries the logs."""
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def _database(self) -> dict[str, str]:
        """Make sure that there is a database; return what the child processes must know of it."""
        if settings.DATABASE_URL:
            self.say("Database: the one that DATABASE_URL names.")
            try:
                connection.ensure_connection()
            except OperationalError:
                raise CommandError(
                    "The database that DATABASE_URL names cannot be reached. Is it running, and are"
                    " name and password right?"
                ) from None
            return {}
        self.say(f"Database: our own PostgreSQL, in {_short(settings.DATA_DIR)}.")
        url = embedded.start(settings.DATA_DIR, name="trainu")
        environment = {"DATABASE_URL": url}
        if not os.environ.get("TRAINU_SECRET_KEY"):
            environment["TRAINU_SECRET_KEY_FILE"] = str(settings.DATA_DIR / "secret_key")
        return environment

    def _services(self, environment: dict[str, str], options: dict[str, Any]) -> list[Service]:
        style = {"TRAINU_LOG_FORMAT": os.environ.get("TRAINU_LOG_FORMAT") or _log_style()}
        shared = environment | style | {"PYTHONUNBUFFERED": "1"}
        web = processes.web_command(
            options["port"],
            host=options["host"],
            workers=options["web_workers"],
            threads=settings.WEB_THREADS,
        )
        return [
            Service("Web server", web, shared | {"TRAINU_PROCESS": "web"}),
            Service(
                "Workers",
                processes.workers_command(),
                shared | {"TRAINU_PROCESS": "worker"},
                endings=processes.WORKERS_ENDINGS,
            ),
        ]

    def _announce(
        self, supervisor: Supervisor, options: dict[str, Any], environment: dict[str, str], login: str
    ) -> None:
        url = _address(options)
        deadline = time.monotonic() + READY_S
        supervisor.watch(until=lambda: _answers(f"{url}/api/health/ready") or time.monotonic() > deadline)
        if supervisor.stopping:
            return
        if time.monotonic() > deadline:
            raise CommandError(
                f"The web server did not become ready within {READY_S:.0f} s; see the log above."
            )
        start_lanes()
        for line in _greeting(url, login=login, integrations=integrations.states(environment)):
            self.say(line)

    @contextlib.contextmanager
    def _terminated_like_interrupted(self) -> Any:
        """Until the supervisor takes over, TERM ends the preparations as Ctrl-C does."""
        previous = signal.signal(signal.SIGTERM, _interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, previous)


def _address(options: dict[str, Any]) -> str:
    host = "127.0.0.1" if options["host"] == "0.0.0.0" else options["host"]
    return f"http://{host}:{options['port']}"


def start_lanes() -> None:
    """Start the lanes now; by themselves the schedules would take up to half a minute."""
    from django_q.models import Schedule
    from django_q.tasks import async_task

    for function in Schedule.objects.filter(name__endswith=" lane").values_list("func", flat=True):
        async_task(function)
    connections.close_all()


def _interrupt(*_signal: object) -> None:
    raise KeyboardInterrupt


def _port(raw: str) -> int:
    if not raw.isdigit() or not 0 < int(raw) < 65536:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {raw!r}")
    return int(raw)


def _require_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise CommandError(f"Port {port} is reserved for root. Choose another: --port 8001") from None
        except OSError:
            raise CommandError(
                f"Port {port} on {host} is taken, perhaps by another `up`. Stop that, or choose another port:"
                f" --port {port + 1 if port < 65535 else 8001}"
            ) from None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _log_style() -> str:
    return "console" if sys.stdout.isatty() else "json"


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def _demo_password() -> str:
    """Return the demo's password: made once, kept in the data folder."""
    path = settings.DATA_DIR / "demo_password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(9), encoding="utf-8")
    return path.read_text(encoding="utf-8")


def _greeting(url: str, *, login: str, integrations: dict[str, str]) -> list[str]:
    """Return what a person wants to know once everything runs."""
    return [
        "",
        f"Ready: {url}/",
        "",
        f"  API            {url}/api/docs",
        f"  Sign in        {login or _who_may_sign_in()}",
        *(f"  {name:<15}{state}" for name, state in integrations.items()),
        "",
        "Ctrl-C stops everything.",
        "",
    ]


def _who_may_sign_in() -> str:
    from django.contrib.auth import get_user_model

    if get_user_model().objects.filter(is_staff=True, is_active=True).exists():
        return "as a member of staff"
    return "nobody can yet: uv run manage.py createsuperuser"
