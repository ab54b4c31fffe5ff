"""How drafts stand for whoever observes: figures, health, metrics, and what an id leads to."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from observability import finding, health, trace
from observability.admin import check_words
from observability.health import Status
from observability.metrics import scrape
from sync.models import DraftAttempt
from sync.stats import drafts
from tests.sync.drafts.drafted import draft

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
NOW = timezone.now()
May = Callable[[str], bool]


def everything(permission: str) -> bool:
    return True


@pytest.fixture
def _model(settings: Any) -> None:
    settings.LLM_MODEL = "gpt-5-mini"


def test_drafts_are_counted_by_where_they_stand_and_late_from_when_they_were_due() -> None:
    assert drafts.look(now=NOW).late_since is None
    draft("waiting", next_at=NOW + MINUTE)
    late = draft("waiting", next_at=NOW - 2 * MINUTE)
    draft("waiting", next_at=NOW - MINUTE)
    draft("writing", next_at=NOW + MINUTE)
    lost = draft("writing", next_at=NOW - 3 * MINUTE)
    for state in ("review", "review", "failed", "scheduled", "undelivered", "sent", "dismissed"):
        draft(state)
    found = drafts.look(now=NOW)
    assert (found.late_since, found.lost_since) == (late.next_at, lost.next_at)
    counted = (found.waiting, found.writing, found.lost, found.review, found.failed, found.scheduled)
    assert [one.number for one in counted] == [3, 2, 1, 2, 1, 1]
    assert found.undelivered.number == 1
    assert not found.is_on


def test_a_count_ends_where_its_index_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "MOST", 2)
    for _ in range(4):
        draft("review")
    with CaptureQueriesContext(connection) as queries:
        found = drafts.look(now=NOW)
    assert str(found.review) == "more than 2"
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off; set local enable_sort = off")
        [query] = queries
        cursor.execute(f"explain {query['sql']}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    for index, number in (("draft_due", 1), ("draft_lease_ends", 1), ("draft_by_state", 4)):
        assert plan.count(f"using {index}") == number, plan


@pytest.mark.usefixtures("_model")
def test_health_warns_of_a_draft_that_waits_for_over_ten_minutes() -> None:
    draft("waiting", next_at=timezone.now() - 9 * MINUTE)
    assert health.check_drafts().status is Status.PASS
    draft("waiting", next_at=timezone.now() - 11 * MINUTE)
    found = health.check_drafts()
    assert found.status is Status.WARN
    assert found.detail["waiting"] == "2"
    assert found.detail["oldest_waiting_s"] >= 660
    [wrong] = found.detail["wrong"]
    assert "Drafts wait" in wrong


@pytest.mark.usefixtures("_model")
def test_health_warns_of_drafts_that_nobody_takes_back_from_a_dead_worker() -> None:
    draft("writing", next_at=timezone.now() - 2 * MINUTE)
    assert health.check_drafts().status is Status.PASS
    draft("writing", next_at=timezone.now() - 4 * MINUTE)
    [wrong] = health.check_drafts().detail["wrong"]
    assert "taken back" in wrong


def test_without_a_model_drafts_wait_and_health_says_that_it_is_off() -> None:
    draft("waiting", next_at=timezone.now() - 600 * MINUTE)
    found = health.check_drafts()
    assert (found.status, found.detail["state"], found.detail["waiting"]) == (Status.PASS, "off", "1")
    assert health.ALL["drafts"] is health.check_drafts
    assert check_words.of("drafts").title == "Drafts"


def told() -> dict[str, float]:
    families = scrape.gather(now=NOW, parts={"drafts": scrape.PARTS["drafts"]})
    return {
        sample.name + "".join(sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_prometheus_reads_drafts_by_state_and_how_late_they_are(settings: Any) -> None:
    draft("waiting", next_at=NOW - 2 * MINUTE)
    draft("failed")
    figures = told()
    assert "trainu_drafts_late_seconds" not in figures
    assert figures["trainu_metrics_faileddrafts"] == 0
    settings.LLM_MODEL = "gpt-5-mini"
    figures = told()
    assert figures["trainu_drafts_late_seconds"] == 120
    assert (figures["trainu_draftswaiting"], figures["trainu_draftsfailed"]) == (1, 1)
    assert figures["trainu_draftsreview"] == 0


# --- traces ------------------------------------------------------------------------------------

ID = "journey-of-a-draft"


def moments(may: May = everything) -> list[tuple[str, str, str]]:
    found = trace.trace(ID, may=may, now=timezone.now())
    return [(one.kind, one.title, one.tone) for one in found.moments]


def test_a_draft_its_tries_its_approval_and_its_sending_are_on_its_trace() -> None:
    made = NOW - 60 * MINUTE
    one = draft(
        "sent",
        created_at=made,
        approved_at=made + 20 * MINUTE,
        sent_at=made + 30 * MINUTE,
        text="Personal",
        context={"client": {"name": "Ada"}},
    )
    draft("failed", created_at=made + 40 * MINUTE, correlation_id="another-journey")
    for number, outcome, code in ((1, "transient", "timeout"), (2, "ok", "")):
        DraftAttempt.objects.create(
            draft=one,
            round=1,
            number=number,
            began_at=made + number * MINUTE,
            outcome=outcome,
            code=code,
            model="gpt-5-mini",
            duration_ms=1_234.5,
        )
    assert moments() == [
        ("Draft", "Weekly check-in, sms: sent", "ok"),
        ("Model call", "transient, timeout", "warn"),
        ("Model call", "ok", ""),
        ("Draft", "approved", ""),
        ("Draft", "sent", "ok"),
    ]
    assert moments(lambda permission: permission != "sync.view_draft") == []
    found = trace.trace(ID, may=everything, now=timezone.now())
    details = " ".join(moment.detail for moment in found.moments)
    assert f"try 2 of round 1, draft {one.pk}, 1,234 ms, gpt-5-mini" in details
    assert "Personal" not in repr(found)
    assert "Ada" not in repr(found)
    assert found.moments[3].by == "user:1"


def test_a_draft_is_found_by_its_id_and_by_its_client(boss: Client) -> None:
    one = draft(client_id="client-4711", contact_id="contactOfThem")
    other = draft("failed", client_id="client-4712", correlation_id="another-journey", code="auth")
    for entered in (str(one.pk), f"draft {one.pk}", "client-4711", "contactOfThem"):
        found = finding.find(finding.read(entered), may=everything)
        assert found.only == ID, entered
        assert [(at.newest.kind, at.newest.what, at.newest.state) for at in found.journeys] == [
            ("Draft", "weekly_checkin", "review")
        ]
    assert finding.find(finding.read(str(other.pk)), may=everything).only == "another-journey"
    hidden = finding.find(finding.read("client-4711"), may=lambda permission: "draft" not in permission)
    assert (hidden.journeys, "drafts" in hidden.hidden) == ([], True)
    answer = boss.get("/admin/trace/", {"id": f"draft {one.pk}"})
    assert (answer.status_code, ID in answer["Location"]) == (302, True)
    shown = boss.get(answer["Location"]).content.decode()
    assert "Weekly check-in, sms: review" in shown


@pytest.mark.parametrize("index", ["draft_by_contact", "draft_by_client_day", "draft_by_correlation_id"])
def test_clients_are_found_by_their_index(index: str) -> None:
    asked = finding.read("client-4711")
    with CaptureQueriesContext(connection) as queries:
        finding.find(asked, may=lambda permission: permission == "sync.view_draft")
    plans: list[Any] = []
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        for query in queries:
            if query["sql"].startswith("SELECT") and "set_config" not in query["sql"]:
                cursor.execute(f"explain {query['sql']}")
                plans.append("\n".join(row[0] for row in cursor.fetchall()))
    assert any(f"using {index}" in plan or f"on {index}" in plan for plan in plans), plans
