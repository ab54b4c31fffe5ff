"""A process that forks with a pool and an open connection: parent and child each speak on their own."""

import multiprocessing
import subprocess
import sys
from datetime import timedelta

from django.utils import timezone

from observability import counters
from observability.counters import Counter
from tests.journeys.conftest import ROOT

SCRIPT = """
import os, sys
import django
django.setup()
from django.db import connection

def backend():
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return cursor.fetchone()[0]

before = backend()
assert connection.pool is not None
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.write(write, str(backend()).encode())
    os._exit(0)
_, status = os.waitpid(child, 0)
in_child = int(os.read(read, 20) or 0)
print(status, in_child != 0 and in_child != before, backend() == before)
"""


def test_a_forked_child_does_not_use_its_parents_pool(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=environment | {"TRAINU_PROCESS": "web"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.split() == ["0", "True", "True"], done.stderr


def test_a_forked_worker_that_ends_in_order_carries_what_it_counted(transactional_db: None) -> None:
    # As django-q2's workers end: by multiprocessing, and so without atexit.
    child = multiprocessing.get_context("fork").Process(
        target=counters.add, args=(Counter.SENTRY_EVENT_DROPPED, "queue")
    )
    child.start()
    child.join(20)
    since = timezone.now() - timedelta(minutes=5)
    assert counters.total(Counter.SENTRY_EVENT_DROPPED, since=since) == 1
