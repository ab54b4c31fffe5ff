"""What other terms would have done: tried on kept minutes, as the evaluator would have judged them."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from observability.alerts import replay, rules
from observability.alerts.evaluation import Terms
from observability.alerts.replay import Firing, Row
from observability.models import AlertRule, MeasureMinute

NOW = datetime(2026, 11, 23, 12, 0, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SINCE = NOW.replace(second=0) - timedelta(days=30)


def at(number: int) -> datetime:
    return SINCE + number * MINUTE


def found(
    terms: Terms, window: int, kind: str, rows: list[Row], minutes: int = 600, every: int = 1
) -> list[Firing]:
    return list(
        replay.firings(
            terms,
            window,
            kind,
            rows,
            since=at(0),
            until=at(minutes),
            every_minutes=every,  # type: ignore[arg-type]
        )
    )


def test_a_rate_is_judged_by_its_sliding_window() -> None:
    terms = Terms(threshold=0.05, recovery=0.03, min_sample=20, min_bad=3, recovery_minutes=5)
    rows = [Row("", at(n), None, 3.0 if 100 <= n < 110 else 0.0, 10.0) for n in range(600)]
    # Of fifteen minutes' 150 cases, 9 are bad after the third one; 3 are left when the last but one has gone.
    assert found(terms, 15, "rate", rows) == [Firing("", at(102), at(128), 0.2)]


def test_a_level_holds_until_its_measure_is_asked_again_and_no_longer() -> None:
    terms = Terms(threshold=0, recovery=0, for_minutes=12, recovery_minutes=0)
    rows = [Row("", at(n), 1.0 if n < 60 else 0.0, None, None) for n in range(0, 90, 10)]
    assert found(terms, 1, "level", rows, every=10) == [Firing("", at(12), at(60), 1.0)]
    # Nobody has asked for half an hour: nothing is known, and the wait begins anew.
    gap = [row for row in rows if not at(10) <= row.minute < at(40)]
    assert found(terms, 1, "level", gap, every=10) == [Firing("", at(52), at(60), 1.0)]


def test_a_group_that_is_named_no_more_is_well_unless_all_is_bad() -> None:
    terms = Terms(threshold=0, recovery=0, for_minutes=2, recovery_minutes=3)
    of_all = [Row("", at(n), 9.0 if 20 <= n < 40 else 0.0, None, None) for n in range(100)]
    one = [Row("loc-1", at(n), 1.0, None, None) for n in range(5, 20)]
    assert found(terms, 1, "level", of_all + one) == [
        Firing("", at(22), at(43), 9.0),
        Firing("loc-1", at(7), at(43), 1.0),
    ]


def test_what_goes_on_has_no_end() -> None:
    terms = Terms(threshold=5, recovery=0)
    rows = [Row("code", at(n), None, 2.0, 0.0) for n in range(580, 601)]
    assert found(terms, 10, "count", rows) == [Firing("code", at(582), None, 20.0)]


def test_a_month_of_several_groups_is_tried_while_somebody_waits() -> None:
    terms = Terms(threshold=0.05, recovery=0.03, min_sample=20, min_bad=3, needs_confidence=True)
    month = 30 * 1_440
    rows = [
        Row(group, at(n), None, float(n % 97 == 0), 10.0)
        for group in ("", "a", "b", "c")
        for n in range(month)
    ]
    began = time.process_time()
    assert found(terms, 60, "rate", rows, month) == []
    seconds = time.process_time() - began
    print(f"four groups of a month: {seconds:.2f} s")  # noqa: T201
    # A quarter of a second each, where nobody else wants the processor.
    assert seconds < 8


@pytest.mark.django_db
def test_a_back_test_tries_terms_that_are_not_stored_on_what_was_kept() -> None:
    rules.seed()
    last = NOW.replace(second=0) - MINUTE
    MeasureMinute.objects.bulk_create(
        MeasureMinute(
            measure="deadlocks", group="", minute=last - n * MINUTE, bad=2.0 if n == 100 else 0.0, total=0.0
        )
        for n in range(300)
    )
    rule = AlertRule.objects.get(pk="deadlocks")
    assert replay.back_test(rule, now=NOW).firings == []
    rule.threshold, rule.window_minutes, rule.recovery_minutes = 1.0, 15, 5
    tried = replay.back_test(rule, now=NOW)
    began = last - 100 * MINUTE
    assert tried.firings == [Firing("", began, began + 20 * MINUTE, 2.0)]
    assert (tried.measured_since, tried.days, tried.is_cut) == (last - 299 * MINUTE, 30, False)
    assert AlertRule.objects.get(pk="deadlocks").threshold == 3
