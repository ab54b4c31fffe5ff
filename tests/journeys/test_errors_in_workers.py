"""Real worker processes: what fails in them or takes too long arrives at Sentry, with scopes of its own."""

from collections.abc import Callable, Iterator

import pytest
from django_q.models import OrmQ, Task
from django_q.tasks import async_task

from observability.models import ErrorMinute
from tests import planted, servers
from tests.journeys.database import eventually
from tests.servers import SentryServer
from trainu import correlation
from trainu.processes import workers_command
from trainu.supervisor import Supervisor

TASKS = 16


@pytest.fixture
def sentry(supervise: Callable[..., Supervisor]) -> Iterator[SentryServer]:
    """A cluster of workers that report to a Sentry of the test's own."""
    with servers.sentry() as server:
        configured = {"SENTRY_DSN": server.dsn, "TRAINU_WORKERS": "4", "TRAINU_PROCESS": "worker"}
        supervise(("Workers", workers_command(), configured))
        yield server
        Task.objects.all().delete()
        OrmQ.objects.all().delete()


def test_failing_and_endless_tasks_arrive_and_leave_nothing_on_each_other(sentry: SentryServer) -> None:
    ids = {}
    with correlation.bound("endless-task-1"):
        async_task("tests.observability.failing.slow_task", planted.EMAIL, q_options={"timeout": 1})
    for number in range(TASKS):
        with correlation.bound(f"failing-task-{number}") as ids[number]:
            # Every second one leaves marks on Sentry's scopes; 16 tasks meet 4 workers, so most follow one.
            async_task(
                "tests.observability.failing.task", number, number % 2 == 0, planted.EMAIL, name=planted.NAME
            )
    # One event a task, and one of the guard for the worker that it had to replace.
    assert eventually(lambda: len(sentry.events) == TASKS + 2, 30), len(sentry.events)
    assert planted.found_in(sentry.text) == []

    failed = [event for event in sentry.events if event["tags"]["code"] == "unavailable"]
    assert {event["tags"]["correlation_id"] for event in failed} == set(ids.values())
    for event in failed:
        number = int(event["extra"]["job_id"].removeprefix("job-"))
        assert event["tags"]["correlation_id"] == ids[number]
        assert event["tags"].get("mark") == (str(number) if number % 2 == 0 else None)
        crumbs = [crumb["message"] for crumb in event.get("breadcrumbs", {}).get("values", [])]
        assert crumbs == ([f"mark {number}"] if number % 2 == 0 else [])
        assert event["transaction"] == "tests.observability.failing.task"
        assert event["fingerprint"] == ["sync", "unavailable"]

    [endless] = [event for event in sentry.events if event["tags"]["code"] == "task_timeout"]
    assert endless["fingerprint"] == ["degraded", "task_timeout", "tests.observability.failing.slow_task"]
    assert endless["tags"]["correlation_id"] == "endless-task-1"
    # Counted in the worker's memory, and carried when it ends or within seconds.
    counted = {"unavailable": TASKS, "task_timeout": 1, "worker_restarted": 1}
    assert eventually(lambda: dict(ErrorMinute.objects.values_list("code", "errors")) == counted, 15)

    # What dies with a task in hand can say nothing: its guard does.
    async_task("tests.observability.failing.killed")
    assert eventually(lambda: len(sentry.events) == TASKS + 3, 15)
    died = sentry.events[-1]
    assert (died["level"], died["fingerprint"]) == ("error", ["degraded", "worker_died"])
