"""Whether the service can serve: the database answers, its tables fit this release, events find room."""

import time
from datetime import timedelta

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from observability import partitions
from observability.health.finding import Finding, Status


def check_database() -> Finding:
    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("select current_setting('server_version')")
        version = cursor.fetchone()[0]
    milliseconds = round((time.perf_counter() - started) * 1e3, 2)
    return Finding(Status.PASS, {"latency_ms": milliseconds, "version": version})


def check_migrations() -> Finding:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return Finding(Status.FAIL if waiting else Status.PASS, {"waiting": len(waiting)})


def check_partitions() -> Finding:
    """Today must be there. A missing tomorrow is made on demand, but the schedule should have."""
    today = timezone.now().date()
    missing = partitions.EVENTS.missing([today, today + timedelta(days=1)])
    if today in missing:
        return Finding(Status.WARN, {"missing": [str(day) for day in missing], "made": "on demand"})
    return Finding(Status.WARN if missing else Status.PASS, {"missing": [str(day) for day in missing]})
