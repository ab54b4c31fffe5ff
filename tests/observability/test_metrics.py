"""Figures for Prometheus: by its conventions, bounded, behind a key, and what only grows never shrinks."""

import math
import re
import threading
import time
from collections import Counter as Tally
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from observability import api_keys
from observability.counters import Counter
from observability.metrics import scrape, totals
from observability.metrics.families import gauge
from observability.models import (
    CounterMinute,
    DurationMinute,
    ErrorMinute,
    EventMinute,
    Forwarder,
    Heartbeat,
    Notification,
    Reading,
    Watermark,
)
from observability.retention import batches, datasets
from observability.timings import bucket_of
from sync.models import Breaker, Location
from trainu import schedules
from trainu.datasets import Rows
from trainu.faults import Fault

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def monitor_key(db: None) -> str:
    return api_keys.issue("prometheus", ["metrics:read"], limit_per_minute=0)[1]


def told(now: datetime = NOW, parts: dict[str, scrape.Part] | None = None) -> dict[str, float]:
    """Return every value by its name and labels, as they stand in the text."""
    text, _ = scrape.write(scrape.gather(now=now, parts=parts), "")
    return {
        sample.name + str(sorted(sample.labels.items()) if sample.labels else ""): sample.value
        for family in plain(text.decode())
        for sample in family.samples
    }


def only_growing(now: datetime) -> dict[str, float]:
    return {
        name: value
        for name, value in told(now, {"totals": scrape.PARTS["totals"]}).items()
        if re.match(r"trainu_\w+?_(total|bucket|count|sum)(\[|$)", name)
    }


def minutes(now: datetime, number: int = 1) -> None:
    """Count as much of everything in the minute at hand."""
    minute = now.replace(second=0, microsecond=0)
    kinds: list[tuple[Any, str, dict[str, Any]]] = [
        (ErrorMinute, "errors", {"severity": "SEV2", "category": "sync", "code": "timeout"}),
        (CounterMinute, "count", {"name": "deadlock", "label": "database"}),
        (EventMinute, "events", {"event": "sync_ok"}),
        (DurationMinute, "observations", {"metric": "api_response_time", "label": "/x", "bucket": 200}),
    ]
    for model, field, key in kinds:
        row, is_new = model.objects.get_or_create(minute=minute, **key, defaults={field: number})
        if not is_new:
            model.objects.filter(pk=row.pk).update(**{field: getattr(row, field) + number})


def purge_all(now: datetime) -> None:
    """Purge what the figures are counted from, as the schedule does and as short as policies may be."""
    for one in datasets.FIGURES:
        if isinstance(one, Rows) and one.name.endswith("_minutes"):
            [table] = one.tables
            for _ in batches.remove(table, cutoff_at=now - timedelta(days=2), note=lambda _: None):
                pass


# --- who may, and what it costs ----------------------------------------------------------------


