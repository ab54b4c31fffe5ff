"""The audit log's pages: who may see and export it, what it costs, and that nothing in it can be changed."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import Schedule

from observability import tasks
from observability.audit import export, search
from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import AuditCheckpoint, AuditEntry, AuditLink, AuditVerification
from tests.observability.conftest import Staff
from trainu import correlation

pytestmark = pytest.mark.django_db

AUDIT = "/admin/audit/"
HOSTILE = "=HYPERLINK(1) <script>alert(1)</script> \u202etxet"


def act(**overrides: Any) -> AuditEntry:
    with correlation.bound("audit-page-0001"):
        given = {"actor": "staff:70007", "target": ("observability.apikey", 30003), **overrides}
        key = record(given.pop("action", Action.API_KEY_REVOKE), **given)
    return AuditEntry.objects.get(id=key)


def chained() -> None:
    """Have what waits for the commit done now: a test's own transaction never commits."""
    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate; set constraints all deferred")


def path_of(entry: AuditEntry) -> str:
    return f"{AUDIT}{search.key_of(entry)}/"


def body(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def test_only_who_may_view_the_audit_log_sees_it(client: Client, staff: Staff) -> None:
    entry = act()
    reader = staff()
    user = User.objects.get(username="nora")
    for path in (AUDIT, path_of(entry)):
        assert client.get(path).status_code == 302
        assert reader.get(path).status_code == 403
    assert b"Audit" not in reader.get("/admin/").content
    user.user_permissions.add(user.user_permissions.model.objects.get(codename="view_auditentry"))
    for path in (AUDIT, path_of(entry)):
        assert reader.get(path).status_code == 200
    assert AUDIT.encode() in reader.get("/admin/").content


def test_the_filters_narrow_the_list(boss: Client) -> None:
    now = timezone.now()
    mine = act()
    old = act(now=now - timedelta(days=40))
    key = act(actor="key:9", action=Action.FORWARDER_PAUSE, target=("observability.forwarder", 1))

    def shown(**asked: str) -> set[Any]:
        return {entry.id for entry, _ in boss.get(AUDIT, asked).context["rows"]}

    assert shown() >= {mine.id, key.id}
    assert old.id not in shown()
    assert old.id in shown(range="all")
    assert shown(group="api_key") == {mine.id}
    assert shown(actor_kind="key") == {key.id}
    assert shown(actor_id="key:9") == {key.id}
    for target in ("30003", "observability.apikey", "observability.apikey 30003"):
        assert shown(target=target) == {mine.id}, target
    assert shown(target="observability.apikey 30004") == set()
    assert shown(correlation_id="audit-page-0001") == {mine.id, key.id}
    assert shown(correlation_id="audit-page-0001", actor_id="staff:70007", range="24h") == {mine.id}


def test_hostile_words_neither_break_the_list_nor_reach_it_unescaped(boss: Client) -> None:
    entry = act(reason=HOSTILE, target=("x.y", HOSTILE), changes={HOSTILE: (HOSTILE, [HOSTILE])})
    for path in (AUDIT, path_of(entry)):
        shown = boss.get(path).content.decode()
        assert "<script>alert" not in shown
        assert "&lt;script&gt;" in shown
    for field in ("group", "actor_kind", "actor_id", "target", "correlation_id", "range", "older"):
        for word in ("\x00", "x" * 5_000, "<script>alert(1)</script>", "²", "1_nonsense"):
            answer = boss.get(AUDIT, {field: word})
            assert answer.status_code == 200
            assert b"<script>alert" not in answer.content
    for key in ("nonsense", "1_00000000000000000000000000000000"):
        assert boss.get(f"{AUDIT}{key}/").status_code == 404


def test_an_entry_shows_before_and_after_its_place_and_the_trace(boss: Client) -> None:
    entry = act(reason="It leaked", changes={"limit_per_minute": (5, 9), "password": ("a", "b")})
    chained()
    shown = boss.get(path_of(entry)).content.decode()
    for words in (
        "It leaked",
        "<td>5</td><td>9</td>",
        "the values are not kept",
        "/admin/trace/audit-page-0001/",
    ):
        assert words in shown, words
    assert "/admin/observability/apikey/30003/change/" in shown
    assert "/admin/auth/user/70007/change/" in shown
    link = AuditLink.objects.get(entry_id=entry.id)
    assert bytes(link.hash).hex() in shown
    trace = boss.get("/admin/trace/audit-page-0001/").content.decode()
    assert "api_key.revoke" in trace
    assert path_of(entry) in trace


def test_an_entry_leads_only_to_records_that_the_reader_may_open(staff: Staff) -> None:
    entry = act()
    assert "/change/" not in staff("view_auditentry").get(path_of(entry)).content.decode()


def test_pages_go_by_key_without_counting_and_cost_the_same_however_long_the_log(boss: Client) -> None:
    for _ in range(3):
        act()

    def cost(path: str) -> int:
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            assert boss.get(path).status_code == 200
        assert not [one["sql"] for one in queries if "COUNT(" in one["sql"] and "audit" in one["sql"]]
        return len(queries)

    paths = (
        AUDIT,
        f"{AUDIT}?actor_id=staff:70007&range=all",
        path_of(AuditEntry.objects.order_by("recorded_at")[0]),
    )
    few = [cost(path) for path in paths]
    for _ in range(120):
        act()
    assert [cost(path) for path in paths] == few == QUERIES
    first = boss.get(AUDIT, {"actor_id": "staff:70007"})
    second = boss.get(AUDIT, {"actor_id": "staff:70007", "older": str(first.context["page"].older)})
    third = boss.get(AUDIT, {"actor_id": "staff:70007", "older": str(second.context["page"].older)})
    pages = [[entry.id for entry, _ in page.context["rows"]] for page in (first, second, third)]
    assert [len(page) for page in pages] == [50, 50, 23]
    assert len({id_ for page in pages for id_ in page}) == 123
    assert third.context["page"].older is None
    assert "actor_id=staff%3A70007&amp;older=" in first.content.decode()


# Who is asking costs two and the badges two; the search three with its limits; then what was last verified.
QUERIES = [9, 9, 6]


def test_nothing_can_be_added_changed_or_deleted_here_not_even_by_a_superuser(boss: Client) -> None:
    entry = act()
    registered = set(admin.site._registry)
    assert not registered & {AuditEntry, AuditLink, AuditCheckpoint, AuditVerification}
    for method in ("post", "put", "patch", "delete"):
        getattr(boss, method)(path_of(entry), {"reason": "x"})
        getattr(boss, method)(AUDIT, {"action": "delete_selected", "_selected_action": [str(entry.id)]})
    for path in (f"{AUDIT}add/", f"{path_of(entry)}change/", f"{path_of(entry)}delete/"):
        assert boss.post(path, {"post": "yes"}).status_code == 404
    assert AuditEntry.objects.get(id=entry.id).reason == ""


def test_an_export_needs_its_own_permission_a_post_and_a_token(boss: Client, staff: Staff) -> None:
    reader = staff("view_auditentry")
    assert reader.post(f"{AUDIT}export/", {"format": "csv"}).status_code == 403
    assert b"Export" not in reader.get(AUDIT).content
    assert boss.get(f"{AUDIT}export/").status_code == 405
    assert boss.post(f"{AUDIT}export/", {"format": "exe"}).status_code == 400
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = boss.cookies
    assert strict.post(f"{AUDIT}export/", {"format": "csv"}).status_code == 403
    assert not AuditEntry.objects.filter(action="data.export").exists()


def test_an_export_is_what_was_filtered_and_an_act_itself(boss: Client, admin_user: User) -> None:
    mine = act()
    act(actor="key:9")
    answer = boss.post(f"{AUDIT}export/", {"format": "jsonl", "actor_id": "staff:70007", "range": "24h"})
    [row] = [json.loads(line) for line in body(answer).splitlines()]
    assert (row["id"], row["action"], row["changes"]) == (str(mine.id), "api_key.revoke", {})
    assert answer["Content-Disposition"].endswith('.jsonl"')
    assert "no-store" in answer["Cache-Control"]
    [entry] = AuditEntry.objects.filter(action="data.export")
    assert entry.actor_id == f"staff:{admin_user.pk}"
    assert entry.changes == {
        "rows": [None, 1],
        "format": [None, "jsonl"],
        "range": [None, "24h"],
        "actor_id": [None, "staff:70007"],
    }


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_an_export_is_a_formula(boss: Client, first: str) -> None:
    act(target=("x.y", f"{first}cmd|' /C calc'!A0"), changes={"n": ("a,b", 'say "x"\n=1')})
    rows = list(
        csv.DictReader(io.StringIO(body(boss.post(f"{AUDIT}export/", {"format": "csv"})), newline=""))
    )
    assert tuple(rows[0]) == export.FIELDS
    [row] = [row for row in rows if row["target_type"] == "x.y"]
    assert row["target_id"].startswith(f"'{first}cmd")
    assert json.loads(row["changes"]) == {"n": ["a,b", 'say "x"\n=1']}
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t"))]


def test_a_long_export_goes_by_chunks_and_stops_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "CHUNK", 10)
    for _ in range(35):
        act()
    now = timezone.now()
    question = search.Question(actor_id="staff:70007")
    whole = [entry.id for entry in search.stream(question, now=now, most=100)]
    assert len(whole) == len(set(whole)) == 35
    assert [entry.id for entry in search.stream(question, now=now, most=23)] == whole[:23]
    assert search.count(question, now=now, most=20) == 20


def test_the_page_says_when_it_was_verified_and_what_was_found(boss: Client) -> None:
    assert "Not verified yet" in boss.get(AUDIT).content.decode()
    seen = {"seconds": 0.1, "entries": 9, "head_seq": 9}
    AuditVerification.objects.create(verified_at=timezone.now(), findings=0, **seen)
    shown = boss.get(AUDIT).content.decode()
    assert "Verified</span>" in shown
    assert "9 entries" in shown
    AuditVerification.objects.update(verified_at=timezone.now() - timedelta(days=3))
    assert "Verified too long ago" in boss.get(AUDIT).content.decode()
    AuditVerification.objects.create(verified_at=timezone.now(), findings=2, **seen)
    assert "Tampered with" in boss.get(AUDIT).content.decode()


def test_workers_sign_and_verify_it_daily() -> None:
    schedules = dict(Schedule.objects.values_list("func", "minutes"))
    assert schedules["observability.tasks.checkpoint_audit"] == 1440
    assert schedules["observability.tasks.verify_audit"] == 1440
    act()
    chained()
    assert tasks.checkpoint_audit() == AuditLink.objects.order_by("-seq")[0].seq
    assert tasks.checkpoint_audit() is None
    assert tasks.verify_audit() == 0
