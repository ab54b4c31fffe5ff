"""Entries: every act leaves exactly one, in the transaction of the act, and nothing personal in it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule
from hypothesis import given, settings
from hypothesis import strategies as st

from observability import api_keys, definitions, forwarder, watermark
from observability.audit import actor, changes
from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import (
    ApiKey,
    AuditEntry,
    EventDefinition,
    Forwarder,
    ForwardRejection,
    QuarantineGroup,
    Watermark,
)
from tests import make
from tests.observability.conftest import Staff
from tests.observability.test_ingestion import post
from trainu import correlation
from trainu.admin_records import Audited

pytestmark = pytest.mark.django_db

CORRELATION = {"X-Correlation-ID": "audit-test-0001"}


class Log:
    """What has been recorded since it was made, as (action, target, changes)."""

    def __init__(self) -> None:
        self.before = set(AuditEntry.objects.values_list("id", flat=True))

    @property
    def entries(self) -> list[AuditEntry]:
        return list(AuditEntry.objects.exclude(id__in=self.before).order_by("recorded_at", "id"))

    @property
    def acts(self) -> list[str]:
        return [entry.action for entry in self.entries]


@pytest.fixture
def boss(admin_user: User) -> Client:
    client = Client(headers=CORRELATION)
    client.force_login(admin_user)
    return client


@pytest.fixture
def log(db: None, boss: Client) -> Log:
    return Log()


def by_boss(entry: AuditEntry, admin_user: User) -> None:
    assert entry.actor_id == f"staff:{admin_user.pk}"
    assert entry.actor_kind == "staff"
    assert entry.correlation_id == CORRELATION["X-Correlation-ID"]


def test_an_entry_says_who_did_what_to_what_and_why() -> None:
    now = timezone.now()
    row = Group.objects.create(name="Operators")
    with correlation.bound("0123456789abcdef"):
        key = record(
            Action.DATA_REVEAL,
            actor="key:3",
            target=row,
            reason="  Jane asked at jane.doe@example.com  ",
            changes={"size": (1, 2), "name": ("a", "b"), "password": ("x", "y"), "note": None},
            now=now,
        )
    entry = AuditEntry.objects.get(id=key)
    assert (entry.recorded_at, entry.actor_kind, entry.actor_id) == (now, "key", "key:3")
    assert (entry.action, entry.target_type, entry.target_id) == ("data.reveal", "auth.group", str(row.pk))
    assert "jane.doe" not in entry.reason
    assert entry.reason.endswith("@example.com")
    assert entry.correlation_id == "0123456789abcdef"
    assert entry.changes == {"size": [1, 2], "name": ["a", "b"], "password": None, "note": None}


def test_an_act_outside_the_vocabulary_is_refused_and_so_is_an_actor_of_no_kind() -> None:
    with pytest.raises(ValueError, match=r"data\.steal"):
        record("data.steal")
    with pytest.raises(IntegrityError), transaction.atomic():
        record(Action.DATA_REVEAL, actor="somebody")
    assert AuditEntry.objects.count() == 0


def test_an_entry_of_a_day_without_a_partition_makes_one(django_assert_num_queries: Any) -> None:
    record(Action.DATA_REVEAL)
    record(Action.DATA_REVEAL, now=timezone.now() - timedelta(days=500))
    assert AuditEntry.objects.count() == 2
    with django_assert_num_queries(3):
        # A savepoint, the row, and the end of the savepoint.
        record(Action.DATA_REVEAL)


def test_without_a_request_the_service_itself_or_the_command_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert actor.current() == "system"
    monkeypatch.setattr("sys.argv", ["manage.py", "purge"])
    assert actor.current() == "command:purge"
    with actor.acting_as("key:4"):
        assert actor.current() == "key:4"
    monkeypatch.setattr("sys.argv", ["manage.py", "../x"])
    assert actor.current() == "command"


PERSONAL = {
    "username": "zelda.quartz",
    "email": "zelda.quartz@example.test",
    "first_name": "Zelda",
    "last_name": "Quartz",
    "password": "planted-Pa55word",
    "phone": "+49 151 23456789",
    "api_token": "pit-0123456789abcdef",
    "contact": {"name": "Zelda Quartz", "email": "zelda.quartz@example.test"},
}


@pytest.mark.parametrize("name", PERSONAL)
def test_values_that_are_personal_or_secret_are_never_kept(name: str) -> None:
    record(Action.ADMIN_CHANGE, changes={name: (PERSONAL[name], None)})
    kept = json.dumps(AuditEntry.objects.get().changes)
    assert name in kept
    for planted in ("zelda", "Zelda", "Quartz", "Pa55", "23456789", "pit-0123"):
        assert planted not in kept


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(), st.none() | st.tuples(*[st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)] * 2)))  # fmt: skip
def test_whatever_has_changed_can_be_stored_as_json(changed: dict[str, Any]) -> None:
    kept = json.dumps(changes.shown(changed), allow_nan=False)
    assert "\\u0000" not in kept.replace("\\\\", "")
    kept.encode()


def test_signing_in_and_out_and_failing_to_are_acts(client: Client) -> None:
    user = User.objects.create_user("zelda", password="planted-Pa55word", is_staff=True)
    log = Log()
    for name, password in (
        ("zelda", "wrong-Pa55word"),
        ("planted-Pa55word", "x"),
        ("zelda", "planted-Pa55word"),
    ):
        client.post("/admin/login/", {"username": name, "password": password}, headers=CORRELATION)
    client.post("/admin/logout/", headers=CORRELATION)
    acts = [(entry.action, entry.actor_id, entry.target_id) for entry in log.entries]
    me = f"staff:{user.pk}"
    assert acts == [
        ("session.login_failed", "anonymous", str(user.pk)),
        ("session.login_failed", "anonymous", ""),
        ("session.login", me, str(user.pk)),
        ("session.logout", me, str(user.pk)),
    ]
    assert {entry.correlation_id for entry in log.entries} == {CORRELATION["X-Correlation-ID"]}
    kept = json.dumps([entry.changes for entry in log.entries])
    assert "zelda" not in kept
    assert "Pa55" not in kept
    one, other = (entry.changes["typed_name_digest"][1] for entry in log.entries[:2])
    assert len(one) == len(other) == 12
    assert one != other


def test_who_cannot_be_recorded_does_not_get_in(client: Client) -> None:
    User.objects.create_user("zelda", password="planted-Pa55word", is_staff=True)
    client.raise_request_exception = False
    with broken_log():
        answer = client.post("/admin/login/", {"username": "zelda", "password": "planted-Pa55word"})
    assert answer.status_code == 500
    assert client.get("/admin/").status_code == 302
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from observability_event where event = 'user_logged_in'")
        assert cursor.fetchone() == (0,)


@contextmanager
def broken_log() -> Iterator[None]:
    """For the time of a block the database refuses every entry."""
    with connection.cursor() as cursor:
        # What waits for the commit must be done before a table can be altered.
        cursor.execute("set constraints all immediate; set constraints all deferred")
        cursor.execute("alter table observability_auditentry add constraint broken check (false) not valid")
        yield
        cursor.execute("set constraints all immediate; set constraints all deferred")
        cursor.execute("alter table observability_auditentry drop constraint broken")


def user_form(user: User, **changed: Any) -> dict[str, Any]:
    return {
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "is_active": "on",
        "is_staff": "on",
        "date_joined_0": f"{user.date_joined:%Y-%m-%d}",
        "date_joined_1": f"{user.date_joined:%H:%M:%S}",
        "initial-date_joined_0": f"{user.date_joined:%Y-%m-%d}",
        "initial-date_joined_1": f"{user.date_joined:%H:%M:%S}",
    } | changed


@pytest.fixture
def colleague(boss: Client) -> User:
    user = User.objects.create_user("zelda", "zelda@example.test", "planted-Pa55word", is_staff=True)
    user.date_joined = user.date_joined.replace(microsecond=0)
    user.save()
    return user


def test_changing_a_person_names_the_fields_and_none_of_the_values(
    boss: Client, colleague: User, admin_user: User
) -> None:
    log = Log()
    path = f"/admin/auth/user/{colleague.pk}/change/"
    changed = {"email": "quartz@example.test", "first_name": "Zelda", "last_name": "Quartz", "username": "zq"}
    assert boss.post(path, user_form(colleague, **changed)).status_code == 302
    [entry] = log.entries
    by_boss(entry, admin_user)
    assert (entry.action, entry.target_type, entry.target_id) == (
        "admin.change",
        "auth.user",
        str(colleague.pk),
    )
    assert entry.changes == dict.fromkeys(changed)


def test_a_form_that_changes_nothing_is_no_act(boss: Client, colleague: User) -> None:
    log = Log()
    boss.post(f"/admin/auth/user/{colleague.pk}/change/", user_form(colleague))
    assert log.acts == []


def test_a_new_password_is_an_act_and_never_its_value(
    boss: Client, colleague: User, admin_user: User
) -> None:
    log = Log()
    path = f"/admin/auth/user/{colleague.pk}/password/"
    secret = {"password1": "planted-Pa55word-2", "password2": "planted-Pa55word-2", "usable_password": "true"}
    assert boss.post(path, secret).status_code == 302
    [entry] = log.entries
    by_boss(entry, admin_user)
    assert (entry.action, entry.target_id, entry.changes) == (
        "password.change",
        str(colleague.pk),
        {"password": None},
    )


def test_another_role_is_an_act_with_its_values(boss: Client, colleague: User, admin_user: User) -> None:
    group = Group.objects.create(name="Operators")
    permission = Permission.objects.get(codename="view_event")
    log = Log()
    roles = {"is_superuser": "on", "groups": [group.pk], "user_permissions": [permission.pk]}
    assert (
        boss.post(f"/admin/auth/user/{colleague.pk}/change/", user_form(colleague, **roles)).status_code
        == 302
    )
    assert log.acts == ["role.change"] * 3
    for entry in log.entries:
        by_boss(entry, admin_user)
        assert (entry.target_type, entry.target_id) == ("auth.user", str(colleague.pk))
    merged = {name: pair for entry in log.entries for name, pair in entry.changes.items()}
    assert merged == {
        "is_superuser": [False, True],
        "groups": [None, [f"group:{group.pk}"]],
        "user_permissions": [None, ["observability.view_event"]],
    }


def test_roles_changed_by_code_are_acts_from_either_side(colleague: User) -> None:
    group = Group.objects.create(name="Operators")
    permission = Permission.objects.get(codename="view_event")
    log = Log()
    group.permissions.add(permission)
    group.permissions.add(permission)
    group.user_set.add(colleague)
    colleague.groups.remove(group)
    colleague.groups.add(group)
    group.user_set.clear()
    group.permissions.clear()
    colleague.groups.clear()
    colleague.is_active = False
    colleague.save()
    colleague.first_name = "Zelda"
    colleague.save()
    User.objects.create_superuser("root")
    told = [(entry.target_type, entry.changes) for entry in log.entries]
    me, view = f"user:{colleague.pk}", "observability.view_event"
    assert told == [
        ("auth.group", {"permissions": [None, [view]]}),
        ("auth.group", {"accounts": [None, [me]]}),
        ("auth.user", {"groups": [[f"group:{group.pk}"], None]}),
        ("auth.user", {"groups": [None, [f"group:{group.pk}"]]}),
        ("auth.group", {"accounts": [[me], None]}),
        ("auth.group", {"permissions": [[view], None]}),
        ("auth.user", {"is_active": [True, False]}),
        ("auth.user", {"is_staff": [False, True], "is_superuser": [False, True]}),
    ]
    assert set(log.acts) == {"role.change"}


def test_adding_and_deleting_in_the_admin_are_acts(boss: Client, admin_user: User, log: Log) -> None:
    boss.post("/admin/auth/group/add/", {"name": "Operators"})
    group = Group.objects.get(name="Operators")
    boss.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"})
    assert [(entry.action, entry.target_id) for entry in log.entries] == [
        ("admin.add", str(group.pk)),
        ("admin.delete", str(group.pk)),
    ]
    for entry in log.entries:
        by_boss(entry, admin_user)


def test_deleting_several_at_once_leaves_an_entry_for_each(boss: Client, admin_user: User, log: Log) -> None:
    groups = [Group.objects.create(name=name) for name in ("a", "b", "c")]
    chosen = {"action": "delete_selected", "_selected_action": [group.pk for group in groups], "post": "yes"}
    assert boss.post("/admin/auth/group/", chosen).status_code == 302
    assert not Group.objects.filter(name__in=("a", "b", "c")).exists()
    assert sorted((entry.action, entry.target_id) for entry in log.entries) == sorted(
        ("admin.delete", str(group.pk)) for group in groups
    )


def test_every_page_of_records_is_audited() -> None:
    unaudited = [model for model, page in admin.site._registry.items() if not isinstance(page, Audited)]
    assert unaudited == []


def set_up_quarantine(client: Client, key: str) -> QuarantineGroup:
    post(client, make.event(event="nope"), key)
    return QuarantineGroup.objects.get()


Act = Callable[[Client], Any]


def acts_of_the_admin(client: Client, key: str) -> dict[str, tuple[Act, str, str, Any]]:
    """By what it is called: what to press, the act it is, its target, and what it should say."""
    now = timezone.now()
    group = set_up_quarantine(client, key)
    row = ApiKey.objects.get()
    rejection = ForwardRejection.objects.create(
        uuid=make.event()["uuid"], timestamp=now, event="sync_ok", status=400, reason="bad", refused_at=now
    )
    failed = Failure.objects.create(
        id="b" * 32, name="two", func="time.time", args=(), started=now, stopped=now, success=False
    )
    forwarder.load()

    def choose(path: str, action: str, pk: Any) -> Act:
        return lambda boss: boss.post(path, {"action": action, "_selected_action": [str(pk)]})

    definitions = "/admin/observability/eventdefinition/"
    return {
        "re-ingest": (
            lambda boss: boss.post(f"/admin/observability/quarantinegroup/{group.pk}/reingest/"),
            "quarantine.reingest",
            str(group.pk),
            {},
        ),
        "revoke": (
            choose("/admin/observability/apikey/", "revoke", row.pk),
            "api_key.revoke",
            str(row.pk),
            None,
        ),
        "limit": (
            lambda boss: boss.post(
                f"/admin/observability/apikey/{row.pk}/change/",
                {"name": "renamed", "scopes": row.scopes, "limit_per_minute": 5},
            ),
            "admin.change",
            str(row.pk),
            {"name": None, "limit_per_minute": [0, 5]},
        ),
        "forwarding": (
            choose(definitions, "switch_forwarding_off", "sync_ok"),
            "definition.forwarding",
            "sync_ok",
            {"forwarded": [True, False]},
        ),
        "definition": (
            lambda boss: boss.post(f"{definitions}sync_retry/change/", {"owner": "Zelda", "forwarded": ""}),
            "admin.change",
            "sync_retry",
            {"owner": None, "forwarded": [True, False]},
        ),
        "resend": (
            choose("/admin/observability/forwardrejection/", "resend", rejection.pk),
            "forwarder.resend",
            str(rejection.pk),
            {"events": [None, 1], "uuids": [None, [str(rejection.pk)]]},
        ),
        "requeue": (
            choose("/admin/django_q/failure/", "queue_again", failed.pk),
            "task.requeue",
            failed.pk,
            {"func": [None, "time.time"]},
        ),
        "pause": (
            lambda boss: boss.post("/admin/forwarding/pause/", {"reason": "PostHog moves"}),
            "forwarder.pause",
            "1",
            {},
        ),
        "resume": (lambda boss: boss.post("/admin/forwarding/resume/"), "forwarder.resume", "1", {}),
    }


VERBS = ["re-ingest", "revoke", "limit", "forwarding", "definition", "resend", "requeue", "pause", "resume"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_of_the_admin_leaves_exactly_one_entry(
    boss: Client, client: Client, key: str, admin_user: User, verb: str
) -> None:
    press, action, target, changed = acts_of_the_admin(client, key)[verb]
    log = Log()
    assert press(boss).status_code == 302
    [entry] = log.entries
    by_boss(entry, admin_user)
    assert (entry.action, entry.target_id) == (action, target)
    if changed is not None:
        assert entry.changes == changed
    assert (entry.reason == "PostHog moves") == (verb == "pause")


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_cannot_be_recorded_is_not_done(
    boss: Client, client: Client, key: str, verb: str
) -> None:
    press = acts_of_the_admin(client, key)[verb][0]
    boss.raise_request_exception = False
    before = state()
    with broken_log():
        assert press(boss).status_code == 500
    assert state() == before


def state() -> list[Any]:
    """Return what the verbs change."""
    return [
        OrmQ.objects.count(),
        Failure.objects.count(),
        list(ApiKey.objects.values("name", "revoked_at", "limit_per_minute")),
        list(EventDefinition.objects.order_by("name").values("name", "forwarded", "owner")),
        list(Forwarder.objects.values("paused_at", "paused_reason", "next_attempt_at")),
    ]


def test_a_verb_called_by_code_is_undone_too_when_it_cannot_be_recorded(db: None) -> None:
    row, _ = api_keys.issue("booking-app", ["events:write"])
    forwarder.load()
    now = timezone.now()
    Watermark.objects.create(consumer="rollups", xid=2**60, moved_at=now)
    before = [*state(), Watermark.objects.get().xid]
    verbs: list[Callable[[], Any]] = [
        lambda: api_keys.issue("other", ["events:write"]),
        lambda: api_keys.revoke(row, now=now),
        lambda: forwarder.pause(reason="PostHog moves", now=now),
        lambda: definitions.set_forwarding(EventDefinition.objects.all(), False),
        lambda: list(watermark.reset()),
    ]
    for verb in verbs:
        with broken_log(), pytest.raises(IntegrityError):
            verb()
        assert [*state(), Watermark.objects.get().xid] == before
    forwarder.pause(reason="PostHog moves", now=now)
    with broken_log(), pytest.raises(IntegrityError):
        forwarder.resume()
    assert forwarder.load().paused_at == now


def test_a_key_made_in_the_admin_leaves_one_entry_without_the_key(
    boss: Client, admin_user: User, log: Log
) -> None:
    sent = {"name": "booking-app", "scopes": ["events:write"], "limit_per_minute": 9}
    answer = boss.post("/admin/observability/apikey/add/", sent)
    key = answer.context["key"]
    [entry] = log.entries
    by_boss(entry, admin_user)
    assert (entry.action, entry.target_id) == ("api_key.issue", str(ApiKey.objects.get().pk))
    assert entry.changes["scopes"] == [None, ["events:write"]]
    assert key.rsplit("_", 1)[1] not in json.dumps(entry.changes)


def test_commands_act_in_their_own_name() -> None:
    log = Log()
    call_command("create_api_key", "booking-app", "--scopes", "events:write", stdout=StringIO())
    Watermark.objects.create(consumer="rollups", xid=2**60, moved_at=timezone.now())
    call_command("reset_watermarks", "--yes", stdout=StringIO())
    assert [(entry.action, entry.actor_id) for entry in log.entries] == [
        ("api_key.issue", "command:create_api_key"),
        ("watermark.reset", "command:reset_watermarks"),
    ]
    assert log.entries[1].changes == {"consumers": [None, ["rollups"]]}


def test_a_key_revoked_twice_is_one_act() -> None:
    row, _ = api_keys.issue("booking-app", ["events:write"])
    log = Log()
    api_keys.revoke(row, now=timezone.now())
    api_keys.revoke(row, now=timezone.now())
    assert log.acts == ["api_key.revoke"]


def test_a_schedule_that_a_superuser_changes_is_told_with_its_values(boss: Client, log: Log) -> None:
    row = Schedule.objects.create(
        name="theirs", func="time.time", minutes=5, schedule_type=Schedule.MINUTES, next_run=timezone.now()
    )
    sent = {
        "name": "theirs",
        "func": "time.sleep",
        "schedule_type": Schedule.MINUTES,
        "minutes": 5,
        "repeats": -1,
        "next_run_0": f"{row.next_run:%Y-%m-%d}",
        "next_run_1": f"{row.next_run:%H:%M:%S}",
    }
    assert boss.post(f"/admin/django_q/schedule/{row.pk}/change/", sent).status_code == 302
    [entry] = log.entries
    assert entry.changes["func"] == ["time.time", "time.sleep"]


def test_requests_that_do_nothing_cost_no_query_more(staff: Staff, django_assert_num_queries: Any) -> None:
    reader = staff("view_event")
    log = Log()
    reader.get("/admin/observability/")
    reader.get("/admin/events/")
    assert log.acts == []
