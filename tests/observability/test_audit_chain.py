"""The chain: whatever is done to the audit log past its own door is found, and retention breaks nothing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import StringIO
from threading import Barrier
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import Error, IntegrityError, connection, transaction
from django.http import HttpRequest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from observability import health, partitions
from observability.admin import overview
from observability.audit import chain, expiry, seals
from observability.audit.recording import record
from observability.audit.walk import Kind, Walked, walk
from observability.health import Status
from observability.models import AuditEntry, AuditLink, AuditVerification
from tests.journeys.database import GUARDED, unguarded
from trainu.transactions import atomic_retry, sqlstate

pytestmark = pytest.mark.usefixtures("transactional_db")

OLD = timedelta(days=400)


def acts(count: int, *, now: datetime | None = None) -> None:
    for number in range(count):
        record("data.reveal", actor="staff:1", target=("test.row", number), now=now)


def verified(now: datetime | None = None) -> Walked:
    return walk(now=now or timezone.now())


def kinds() -> set[Kind]:
    return {finding.kind for finding in verified().findings}


def tamper(statement: str, *parameters: Any) -> None:
    """Do it as somebody who owns the database, and can switch its triggers off."""
    with unguarded() as cursor:
        cursor.execute(statement, parameters)
        assert cursor.rowcount


def rewrite_from(seq: int) -> None:
    """Chain everything anew from a link on, as somebody would who knows exactly how it is done."""
    before = AuditLink.objects.filter(seq=seq - 1).values_list("hash", flat=True).first()
    previous = bytes(before) if before else seals.GENESIS
    for link in AuditLink.objects.filter(seq__gte=seq).order_by("seq"):
        with connection.cursor() as cursor:
            cursor.execute(
                "select actor_kind, actor_id, action, target_type, target_id, reason, correlation_id,"
                " changes::text from observability_auditentry where id = %s",
                [link.entry_id],
            )
            columns = cursor.fetchone()
        forged = seals.digest(link.seq, previous, str(link.entry_id), link.recorded_at, columns)
        tamper(
            "update observability_auditlink set previous = %s, hash = %s where seq = %s",
            previous,
            forged,
            link.seq,
        )
        previous = forged


def test_every_act_is_chained_and_verifies() -> None:
    record(
        "data.reveal",
        actor="staff:1",
        reason="Wer? “Größe” \U0001f600",
        changes={"n": ({"b": [1], "aa": "\u2028"}, 2.5)},
    )
    acts(4)
    walked = verified()
    assert (walked.entries, walked.head_seq, walked.findings) == (5, 5, [])
    assert list(AuditLink.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3, 4, 5]


def test_an_act_that_is_undone_leaves_no_entry_and_no_gap() -> None:
    acts(1)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        acts(3)
        _ = 1 / 0
    acts(1)
    assert AuditEntry.objects.count() == 2
    assert (verified().head_seq, kinds()) == (2, set())


def test_eight_who_act_at_once_make_one_unbroken_chain() -> None:
    start = Barrier(8)

    def work(number: int) -> None:
        try:
            start.wait(10)
            for _ in range(5):
                with transaction.atomic():
                    record("data.reveal", actor=f"staff:{number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    walked = verified()
    assert (walked.entries, walked.head_seq, walked.findings) == (40, 40, [])


def test_a_serializable_transaction_with_an_old_view_is_told_to_run_again() -> None:
    other = connection.copy()

    def act(*, disturbed: bool) -> None:
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level serializable")
            cursor.execute("select count(*) from observability_auditlink")
        record("data.reveal", actor="staff:1")
        if disturbed:
            insert = (
                "insert into observability_auditentry values (now(), gen_random_uuid(), 'system', 'system',"
                " 'data.reveal', '', '', '', '', '{}')"
            )
            with other.cursor() as cursor:
                cursor.execute(insert)

    try:
        with pytest.raises(Error) as caught, transaction.atomic():
            act(disturbed=True)
        assert sqlstate(caught.value) == "40001"
        turns = iter([True, False])
        atomic_retry(lambda: act(disturbed=next(turns)))()
    finally:
        other.close()
    walked = verified()
    assert (walked.entries, walked.findings) == (3, [])


@pytest.mark.parametrize("table", [model._meta.db_table for model in GUARDED] + ["partition"])
@pytest.mark.parametrize(
    "statement", ["update {} set {} = {}", "delete from {}", "truncate {}", "truncate {} cascade"]
)
def test_the_owner_of_the_tables_cannot_change_delete_or_empty_anything(table: str, statement: str) -> None:
    acts(2)
    chain.checkpoint(now=timezone.now())
    column = "actor_id"
    if table == "partition":
        table = partitions.AUDIT.partition(timezone.now().astimezone(UTC).date())
    elif table != "observability_auditentry":
        column = "hash"
    with pytest.raises(IntegrityError, match="only grows"), connection.cursor() as cursor:
        cursor.execute(statement.format(table, column, column))
    assert [model.objects.count() for model in GUARDED] == [2, 2, 1]


def test_a_partition_made_on_demand_refuses_to_be_emptied_too() -> None:
    acts(1, now=timezone.now() - OLD)
    partition = partitions.AUDIT.partition((timezone.now() - OLD).astimezone(UTC).date())
    for statement in ("truncate {}", "delete from {}", "update {} set reason = 'x'"):
        with pytest.raises(IntegrityError, match="only grows"), connection.cursor() as cursor:
            cursor.execute(statement.format(partition))


def test_nobody_puts_a_link_into_the_chain_by_hand() -> None:
    acts(1)
    with pytest.raises(IntegrityError, match="only grows"), connection.cursor() as cursor:
        cursor.execute(
            "insert into observability_auditlink values (2, gen_random_uuid(), now(), '\\x00', '\\x00')"
        )


COLUMNS = {
    "actor_kind": "'command', actor_id = 'command'",
    "actor_id": "'staff:2'",
    "action": "'data.purge'",
    "target_type": "'other'",
    "target_id": "'other'",
    "reason": "'other'",
    "correlation_id": "'other'",
    "changes": "'{\"other\": null}'",
}


@pytest.mark.parametrize("column", COLUMNS)
def test_an_entry_that_a_superuser_changed_is_found(column: str) -> None:
    acts(3)
    [target] = AuditEntry.objects.filter(target_id="1")
    tamper(f"update observability_auditentry set {column} = {COLUMNS[column]} where id = %s", target.id)
    walked = verified()
    assert [(one.kind, one.seq, one.entry_id) for one in walked.findings] == [
        (Kind.CHANGED, 2, str(target.id))
    ]


def test_an_entry_moved_in_time_is_found() -> None:
    acts(2)
    tamper("update observability_auditentry set recorded_at = recorded_at + interval '1 second'")
    assert kinds() == {Kind.DELETED, Kind.NOT_CHAINED}


def test_an_entry_that_a_superuser_deleted_is_found_with_or_without_its_link() -> None:
    acts(4)
    [second] = AuditEntry.objects.filter(target_id="1")
    tamper("delete from observability_auditentry where id = %s", second.id)
    assert [(one.kind, one.seq) for one in verified().findings] == [(Kind.DELETED, 2)]
    tamper("delete from observability_auditlink where seq = 2")
    assert [(one.kind, one.seq) for one in verified().findings] == [(Kind.BROKEN, 3)]


def test_an_entry_that_a_superuser_put_in_is_found() -> None:
    acts(2)
    tamper(
        "insert into observability_auditentry select recorded_at, gen_random_uuid(), actor_kind, actor_id,"
        " action, target_type, target_id, reason, correlation_id, changes"
        " from observability_auditentry limit 1"
    )
    assert kinds() == {Kind.NOT_CHAINED}


def test_a_beginning_that_was_cut_off_past_the_door_is_found() -> None:
    acts(3)
    tamper("delete from observability_auditlink where seq = 1")
    assert kinds() == {Kind.BEGINNING_LOST, Kind.NOT_CHAINED}


def test_a_wholly_rewritten_chain_is_found_by_the_signature() -> None:
    acts(4)
    signed = chain.checkpoint(now=timezone.now())
    assert signed is not None
    acts(2)
    tamper("update observability_auditentry set actor_id = 'staff:2' where target_id = '1'")
    rewrite_from(1)
    assert [(one.kind, one.seq) for one in verified().findings] == [(Kind.REWRITTEN, signed.seq)]


def test_a_head_that_was_cut_off_behind_a_signature_is_found() -> None:
    acts(3)
    chain.checkpoint(now=timezone.now())
    [newest] = AuditLink.objects.filter(seq=3)
    tamper("delete from observability_auditentry where id = %s", newest.entry_id)
    tamper("delete from observability_auditlink where seq = 3")
    assert kinds() == {Kind.HEAD_LOST}


@pytest.mark.parametrize(
    "column", ["seq = seq - 1", "hash = '\\x00'", "created_at = now()", "hmac = '\\x00'"]
)
def test_a_checkpoint_that_was_changed_is_found(column: str) -> None:
    acts(3)
    chain.checkpoint(now=timezone.now() - timedelta(hours=1))
    tamper(f"update observability_auditcheckpoint set {column}")
    assert kinds() == {Kind.CHECKPOINT_FORGED}


def test_a_checkpoint_signed_with_another_key_is_not_ours(settings: Any) -> None:
    acts(1)
    ours = settings.AUDIT_KEY
    settings.AUDIT_KEY = "a key that somebody else has made up"
    chain.checkpoint(now=timezone.now())
    settings.AUDIT_KEY = ours
    assert kinds() == {Kind.CHECKPOINT_FORGED}


def test_a_checkpoint_that_was_deleted_is_found() -> None:
    now = timezone.now()
    for _ in range(3):
        acts(1)
        chain.checkpoint(now=now)
    tamper("delete from observability_auditcheckpoint where number = 2")
    assert kinds() == {Kind.CHECKPOINT_LOST}


def test_a_chain_of_some_age_that_nobody_signed_is_found() -> None:
    acts(1, now=timezone.now() - timedelta(days=1))
    assert kinds() == set()
    assert {one.kind for one in verified(timezone.now() + timedelta(days=2)).findings} == {
        Kind.CHECKPOINT_LOST
    }


def test_a_checkpoint_is_written_only_for_what_is_new() -> None:
    assert chain.checkpoint(now=timezone.now()) is None
    acts(1)
    first = chain.checkpoint(now=timezone.now())
    assert first is not None
    assert (first.number, first.seq) == (1, 1)
    assert chain.checkpoint(now=timezone.now()) is None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_byte_of_any_row_that_changes_is_found(data: st.DataObject) -> None:
    """Whatever the row and the column, also where only a letter or a microsecond differs."""
    if not AuditEntry.objects.exists():
        acts(6)
        chain.checkpoint(now=timezone.now())
    table, key, columns = data.draw(
        st.sampled_from(
            [
                (
                    "observability_auditentry",
                    "target_id",
                    ["action", "target_id", "reason", "changes", "recorded_at"],
                ),
                ("observability_auditlink", "seq", ["hash", "previous", "entry_id", "recorded_at"]),
                ("observability_auditcheckpoint", "number", ["hash", "hmac", "created_at", "number"]),
            ]
        )
    )
    column = data.draw(st.sampled_from(columns))
    place = data.draw(st.integers(0, 5))
    changed = {
        "action": "action || 'x'",
        "target_id": "target_id || ' '",
        "reason": "reason || chr(160)",
        "changes": "changes || '{\"x\": null}'",
        "recorded_at": "recorded_at + interval '1 microsecond'",
        "created_at": "created_at + interval '1 microsecond'",
        "entry_id": "gen_random_uuid()",
        "number": "number + 1",
        **dict.fromkeys(("hash", "previous", "hmac"), f"set_byte({column}, 7, get_byte({column}, 7) # 1)"),
    }[column]
    where = 1 if table.endswith("checkpoint") else place + 1 if table.endswith("link") else place
    assert verified().findings == []
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("set local session_replication_role = replica")
                cursor.execute(
                    f"update {table} set {column} = {changed} where {key}::text = %s", [str(where)]
                )
                assert cursor.rowcount == 1
                cursor.execute("set local session_replication_role = origin")
            assert verified().findings != [], (table, column, where)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass


def test_what_verification_finds_is_kept_shown_by_health_and_never_503() -> None:
    acts(3)
    assert health.check_audit().status is Status.PASS
    chain.verify(now=timezone.now())
    assert health.check_audit() == health.Finding(
        Status.PASS, {"findings": 0, "entries": 3, "age_s": health.check_audit().detail["age_s"]}
    )
    tamper("update observability_auditentry set reason = 'x' where target_id = '2'")
    walked = chain.verify(now=timezone.now())
    kept = AuditVerification.objects.first()
    assert kept is not None
    assert (kept.findings, kept.entries, kept.first_findings[0]["kind"]) == (1, 3, "changed")
    assert walked.count == 1
    assert health.check_audit().status is Status.WARN
    health.monitor.forget()
    [card] = overview.health_cards(HttpRequest())
    assert ("tampered" in card.detail, card.tone) == (True, "bad")
    assert "audit" in health.ALL
    assert "audit" not in health.CRITICAL


def test_a_verification_that_did_not_come_is_missed_after_two_days() -> None:
    acts(1)
    chain.verify(now=timezone.now() - timedelta(days=2, hours=1))
    assert health.check_audit().status is Status.WARN


def test_the_command_says_what_it_found_and_ends_in_1() -> None:
    acts(3)
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert "3 entries" in out.getvalue()
    assert "Nothing was tampered with" in out.getvalue()
    tamper("update observability_auditentry set reason = 'x' where target_id = '2'")
    out = StringIO()
    with pytest.raises(CommandError, match="1 finding") as caught:
        call_command("verify_audit", stdout=out)
    assert caught.value.returncode == 1
    assert "link 3" in out.getvalue()


def old_and_new() -> datetime:
    """Leave two days of old acts, one chained behind younger ones, and new ones; return when old ends."""
    long_ago = timezone.now() - OLD
    acts(3, now=long_ago)
    acts(2, now=long_ago + timedelta(days=1))
    acts(4)
    acts(1, now=long_ago)
    return timezone.now() - timedelta(days=366)


def test_after_a_cut_the_chain_verifies_and_goes_on() -> None:
    before = old_and_new()
    chain.checkpoint(now=timezone.now())
    assert chain.cut(before, now=timezone.now()) == 5
    assert AuditLink.objects.order_by("seq").values_list("seq", flat=True).first() == 6
    assert kinds() == set()
    acts(2)
    walked = verified()
    assert (walked.first_seq, walked.head_seq, walked.findings) == (6, 12, [])
    assert chain.cut(before, now=timezone.now()) == 0


def test_purging_removes_whole_days_and_no_younger_ones() -> None:
    before = old_and_new()
    assert expiry.due(before) == 6
    assert expiry.purge(before) == 6
    assert AuditEntry.objects.count() == 4
    assert kinds() == set()
    assert (expiry.due(before), expiry.purge(before)) == (0, 0)
    oldest = expiry.oldest()
    assert oldest is not None
    assert oldest > before
    acts(1)
    assert kinds() == set()


def test_a_purge_that_was_killed_behind_the_cut_is_ended_by_the_next() -> None:
    before = old_and_new()
    chain.cut(before, now=timezone.now())
    assert kinds() == set()
    assert expiry.purge(before) == 6
    assert kinds() == set()


def test_when_everything_is_old_the_newest_link_stays_and_the_chain_goes_on() -> None:
    acts(3, now=timezone.now() - OLD)
    assert chain.cut(timezone.now() - timedelta(days=366), now=timezone.now()) == 2
    expiry.purge(timezone.now() - timedelta(days=366))
    assert AuditEntry.objects.count() == 0
    acts(1)
    walked = verified()
    assert (walked.first_seq, walked.head_seq, walked.findings) == (3, 4, [])


def test_nothing_younger_than_a_year_goes_without_the_setting(settings: Any) -> None:
    acts(3, now=timezone.now() - timedelta(days=100))
    acts(1)
    before = timezone.now() - timedelta(days=50)
    with pytest.raises(ValueError, match="365 days"):
        chain.cut(before, now=timezone.now())
    # Nor where the caller has the wrong time: the database has its own.
    with pytest.raises(IntegrityError, match="365 days"):
        chain.cut(before, now=timezone.now() + timedelta(days=365))
    assert AuditLink.objects.count() == 4
    settings.AUDIT_KEEP_UNDER_A_YEAR = True
    assert chain.cut(before, now=timezone.now()) == 3
    assert kinds() == set()


def test_what_does_not_verify_is_not_cut_off_but_stays_as_evidence() -> None:
    before = old_and_new()
    tamper("update observability_auditentry set actor_id = 'staff:2' where target_id = '1'")
    with pytest.raises(chain.Tampered):
        chain.cut(before, now=timezone.now())
    with pytest.raises(chain.Tampered):
        expiry.purge(before)
    assert AuditEntry.objects.count() == 10


def test_the_door_of_the_cut_opens_for_nobody_else() -> None:
    acts(3, now=timezone.now() - OLD)
    acts(1)
    chain.checkpoint(now=timezone.now())
    for statement in (
        "select observability_audit_cut(3, 365)",
        "select set_config('trainu.audit_cut', '9', false); delete from observability_auditlink",
    ):
        with pytest.raises(IntegrityError), connection.cursor() as cursor:
            cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute("select set_config('trainu.audit_cut', '', false)")
    assert AuditLink.objects.count() == 4


def test_entries_gone_without_a_signed_cut_are_found_also_when_a_cut_is_forged() -> None:
    old_and_new()
    chain.checkpoint(now=timezone.now())
    tamper("delete from observability_auditentry where recorded_at < now() - interval '366 days'")
    assert kinds() == {Kind.DELETED}
    tamper(
        "insert into observability_auditcheckpoint values"
        " (2, now(), 'retention', 5, (select hash from observability_auditlink where seq = 5), now(), '')"
    )
    assert kinds() == {Kind.DELETED, Kind.CHECKPOINT_FORGED}
