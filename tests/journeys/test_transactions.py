"""Deadlocks and write conflicts between real connections: the sums come out right, and each is counted."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone

from observability import counters, database_figures
from observability.counters import Counter
from observability.models import CounterMinute, Reading
from tests.journeys.database import eventually
from trainu.transactions import atomic_retry

MINUTE = timezone.now().replace(second=0, microsecond=0) - timedelta(days=1)


@pytest.fixture(autouse=True)
def _two_sums(transactional_db: None) -> None:
    for label in ("a", "b"):
        CounterMinute.objects.create(name="sum", label=label, minute=MINUTE, count=0)


def add_one(label: str) -> None:
    CounterMinute.objects.filter(name="sum", label=label).update(count=F("count") + 1)


def sums() -> dict[str, int]:
    return dict(CounterMinute.objects.filter(name="sum").values_list("label", "count"))


def retries(sqlstate: str) -> int:
    counters.flush()
    since = timezone.now() - timedelta(minutes=5)
    return counters.total(Counter.TRANSACTION_RETRY, since=since, label=sqlstate)


def side_by_side(*jobs: Any) -> list[BaseException | None]:
    """Run each job in a thread with a connection of its own; return what each raised."""

    def run(job: Any) -> BaseException | None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("set deadlock_timeout = '20ms'")
            job()
        except OperationalError as error:
            return error
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def crosswise(wrap: Any) -> list[Any]:
    """Return two jobs that take the same two rows in opposite order, at the same time at first."""
    both_hold_one = Barrier(2, timeout=3)

    def job(first: str, second: str) -> Any:
        @wrap
        def transfer() -> None:
            add_one(first)
            with suppress(BrokenBarrierError):
                both_hold_one.wait()
            add_one(second)
            # Only the first try must meet the other.
            both_hold_one.abort()

        return transfer

    return [job("a", "b"), job("b", "a")]


def test_without_retry_a_deadlock_has_a_victim() -> None:
    raised = side_by_side(*crosswise(transaction.atomic))
    assert sorted(type(error) for error in raised if error) == [OperationalError]
    assert sums() == {"a": 1, "b": 1}


def test_with_retry_nobody_is_lost_and_the_deadlock_is_counted() -> None:
    assert side_by_side(*crosswise(atomic_retry)) == [None, None]
    assert sums() == {"a": 2, "b": 2}
    assert retries("40P01") == 1


def test_conflicting_increments_of_serializable_transactions_all_count() -> None:
    @atomic_retry
    def increment() -> None:
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level serializable")
        [count] = CounterMinute.objects.filter(name="sum", label="a").values_list("count", flat=True)
        CounterMinute.objects.filter(name="sum", label="a").update(count=count + 1)

    def patient() -> None:
        done = 0
        while done < 5:
            try:
                increment()
                done += 1
            except OperationalError:
                # Three retries can all lose against the others; the caller sees it, and nothing is half done.
                continue

    assert side_by_side(*[patient] * 4) == [None] * 4
    assert sums()["a"] == 20
    assert retries("40001") > 0


def test_inside_another_transaction_the_outermost_decides() -> None:
    calls = []

    @atomic_retry
    def inner() -> None:
        calls.append(1)
        with connection.cursor() as cursor:
            cursor.execute("do $$ begin raise exception sqlstate '40P01'; end $$")

    with pytest.raises(OperationalError), transaction.atomic():
        inner()
    assert len(calls) == 1


def test_what_was_committed_is_not_done_again_for_a_conflict_behind_it() -> None:
    def afterwards() -> None:
        with connection.cursor() as cursor:
            cursor.execute("do $$ begin raise exception sqlstate '40P01'; end $$")

    @atomic_retry
    def work() -> None:
        add_one("a")
        transaction.on_commit(afterwards)

    with pytest.raises(OperationalError):
        work()
    assert sums() == {"a": 1, "b": 0}


def test_the_last_try_raises_and_nothing_but_conflicts_is_tried_again() -> None:
    calls = []

    @atomic_retry
    def failing(state: str) -> None:
        calls.append(state)
        with connection.cursor() as cursor:
            cursor.execute(f"do $$ begin raise exception sqlstate '{state}'; end $$")

    with pytest.raises(OperationalError):
        failing("40P01")
    assert calls == ["40P01"] * 4
    with pytest.raises(Exception, match=r"55006|object_in_use"):
        failing("55006")
    assert calls[4:] == ["55006"]


def test_deadlocks_are_counted_from_the_servers_own_figure() -> None:
    now = timezone.now()
    assert database_figures.read(now=now) == 0
    side_by_side(*crosswise(transaction.atomic))
    # PostgreSQL publishes a session's figures when that session ends, or within a second.
    found: list[int] = []
    assert eventually(lambda: bool(found.append(database_figures.read(now=now)) or sum(found)), 10)
    assert sum(found) == 1
    counters.flush()
    assert counters.total(Counter.DEADLOCK, since=now - timedelta(minutes=1)) == 1


def test_a_reset_of_the_servers_figures_starts_a_new_count() -> None:
    Reading.objects.create(name=Counter.DEADLOCK, value=10**9, read_at=timezone.now())
    found = database_figures.read(now=timezone.now())
    assert 0 <= found < 10**9
