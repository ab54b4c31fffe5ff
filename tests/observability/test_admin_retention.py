"""The pages of retention and erasure: who may do what, with a reason, and nothing by accident."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape
from django_q.models import OrmQ
from pytest_django import DjangoAssertNumQueries

from observability import erasure, tasks
from observability.models import AuditEntry, Erasure, EventHour, PurgeRun, RetentionPolicy
from observability.retention import policies, purge
from tests.observability.conftest import Staff
from tests.observability.test_erasure import PERSON, events_of
from tests.observability.test_retention import report
from trainu.datasets import find, registered

pytestmark = pytest.mark.django_db

POLICIES = "/admin/observability/retentionpolicy/"
ERASURES = "/admin/observability/erasure/"


@pytest.fixture(autouse=True)
def _mirrored(db: None) -> None:
    policies.mirror()


def page_of(name: str) -> str:
    return f"{POLICIES}{RetentionPolicy.objects.get(dataset=name).pk}/change/"


def text(response: Any) -> str:
    return response.content.decode()


def test_the_list_says_what_is_kept_how_long_and_what_may_be_chosen(
    boss: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    report("error_logs", timezone.now(), state="failed")
    with django_assert_max_num_queries(10):
        shown = text(boss.get(POLICIES))
    assert "Product events" in shown
    assert "760 days" in shown
    assert "30 to 3,650 days" in shown
    assert "Failed" in shown
    assert reverse("admin:observability_retentionpolicy_changelist") in text(boss.get("/admin/"))


def test_a_policy_is_changed_with_a_reason_and_audited(boss: Client) -> None:
    path = page_of("error_logs")
    assert boss.post(path, {"keep_days": "120", "reason": "an inquiry"}).status_code == 302
    policy = RetentionPolicy.objects.get(dataset="error_logs")
    assert (policy.keep_days, policy.reason) == (120, "an inquiry")
    [entry] = AuditEntry.objects.filter(target_type="observability.retentionpolicy")
    assert (entry.action, entry.actor_id) == ("retention.change", policy.changed_by)
    assert entry.changes == {"keep_days": [90, 120]}
    assert "an inquiry" in text(boss.get(path))


def test_a_reason_is_kept_without_the_person_it_names(boss: Client) -> None:
    path = page_of("error_logs")
    boss.post(path, {"keep_days": "120", "reason": "asked by jane@example.org, +49 170 1234567"})
    reason = RetentionPolicy.objects.get(dataset="error_logs").reason
    assert reason == "asked by [email]@example.org, [phone]"
    assert "170 1234567" not in text(boss.get(path))


def test_policies_and_purges_go_by_the_words_that_are_shown(boss: Client) -> None:
    labels = sorted(dataset.label for dataset in registered())
    page = text(boss.get(POLICIES))
    places = [page.index(f">{escape(label)}</a>") for label in labels]
    assert places == sorted(places)
    dataset = find("error_logs")
    assert dataset is not None
    purge.run(dataset, now=timezone.now(), by="system")
    assert ">Error logs</a>" in text(boss.get("/admin/observability/purgerun/"))


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"keep_days": "364", "reason": "space"}, "must be kept for 365 days or more"),
        ({"keep_days": "400"}, "Say why"),
        ({"keep_days": "many", "reason": "space"}, "Enter a whole number"),
    ],
)
def test_what_is_not_allowed_is_said_at_its_field(boss: Client, sent: dict[str, str], words: str) -> None:
    answer = boss.post(page_of("audit"), sent)
    assert answer.status_code == 200
    assert words in text(answer)
    assert RetentionPolicy.objects.get(dataset="audit").keep_days == 365


def test_looking_shows_what_would_go_and_removes_nothing(boss: Client) -> None:
    EventHour.objects.create(event="e", hour=timezone.now() - timedelta(days=800), events=1)
    path = page_of("event_hours")
    assert "Nothing is removed by looking." in text(boss.get(path))
    plan = boss.get(f"{path}?look").context["plan"]
    assert plan.rows == 1
    assert EventHour.objects.exists()
    assert not PurgeRun.objects.exists()


def test_a_purge_is_started_by_a_ticked_box_and_run_by_a_worker(boss: Client) -> None:
    EventHour.objects.create(event="e", hour=timezone.now() - timedelta(days=800), events=1)
    path = page_of("event_hours").replace("/change/", "/purge/")
    queued = OrmQ.objects.count()
    assert boss.get(path).status_code == 405
    assert boss.post(path).status_code == 302
    assert OrmQ.objects.count() == queued
    assert boss.post(path, {"confirmed": "yes"}).status_code == 302
    task = OrmQ.objects.order_by("id").last().task
    assert task["func"] == "observability.tasks.purge_now"
    assert tasks.purge_now(*task["args"]) == "done"
    assert not EventHour.objects.exists()
    run = PurgeRun.objects.get()
    assert run.started_by.startswith("staff:")
    shown = text(boss.get("/admin/observability/purgerun/"))
    assert "1 row" in shown
    assert "1 row" in text(boss.get(f"/admin/observability/purgerun/{run.pk}/change/"))
    assert tasks.purge_now("gone", "system") == "unknown"


def test_who_may_only_look_changes_and_purges_nothing(staff: Staff) -> None:
    reader = staff("view_retentionpolicy", "view_purgerun", "view_erasure")
    path = page_of("error_logs")
    shown = text(reader.get(path))
    assert "needs a permission that you do not have" in shown
    assert "Purge now" not in shown
    assert reader.post(path, {"keep_days": "120", "reason": "x"}).status_code == 403
    assert reader.post(path.replace("/change/", "/purge/"), {"confirmed": "yes"}).status_code == 403
    assert reader.get(f"{ERASURES}add/").status_code == 403
    assert reader.get(ERASURES).status_code == 200
    assert RetentionPolicy.objects.get(dataset="error_logs").keep_days == 90


def test_who_may_nothing_sees_nothing(staff: Staff) -> None:
    nobody = staff()
    for path in (POLICIES, page_of("audit"), "/admin/observability/purgerun/", ERASURES, f"{ERASURES}add/"):
        assert nobody.get(path).status_code == 403
    assert POLICIES not in text(nobody.get("/admin/"))


def test_forgetting_needs_a_csrf_token(staff: Staff) -> None:
    careful = staff("forget_contact", enforce_csrf_checks=True)
    answer = careful.post(f"{ERASURES}add/", {"contact": PERSON, "again": PERSON, "reason": "r", "erase": ""})
    assert answer.status_code == 403
    assert not Erasure.objects.exists()


def test_looking_for_a_person_shows_where_they_are_and_changes_nothing(boss: Client) -> None:
    events_of(PERSON)
    answer = boss.post(f"{ERASURES}add/", {"contact": PERSON, "reason": "request 7", "look": ""})
    assert "no-store" in answer["Cache-Control"]
    assert answer.context["proof"].findings["product_events"]["found"] == 4
    assert not Erasure.objects.exists()


def test_a_person_is_forgotten_once_the_id_was_typed_twice(boss: Client) -> None:
    events_of(PERSON)
    form = {"contact": PERSON, "reason": "request 7", "erase": ""}
    answer = boss.post(f"{ERASURES}add/", form | {"again": "c-2"})
    assert "This is not the same id" in text(answer)
    assert not Erasure.objects.exists()

    answer = boss.post(f"{ERASURES}add/", form | {"again": PERSON})
    started = Erasure.objects.get()
    assert answer["Location"] == f"{ERASURES}{started.pk}/change/"
    assert PERSON not in answer["Location"]
    assert "Under way" in text(boss.get(answer["Location"]))
    task = OrmQ.objects.order_by("id").last().task
    assert (task["func"], task["args"]) == ("observability.tasks.forget", ())
    assert tasks.forget() == []

    shown = text(boss.get(answer["Location"]))
    assert "Done" in shown
    assert "Product events" in shown
    assert "Audit entries cannot be changed" in shown
    assert f">{PERSON}<" not in shown
    assert "request 7" in text(boss.get(ERASURES))
    assert AuditEntry.objects.get(action="data.forget").target_id == str(started.pk)


def test_what_cannot_be_an_id_is_refused_at_its_field(boss: Client) -> None:
    sent = {"contact": "nora@example.com", "reason": "request 7", "look": ""}
    answer = boss.post(f"{ERASURES}add/", sent)
    assert "An id has 3 to 64 letters" in text(answer)
    assert answer.context["proof"] is None


def test_proofs_cannot_be_changed_or_deleted(boss: Client) -> None:
    proof = erasure.forget(PERSON, by="staff:1", reason="request 7", now=timezone.now())
    assert boss.get(f"{ERASURES}{proof.pk}/delete/").status_code == 403
    run = report("error_logs", timezone.now())
    assert boss.get(f"/admin/observability/purgerun/{run.pk}/delete/").status_code == 403
    assert boss.post(f"{ERASURES}{proof.pk}/change/", {"reason": "x"}).status_code in {200, 403}
    assert Erasure.objects.get().reason == "request 7"
