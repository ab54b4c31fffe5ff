"""The command lines of the service's processes: one place for `up`, tests and benchmarks."""

import sys


def web_command(port: int, *, host: str = "127.0.0.1", workers: int = 2, threads: int = 8) -> list[str]:
    """Return how granian serves the WSGI application. WSGI: Django's ASGI path costs five times as much."""
    return [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--host",
        host,
        "--port",
        str(port),
        "--workers",
        str(workers),
        "--blocking-threads",
        str(threads),
        "--blocking-threads-idle-timeout",
        "600",
        "--http",
        "1",
        "--no-ws",
        "--respawn-failed-workers",
        "--workers-kill-timeout",
        "10",
        # Its one warning says that threads outnumber cores, which they should: they wait for PostgreSQL.
        "--log-level",
        "error",
        "trainu.wsgi:application",
    ]


# What `qcluster` ends with when its workers stand still (EX_TEMPFAIL: another start helps), in words.
STUCK = 75
WORKERS_ENDINGS = {STUCK: "ended because nothing moved in it any more"}


def workers_command() -> list[str]:
    """Return how django-q2's cluster is run."""
    return [sys.executable, "manage.py", "qcluster"]
