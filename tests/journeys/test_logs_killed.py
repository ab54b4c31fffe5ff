"""The log store in processes that are killed, that fork, and whose database is restarted meanwhile.

What is lost is bounded: a killed process loses what it logged in its last second or so, and of that the
stream still has every line.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from observability.models import LogLine
from tests.journeys.conftest import ROOT, python_cache
from tests.journeys.database import eventually

# What the store may be behind: a batch's second, and the time to write it on a busy machine.
BEHIND_S = 1.5

TALK = """
import os, sys, time
import django; django.setup()
import structlog
log = structlog.get_logger("journey")
number = 0
while True:
    log.info("talking", number=number)
    number += 1
    time.sleep(0.005)
"""

FORK = """
import multiprocessing, os, sys
import django; django.setup()
import structlog
log = structlog.get_logger("journey")

def talk(name, count):
    for number in range(count):
        log.info("talking", name=name, number=number)

if __name__ == "__main__":
    talk("parent-before", 700)
    pid = os.fork()
    if pid == 0:
        talk("forked", 500)
        sys.exit(0)
    talk("parent-after", 800)
    forking = multiprocessing.get_context("fork")
    children = [forking.Process(target=talk, args=[f"child-{n}", 500]) for n in range(3)]
    for child in children:
        child.start()
    talk("parent-late", 300)
    for child in children:
        child.join()
    os.waitpid(pid, 0)
"""


@pytest.fixture
def logging(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a process that keeps its lines on the test database."""
    own = {"TRAINU_LOG_LEVEL": "INFO", "TRAINU_LOG_STORE": "true", "TRAINU_PROCESS": "worker"}
    return {**os.environ, **environment, **own}


def told(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a stream; a line that the kill has cut is none."""
    lines = []
    for raw in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(raw))
        except ValueError:
            continue
    return lines


def test_a_killed_process_loses_a_second_of_the_copy_and_nothing_of_the_stream(
    logging: dict[str, str], tmp_path: Path
) -> None:
    stream = tmp_path / "stdout"
    with stream.open("wb") as stdout:
        process = subprocess.Popen([sys.executable, "-c", TALK], cwd=ROOT, env=logging, stdout=stdout)
    assert eventually(lambda: LogLine.objects.count() > 200, 30)
    os.kill(process.pid, signal.SIGKILL)
    killed_at = time.time()
    process.wait(10)
    lines = told(stream)
    numbers = [line["number"] for line in lines]
    assert numbers == list(range(len(numbers)))
    # The server may still be at the last batch.
    time.sleep(0.2)
    kept = sorted(line.rest["number"] for line in LogLine.objects.all())
    assert kept == numbers[: len(kept)], "from the first on, each once, none left out"
    last = LogLine.objects.order_by("-logged_at")[0].logged_at.timestamp()
    assert killed_at - last < BEHIND_S, f"{len(numbers) - len(kept)} lines lost"


def test_every_line_of_forked_processes_is_kept_exactly_once(logging: dict[str, str]) -> None:
    command = [sys.executable, "-c", FORK]
    run = subprocess.run(command, cwd=ROOT, env=logging, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    kept = Counter((line.rest["name"], line.rest["number"]) for line in LogLine.objects.all())
    expected = {"parent-before": 700, "forked": 500, "parent-after": 800, "parent-late": 300}
    expected |= {f"child-{number}": 500 for number in range(3)}
    assert Counter(name for name, _ in kept) == Counter(expected)
    assert set(kept.values()) == {1}
    assert len(run.stdout.splitlines()) == sum(expected.values())


def test_a_restart_of_the_database_costs_no_line(own_server: tuple[str, Any], tmp_path: Path) -> None:
    url, server = own_server
    environment = {**os.environ, **python_cache()} | {
        "DATABASE_URL": url,
        "TRAINU_SECRET_KEY": "only-for-this-journey-0123456789abcdefghijklmnopqr",
        "DJANGO_SETTINGS_MODULE": "trainu.settings",
        "TRAINU_LOG_LEVEL": "INFO",
        "TRAINU_LOG_STORE": "true",
        "TRAINU_PROCESS": "worker",
    }
    stream = tmp_path / "stdout"
    with stream.open("wb") as stdout:
        process = subprocess.Popen([sys.executable, "-c", TALK], cwd=ROOT, env=environment, stdout=stdout)

    def kept() -> list[int]:
        asked = (
            "select (rest->>'number')::int from observability_logline where logger = 'journey' order by id"
        )
        with psycopg.connect(url) as reader:
            return [number for (number,) in reader.execute(asked)]

    def more_than(count: int) -> Callable[[], bool]:
        return lambda: len(kept()) > count

    try:
        assert eventually(more_than(50), 30)
        server.stop()
        was = len(told(stream))
        assert eventually(lambda: len(told(stream)) > was + 100), "logging waits for the database"
        server.start()
        assert eventually(more_than(len(told(stream))), 20)
    finally:
        process.kill()
        process.wait(10)
    numbers = kept()
    assert numbers == list(range(len(numbers)))