def test_a_key_with_the_scope_gets_the_text_and_nobody_else_does(client: Client, monitor_key: str) -> None:
    _, other = api_keys.issue("uptime", ["health:read"])
    assert client.get("/api/metrics").status_code == 401
    assert client.get("/api/metrics", headers={"Authorization": f"Bearer {other}"}).status_code == 403
    bearer = {"Authorization": f"Bearer {monitor_key}"}
    answer = client.get("/api/metrics", headers=bearer)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert list(plain(answer.content.decode()))
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
    answer = client.get("/api/metrics", headers=bearer | {"Accept": accept})
    assert answer["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert list(openmetrics(answer.content.decode()))
    odd = client.get(
        "/api/metrics", headers=bearer | {"Accept": "application/openmetrics-text;version=x\x0b"}
    )
    assert odd.status_code == 200


def test_a_scrape_costs_the_same_queries_however_much_there_is_and_little_time() -> None:
    scrape.gather(now=NOW)
    took = []
    for _ in range(5):
        # This process's own time, which tells the same on a busy machine; the queries are counted below.
        begun = time.thread_time()
        scrape.gather(now=NOW)
        took.append(time.thread_time() - begun)
    assert min(took) < 0.1

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            scrape.gather(now=NOW)
        return len([one for one in queries if "SAVEPOINT" not in one["sql"]])

    few = asked()
    for number in range(20):
        Location.objects.create(pk=f"loc-{number}", name="Gym", created_at=NOW)
        minutes(NOW - number * MINUTE)
    assert asked() == few == 41


def test_ten_scrapers_at_once_cost_one_and_what_was_gathered_is_held() -> None:
    asked: list[int] = []

    def part(_now: datetime) -> Iterable[Metric]:
        asked.append(1)
        time.sleep(0.1)
        return [gauge("x", "X.", 1)]

    held = scrape.Scrape({"x": part})
    scrapers = [threading.Thread(target=gathered_apart, args=(held,)) for _ in range(10)]
    for one in scrapers:
        one.start()
    for one in scrapers:
        one.join()
    assert len(asked) == 1
    held.forget()
    gathered_apart(held)
    assert len(asked) == 2


def gathered_apart(held: scrape.Scrape) -> None:
    try:
        held.families(now=NOW)
    finally:
        connection.close()


def test_a_part_that_cannot_be_read_is_left_out_and_counted_and_the_others_are_told() -> None:
    def breaks(_now: datetime) -> Iterable[Metric]:
        yield gauge("half", "Half.", 1)
        with connection.cursor() as cursor:
            cursor.execute("select 1 / 0")

    def hangs(_now: datetime) -> Iterable[Metric]:
        with connection.cursor() as cursor:
            cursor.execute("select pg_sleep(5)")
        return []

    parts = {"breaks": breaks, "hangs": hangs, "well": lambda _now: [gauge("well", "Well.", 1)]}
    begun = time.monotonic()
    families = scrape.gather(now=NOW, parts=parts)
    assert time.monotonic() - begun < 1.5
    values = {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
    assert values == {
        ("trainu_well",): 1,
        ("trainu_metrics_failed", "breaks"): 1,
        ("trainu_metrics_failed", "hangs"): 1,
        ("trainu_metrics_failed", "well"): 0,
    }


def test_parts_that_come_after_the_time_is_up_are_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "TIME_LIMIT_S", 0.05)

    def slow(_now: datetime) -> Iterable[Metric]:
        time.sleep(0.1)
        return []

    never: list[int] = []
    [family] = scrape.gather(now=NOW, parts={"slow": slow, "late": lambda _now: never.append(1) or []})
    assert {one.labels["part"]: one.value for one in family.samples} == {"slow": 0, "late": 1}
    assert never == []


# --- by Prometheus' conventions ----------------------------------------------------------------

_FORBIDDEN = (
    "_ms",
    "_millis",
    "_minutes",
    "_hours",
    "_percent",
    "_count_total",
    "_gauge",
    "_counter",
    "_histogram",
)


def test_names_words_types_and_labels_are_as_promtool_wants_them(db: None) -> None:
    minutes(NOW)
    text = scrape.write(scrape.gather(now=NOW), "")[0].decode()
    families = list(plain(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)) == len(re.findall(r"^# HELP ", text, re.M))
    series: list[tuple[Any, ...]] = []
    for family in families:
        assert re.fullmatch(r"trainu_[a-z][a-z0-9_]*", family.name)
        assert not family.name.endswith(_FORBIDDEN)
        assert family.type in {"gauge", "counter", "histogram"}, family.name
        assert len(family.documentation) > 10
        assert family.documentation.endswith((".", "else 0."))
        if family.type == "gauge":
            assert not family.name.endswith(("_total", "_sum", "_count", "_bucket")), family.name
        if re.search(r"_(age|lag|late|oldest|time|duration)(_|$)", family.name):
            assert family.name.endswith("_seconds"), family.name
        for sample in family.samples:
            series.append((sample.name, *sorted(sample.labels.items())))
            assert family.type != "counter" or sample.name.endswith("_total")
            assert not math.isnan(sample.value)
            assert set(sample.labels) <= {
                *("state", "channel", "severity", "category", "outcome", "result", "lane", "part", "le")
            }
    assert len(series) == len(set(series))
    assert len(series) < 200


def test_labels_come_from_closed_vocabularies_whatever_stands_in_the_tables() -> None:
    few = len(told())
    for number in range(50):
        pk = f"loc-{number}"
        Location.objects.create(pk=pk, name=pk, created_at=NOW, state="paused", state_reason="x")
        Heartbeat.objects.create(name=f"cluster {number}", beat_at=NOW)
        for model, field, key in (
            (ErrorMinute, "errors", {"severity": "SEV2", "category": f"c{number}", "code": f"c{number}"}),
            (CounterMinute, "count", {"name": "transaction_retry", "label": f"l{number}"}),
            (CounterMinute, "count", {"name": f"n{number}", "label": ""}),
            (
                DurationMinute,
                "observations",
                {"metric": "database_query_time", "label": pk, "bucket": number},
            ),
        ):
            model.objects.create(minute=NOW.replace(second=0), **key, **{field: 2})
        Notification.objects.create(key=pk, channel=f"ch{number}", act="trigger", due_at=NOW, created_at=NOW)
    many = told()
    # Errors of categories that the code does not know are told as other, and nothing else is new.
    assert len(many) == few + 1
    assert many["trainu_errors_total[('category', 'other'), ('severity', 'SEV2')]"] == 100
    assert many["trainu_transaction_retries_total"] == 100
    assert not any("loc-" in name or "cluster" in name for name in many)


def test_states_are_told_as_they_are() -> None:
    Location.objects.create(pk="loc-1", name="x", created_at=NOW, state="paused", state_reason="x")
    Location.objects.create(pk="loc-2", name="x", created_at=NOW)
    Breaker.objects.filter(pk="loc-2").update(state="open", probe_at=NOW)
    Heartbeat.objects.create(name=schedules.lanes()[0], beat_at=NOW - 7 * timedelta(seconds=1))
    Forwarder.objects.update_or_create(
        pk=1, defaults={"oldest_waiting_at": NOW - MINUTE, "failures": 3, "paused_at": NOW, "sent": 41}
    )
    Notification.objects.create(
        key="k", channel="slack", act="trigger", due_at=NOW - MINUTE, created_at=NOW - MINUTE
    )
    Notification.objects.create(
        key="d", channel="email", act="trigger", state="dead", due_at=NOW, created_at=NOW - MINUTE
    )
    values = told()
    for name, value in {
        "trainu_sync_locations_held[('state', 'paused')]": 1,
        "trainu_sync_breakers[('state', 'open')]": 1,
        "trainu_sync_locations": 2,
        f"trainu_heartbeat_age_seconds[('lane', '{schedules.lanes()[0]}')]": 7,
        "trainu_forwarder_lag_seconds": 60,
        "trainu_forwarder_failures": 3,
        "trainu_forwarder_paused": 1,
        "trainu_forwarder_events_total[('result', 'sent')]": 41,
        "trainu_notifications[('channel', 'slack'), ('state', 'waiting')]": 1,
        "trainu_notifications[('channel', 'email'), ('state', 'dead')]": 1,
        "trainu_notifications_oldest_seconds[('channel', 'slack')]": 60,
        "trainu_kill_switch_on": 0,
        "trainu_metrics_failed[('part', 'totals')]": 0,
    }.items():
        assert values[name] == value, name
    assert not any(value for name, value in values.items() if name.startswith("trainu_metrics_failed"))
    # What is not known is missing, and never 0.
    assert not {"trainu_alerts_evaluated_age_seconds", "trainu_rollup_lag_seconds"} & set(values)


# --- what only grows ---------------------------------------------------------------------------


def test_no_total_ever_shrinks_while_minutes_are_folded_purged_and_added_to_late() -> None:
    """Forty days by the clock: traffic, late counts, pauses of the workers, purges whenever they like."""
    random = Random(7)
    at, counted = NOW, 0
    before = only_growing(at)
    assert before["trainu_deadlocks_total"] == 0
    for _ in range(40):
        for _ in range(random.randrange(4)):
            minutes(at - random.randrange(9) * MINUTE)
            counted += 1
        match random.randrange(6):
            case 0:
                purge_all(at)
            case 1:
                at += random.choice([3 * DAY, 40 * MINUTE, DAY])
                totals.fold(now=at)  # the first after a pause only waits for who is late
            case _:
                for _ in range(random.randrange(7)):
                    at += 2 * MINUTE
                    totals.fold(now=at)
        after = only_growing(at)
        assert after.keys() == before.keys()
        shrunk = {name: (before[name], after[name]) for name in before if after[name] < before[name]}
        assert shrunk == {}
        before = after
    # Exactly what was counted, each time once.
    assert before["trainu_deadlocks_total"] == counted
    assert before["trainu_api_response_time_seconds_count"] == counted
    assert before["trainu_sync_attempts_total[('outcome', 'ok')]"] == counted
    assert before["trainu_errors_total[('category', 'sync'), ('severity', 'SEV2')]"] == counted
    assert counted > 30
    for _ in range(8):
        totals.fold(now=at)
        at += 2 * MINUTE
    purge_all(at + 30 * DAY)
    assert not CounterMinute.objects.exists()
    assert only_growing(at)["trainu_deadlocks_total"] == counted


def test_a_minute_that_is_not_in_the_totals_is_not_purged() -> None:
    told(NOW)
    minutes(NOW)
    purge_all(NOW + 90 * DAY)
    assert ErrorMinute.objects.count() == 1
    assert EventMinute.objects.count() == 1
    assert only_growing(NOW + 90 * DAY)["trainu_deadlocks_total"] == 1


def test_after_a_pause_who_was_cut_off_may_carry_what_it_held_before_its_minutes_are_folded() -> None:
    told(NOW)
    back = NOW + timedelta(hours=8)
    assert totals.fold(now=back) == 0
    minutes(NOW + timedelta(hours=1))  # carried in the seconds after the database was back
    assert totals.fold(now=back + MINUTE) == 6 * 60
    assert told(back + MINUTE)["trainu_deadlocks_total"] == 1


def test_minutes_that_are_folded_while_they_are_read_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read_before = totals.begin(now=NOW - 10 * MINUTE)
    minutes(NOW - 10 * MINUTE, 5)
    for passed in range(4):
        totals.fold(now=NOW + 2 * passed * MINUTE)
    assert totals.begin(now=NOW) > NOW - 9 * MINUTE
    monkeypatch.setattr(totals, "begin", lambda now: read_before)
    assert totals.read(now=NOW)["deadlock"] == {"": 5}


def test_minutes_that_events_are_not_counted_up_to_are_left(db: None) -> None:
    totals.begin(now=NOW)
    Watermark.objects.create(consumer="rollups", xid=1, moved_at=NOW - 7 * MINUTE)
    for passed in range(1, 30):
        totals.fold(now=NOW + passed * MINUTE)
    assert Reading.objects.get(name=totals.READING).read_at == NOW.replace(second=0) - 9 * MINUTE


def test_a_histogram_holds_what_was_measured_at_its_bounds_exactly() -> None:
    totals.begin(now=NOW)
    random = Random(3)
    durations = [math.exp(random.uniform(math.log(1e-4), math.log(90))) for _ in range(2_000)]
    durations += [2.0, 0.0, 500.0]
    key = {"metric": "database_query_time", "label": "/x", "minute": NOW.replace(second=0)}
    counts = Tally(bucket_of(seconds) for seconds in durations)
    DurationMinute.objects.bulk_create(
        DurationMinute(**key, bucket=bucket, observations=count) for bucket, count in counts.items()
    )
    [family] = [one for one in scrape.gather(now=NOW) if one.name == "trainu_database_query_time_seconds"]
    buckets = {float(one.labels["le"]): one.value for one in family.samples if "le" in one.labels}
    assert buckets == {bound: sum(took <= bound for took in durations) for bound in buckets}
    assert list(buckets.values()) == sorted(buckets.values())
    assert math.inf in buckets
    [total] = [one.value for one in family.samples if one.name.endswith("_sum")]
    assert total == pytest.approx(sum(durations), rel=0.03)


def test_every_counter_is_told_from_the_first_scrape_on() -> None:
    values = told()
    for kind in Fault.__subclasses__():
        assert (
            f"trainu_errors_total[('category', '{kind.category}'), ('severity', '{kind.severity}')]" in values
        )
    assert {"deadlock", "transaction_retry", "log_line_dropped", "sentry_event_dropped"} <= set(Counter)
    for name in ("deadlocks", "transaction_retries", "log_lines_dropped", "sentry_events_dropped"):
        assert values[f"trainu_{name}_total"] == 0


def test_folding_is_scheduled_every_minute() -> None:
    entry = schedules.find("running totals")
    assert entry is not None
    assert (entry.func, entry.minutes) == ("observability.tasks.keep_running_totals", 1)
