"""A service of its own for a benchmark: fresh database, real web processes, nothing shared."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def database() -> Iterator[str]:
    """Start a fresh embedded PostgreSQL with the service's tables; yield its URL; throw it away."""
    from trainu import embedded

    with tempfile.TemporaryDirectory(prefix="trainu-bench-") as folder:
        url = embedded.start(Path(folder), name="trainu")
        environment(url)
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        try:
            yield url
        finally:
            from django.db import connections

            connections.close_all()
            embedded.stop(Path(folder))


def environment(url: str) -> None:
    """Point this process and its children to a database."""
    os.environ["DATABASE_URL"] = url
    os.environ.setdefault("TRAINU_SECRET_KEY", "only-for-a-benchmark-on-loopback-0123456789abcdef")
    os.environ["DJANGO_SETTINGS_MODULE"] = "trainu.settings"
    os.environ.setdefault("TRAINU_LOG_LEVEL", "WARNING")


@contextlib.contextmanager
def web(*, workers: int = 2, threads: int = 8) -> Iterator[int]:
    """Run the web server as `up` runs it; yield its port."""
    from trainu.processes import web_command

    port = free_port()
    process = subprocess.Popen(
        web_command(port, workers=workers, threads=threads),
        cwd=ROOT,
        env=os.environ | {"TRAINU_PROCESS": "web", "TRAINU_WEB_THREADS": str(threads)},
        stdout=sys.stderr,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/api/health/live")
        yield port
    finally:
        process.terminate()
        process.wait(20)


def wait_for(url: str, seconds: float = 30.0) -> None:
    """Return once the address answers 200."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)
