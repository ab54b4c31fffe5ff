"""How long things are kept: within bounds, whatever stands in the row; and what is late is named."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from observability import health, partitions
from observability.admin import overview
from observability.health import Report, Status
from observability.models import AuditEntry, EventHour, PurgeRun, RetentionPolicy, SeenUuid
from observability.retention import daily, datasets, lateness, policies
from tests import make
from trainu import schedules
from trainu.datasets import Dataset, Partitions, Rows, Table, find, register, registered
from trainu.schedules import Entry

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _mirrored(db: None) -> None:
    policies.mirror()


def dataset(name: str) -> Dataset:
    found = find(name)
    assert found is not None
    return found


def policy(name: str) -> RetentionPolicy:
    return RetentionPolicy.objects.get(dataset=name)


def report(name: str, started_at: datetime, **overrides: Any) -> PurgeRun:
    """Return a run as it stands in the table when it went well."""
    fields = {
        "state": "done",
        "cutoff_at": policies.cutoff(dataset(name), now=started_at),
        "finished_at": started_at,
        "started_by": "schedule",
    }
    return PurgeRun.objects.create(dataset=name, started_at=started_at, **(fields | overrides))


def test_every_declared_dataset_has_a_policy_with_its_default() -> None:
    kept = dict(RetentionPolicy.objects.values_list("dataset", "keep_days"))
    assert kept == {one.name: one.default_days for one in registered()}
    assert {
        "product_events": 760,
        "seen_uuids": 40,
        "application_logs": 30,
        "error_logs": 90,
        "quarantine": 90,
        "task_results": 14,
        "event_minutes": 14,
        "purge_runs": 400,
    }.items() <= kept.items()


def test_mirroring_again_leaves_the_days_that_staff_have_set() -> None:
    policies.set_keep_days(policy("error_logs"), 120, by="staff:1", reason="an inquiry", now=NOW)
    policies.mirror()
    changed = policy("error_logs")
    assert (changed.keep_days, changed.changed_by, changed.reason) == (120, "staff:1", "an inquiry")
    assert policies.keep_days(dataset("error_logs")) == 120
    entry = AuditEntry.objects.get(action="retention.change")
    assert (entry.actor_id, entry.reason, entry.changes) == (
        "staff:1",
        "an inquiry",
        {"keep_days": [90, 120]},
    )


@pytest.mark.parametrize(
    ("name", "days", "words"),
    [
        ("product_events", 29, "for 30 days or more, because dashboards and alerts look back so far"),
        ("seen_uuids", 31, "for 32 days or more, because events up to 30 days old are accepted"),
        ("seen_uuids", 401, "for 400 days at most"),
        ("audit", 364, "for 365 days or more, because that is how far back an inquiry must"),
        ("application_logs", 0, "for 1 days or more"),
    ],
)
def test_days_outside_the_bounds_are_refused_with_the_bound_and_its_reason(
    name: str, days: int, words: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        policies.set_keep_days(policy(name), days, by="staff:1", reason="why not", now=NOW)
    assert words in refused.value.message_dict["keep_days"][0]
    assert policy(name).keep_days == dataset(name).default_days


def test_a_change_needs_a_reason() -> None:
    with pytest.raises(ValidationError) as refused:
        policies.set_keep_days(policy("error_logs"), 100, by="staff:1", reason="  ", now=NOW)
    assert list(refused.value.message_dict) == ["reason"]


def test_days_that_got_into_the_row_another_way_are_not_obeyed() -> None:
    RetentionPolicy.objects.filter(dataset="product_events").update(keep_days=1)
    assert policies.keep_days(dataset("product_events")) == 30
    assert policies.all_keep_days()["product_events"] == 30
    assert policies.cutoff(dataset("product_events"), now=NOW) == NOW - timedelta(days=30)


def test_audit_entries_are_kept_for_a_year_whatever_the_row_says_without_the_setting(
    settings: Settings,
) -> None:
    RetentionPolicy.objects.filter(dataset="audit").update(keep_days=5)
    assert policies.keep_days(dataset("audit")) == 365
    settings.AUDIT_KEEP_UNDER_A_YEAR = True
    assert policies.keep_days(datasets.audit_log()) == 5


def test_the_database_itself_refuses_to_keep_nothing() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        RetentionPolicy.objects.filter(dataset="error_logs").update(keep_days=0)


def test_a_declaration_whose_default_lies_outside_its_bounds_stops_the_start() -> None:
    with pytest.raises(ValueError, match="least_days <= default_days"):
        Rows(name="odd", label="Odd", default_days=1, least_days=2, tables=())


def test_two_datasets_of_one_name_stop_the_start() -> None:
    other = Rows(name="sessions", label="Other", default_days=1, tables=(Table(model="a.B", at="c"),))
    with pytest.raises(ValueError, match="already is a dataset called sessions"):
        register(other)
    datasets.declare()


def test_uuids_are_remembered_for_longer_than_events_are_accepted() -> None:
    assert dataset("seen_uuids").least_days > 30


def test_a_dataset_is_due_once_a_day_and_again_when_its_policy_has_changed() -> None:
    assert "event_hours" in {one.name for one in daily.due(now=NOW)}
    RetentionPolicy.objects.update(updated_at=NOW - timedelta(days=9))
    report("event_hours", NOW - timedelta(hours=2))
    report("event_minutes", NOW - timedelta(hours=13))
    report("seen_uuids", NOW - timedelta(hours=2), dry_run=True)
    report("error_logs", NOW - timedelta(hours=2), state="interrupted")
    report("quarantine", NOW - timedelta(minutes=30), state="failed")
    report("sessions", NOW - timedelta(minutes=90), state="failed")
    due = {one.name for one in daily.due(now=NOW)}
    assert due == {one.name for one in registered()} - {"event_hours", "quarantine"}

    policies.set_keep_days(policy("event_hours"), 100, by="staff:1", reason="space", now=NOW)
    assert "event_hours" in {one.name for one in daily.due(now=NOW + timedelta(seconds=1))}


def test_rows_are_late_two_days_after_the_policy_said_they_should_be_gone() -> None:
    oldest = NOW - timedelta(days=760)
    EventHour.objects.create(event="user_logged_in", hour=oldest, events=1)
    assert [one.dataset for one in lateness.late(now=NOW + timedelta(days=2))] == []
    late_at = NOW + timedelta(days=2, seconds=1)
    assert [one.dataset for one in lateness.late(now=late_at)] == ["event_hours"]


def test_rows_that_a_purge_has_been_through_are_not_looked_at_again() -> None:
    for one in registered():
        report(one.name, NOW)
    SeenUuid.objects.create(uuid=make.event()["uuid"], seen_on=NOW.date() - timedelta(days=90))
    assert lateness.late(now=NOW) == []  # the purge said that it is gone, and is believed for two days
    report("seen_uuids", NOW + timedelta(days=2), state="failed", reason="See the log.")
    late = lateness.late(now=NOW + timedelta(days=3))
    assert [(one.dataset, one.reason) for one in late] == [("seen_uuids", "See the log.")]


def test_health_warns_of_late_data_and_never_fails() -> None:
    assert health.check_retention().status is Status.PASS
    EventHour.objects.create(event="user_logged_in", hour=timezone.now() - timedelta(days=800), events=1)
    finding = health.check_retention()
    assert finding.status is Status.WARN
    assert finding.detail["late"] == ["event_hours"]
    assert "retention" in health.ALL
    assert "retention" not in health.CRITICAL
    words = overview._trouble(Report({"retention": finding}))
    assert words == "Data is kept longer than its policy allows."


def test_asking_what_is_late_costs_few_queries_once_everything_was_purged(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    now = timezone.now()
    for one in registered():
        report(one.name, now)
    by_the_day = sum(isinstance(one, Partitions) for one in registered())
    with django_assert_max_num_queries(2 + by_the_day):  # policies, runs, and the partitions of each table
        assert lateness.late(now=now) == []


def test_the_schedule_purges_every_ten_minutes() -> None:
    assert schedules.find("purge") == Entry("purge", "observability.tasks.purge", minutes=10)


# Kept as long as what they are about, or one row a name: none of them grows with time.
STANDING = {
    *("ApiKey", "EventDefinition", "Forwarder", "Reading", "RetentionPolicy", "RunningTotal", "Watermark"),
    # One row a person, whose first booking may be years ago; one row; one a rebuild by hand.
    *("Person", "SampleLevel", "RollupRebuild"),
    # One row a rule, a rule and group, a way to tell; lines of a timeline go with their incident.
    *("AlertRule", "RuleState", "Evaluation", "Channel", "IncidentMoment"),
    # The anchors of the audit log, one a day, and the proofs of erasures: both outlive what they prove.
    *("AuditCheckpoint", "Erasure"),
    # The chain goes with its entries, and log lines and entries by the day.
    *("AuditEntry", "AuditLink", "Event", "LogLine"),
}


def test_every_table_that_grows_is_kept_for_a_limited_time() -> None:
    declared = {
        table.model.split(".")[1] for one in registered() if isinstance(one, Rows) for table in one.tables
    }
    ours = {model.__name__ for model in apps.get_app_config("observability").get_models()}
    assert ours - declared - STANDING == set()
    by_the_day = {one.table.name for one in registered() if isinstance(one, Partitions)}
    assert {table.name for table in partitions.ALL} - by_the_day == {AuditEntry._meta.db_table}
