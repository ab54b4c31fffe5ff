"""Counters: exact sums by the minute, whoever counts and however often it is carried."""

from datetime import timedelta
from threading import Thread

import pytest
from django.utils import timezone

from observability import carrier, counters
from observability.counters import Counter

pytestmark = pytest.mark.django_db


def test_threads_count_side_by_side_and_nothing_is_lost() -> None:
    def count() -> None:
        for _ in range(500):
            counters.add(Counter.TRANSACTION_RETRY, "40P01")

    threads = [Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    carrier.carry()
    carrier.carry()
    assert counters.total(Counter.TRANSACTION_RETRY, since=timezone.now() - timedelta(minutes=5)) == 2000


def test_a_total_is_of_one_label_and_of_the_minutes_asked_for() -> None:
    now = timezone.now().replace(second=0, microsecond=0)
    counters.add(Counter.LOG_LINE_DROPPED, "info", 3, now=now)
    counters.add(Counter.LOG_LINE_DROPPED, "error", 2, now=now)
    counters.add(Counter.LOG_LINE_DROPPED, "info", 9, now=now - timedelta(minutes=10))
    counters.flush()
    assert counters.total(Counter.LOG_LINE_DROPPED, since=now, label="info") == 3
    assert counters.total(Counter.LOG_LINE_DROPPED, since=now) == 5
    assert counters.total(Counter.LOG_LINE_DROPPED, since=now - timedelta(minutes=10)) == 14
