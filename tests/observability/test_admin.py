"""The observer's pages: who may see and do what, what they cost, and that no stranger's text breaks them."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success
from django_q.tasks import async_task

from observability import capture, forwarder, health
from observability.catalog.onboarding import UserLoggedIn
from observability.event_search import key_of
from observability.models import ApiKey, Event, ForwardRejection, QuarantineGroup
from tests import make
from tests.costs import asked_again
from tests.observability.conftest import Staff
from tests.observability.test_ingestion import post

pytestmark = pytest.mark.django_db


@pytest.fixture
def pages(client: Client, key: str) -> dict[str, str]:
    """One row of everything that has a page, and by address the permission that opens it."""
    post(client, {"batch": [make.event(), make.event(event="nope")]}, key)
    now = timezone.now()
    rejection = ForwardRejection.objects.create(
        uuid=make.event()["uuid"], timestamp=now, event="sync_ok", status=400, reason="bad", refused_at=now
    )
    run = {"func": "observability.tasks.roll_up", "started": now, "stopped": now}
    done = Success.objects.create(id="a" * 32, name="one", success=True, args=(1,), **run)
    failed = Failure.objects.create(id="b" * 32, name="two", success=False, result="No : Traceback", **run)
    Schedule.objects.filter(name="partitions").update(task=done.pk)
    async_task("observability.tasks.roll_up")
    rows: list[Any] = [
        QuarantineGroup.objects.get(),
        ApiKey.objects.get(),
        rejection,
        done,
        failed,
        Schedule.objects.get(name="partitions"),
        OrmQ.objects.get(),
    ]
    opened = {
        reverse("admin:events"): "view_event",
        reverse("admin:event", args=[str(key_of(Event.objects.order_by("timestamp")[0]))]): "view_event",
        reverse("admin:forwarding"): "view_forwarder",
        "/admin/observability/eventdefinition/": "view_eventdefinition",
        "/admin/observability/eventdefinition/sync_ok/change/": "view_eventdefinition",
    }
    for row in rows:
        name = row._meta.model_name
        for kind, arguments in (("changelist", []), ("change", [row.pk])):
            opened[reverse(f"admin:{row._meta.app_label}_{name}_{kind}", args=arguments)] = f"view_{name}"
    return opened


def test_a_superuser_sees_every_page(boss: Client, pages: dict[str, str]) -> None:
    forms = ["/admin/observability/eventdefinition/add/", "/admin/observability/apikey/add/"]
    for path in [*pages, *forms, "/admin/", "/admin/observability/", "/admin/django_q/", "/api/docs"]:
        assert boss.get(path).status_code == 200, path


def test_each_page_opens_for_who_may_view_it_and_for_nobody_else(
    client: Client, staff: Staff, pages: dict[str, str]
) -> None:
    nobody = staff()
    user = User.objects.get(username="nora")
    for path, codename in pages.items():
        assert nobody.get(path).status_code == 403, path
        assert client.get(path)["Location"].startswith("/admin/login/")
        user.user_permissions.set(user.user_permissions.model.objects.filter(codename=codename))
        assert nobody.get(path).status_code == 200, path
        user.user_permissions.clear()


def test_who_may_only_view_changes_nothing(staff: Staff, pages: dict[str, str]) -> None:
    reader = staff(*set(pages.values()))
    for path in pages:
        if path.endswith("/change/"):
            assert reader.post(path, {"name": "x", "owner": "x"}).status_code != 302, path
            assert b'name="_save"' not in reader.get(path).content, path
    assert not ApiKey.objects.filter(name="x").exists()
    for form in ("eventdefinition", "apikey"):
        assert reader.get(f"/admin/observability/{form}/add/").status_code == 403
    assert reader.get("/admin/django_q/schedule/add/").status_code == 403


QUERIES = {
    # Two for who is asking, two around the search, one for names: the search costs three, with a filter five.
    "/admin/events/": 9,
    "/admin/events/?event=user_logged_in&range=2y": 11,
    "/admin/observability/eventdefinition/": 6,
    "/admin/observability/quarantinegroup/": 5,
    "group": 8,
    # The last two cards: errors by severity, and incidents.
    "/admin/overview/": 8,
    # Beside those of every page: faults, refused events, the forwarder, incidents, their reports, what could
    # not be told, and what sync needs, its drafts too.
    "/admin/": 18,
}


@pytest.mark.parametrize("page", QUERIES)
def test_a_page_costs_the_same_queries_however_much_there_is(
    boss: Client, client: Client, key: str, page: str
) -> None:
    health.monitor.report(health.ALL)
    wrong = [make.event(event=f"nope_{letter}") for letter in "abcdefgh"]
    post(client, {"batch": [*make.events(3), wrong[0], wrong[0] | {"uuid": make.event()["uuid"]}]}, key)

    def cost() -> int:
        group = QuarantineGroup.objects.get(event="nope_a")
        path = reverse("admin:observability_quarantinegroup_change", args=[group.pk])
        statements = asked_again(lambda: boss.get(path if page == "group" else page))
        assert not [sql for sql in statements if 'COUNT(*) FROM "observability_event"' in sql]
        return len(statements)

    few = cost()
    post(client, {"batch": [*make.events(200), *wrong]}, key)
    health.monitor.report(health.ALL)
    assert (cost(), few) == (QUERIES[page], QUERIES[page])


def test_the_overview_says_in_words_what_is_not_well(boss: Client) -> None:
    health.monitor.report(health.ALL)
    shown = boss.get("/admin/overview/").content.decode()
    assert "Degraded" in shown
    assert "No sign of life from the workers" in shown
    assert "No project key is set" in shown


def test_paging_keeps_the_filters_and_hostile_words_are_no_filter_of_ours(boss: Client) -> None:
    for _ in range(60):
        capture.capture(UserLoggedIn(user_id="c-1", role="client"), distinct_id="a&b=c")
    shown = boss.get("/admin/events/", {"distinct_id": "a&b=c", "event": "user_logged_in"})
    older = f"older={shown.context['page'].older}"
    assert (
        f"?event=user_logged_in&amp;distinct_id=a%26b%3Dc&amp;range=30d&amp;{older}" in shown.content.decode()
    )
    for field in ("event", "distinct_id", "correlation_id", "range", "older", "newer"):
        for word in ("\x00", "<script>alert(1)</script>", "\u202etxet", "x" * 5_000, "²"):
            answer = boss.get("/admin/events/", {field: word})
            assert answer.status_code == 200
            assert b"<script>alert" not in answer.content
    beyond = boss.get("/admin/events/", {"newer": str(shown.context["page"].older), "event": "sync_ok"})
    assert b"Nothing beyond this point" in beyond.content


def test_an_event_that_does_not_exist_is_not_found(boss: Client) -> None:
    for key in ("nonsense", f"1_{make.event()['uuid']}", f"{10**17}_{make.event()['uuid']}"):
        assert boss.get(f"/admin/events/{key}/").status_code == 404


def test_pausing_needs_permission_a_post_and_a_reason(staff: Staff) -> None:
    reader = staff("view_forwarder")
    assert reader.post("/admin/forwarding/pause/", {"reason": "x"}).status_code == 403
    assert reader.post("/admin/forwarding/resume/").status_code == 403
    assert b'name="reason"' not in reader.get("/admin/forwarding/").content
    User.objects.all().delete()

    keeper = staff("view_forwarder", "pause_forwarder")
    assert keeper.get("/admin/forwarding/pause/").status_code == 405
    assert keeper.get("/admin/forwarding/resume/").status_code == 405
    shown = keeper.post("/admin/forwarding/pause/", {"reason": " "}, follow=True)
    assert b"Say why" in shown.content
    assert forwarder.load().paused_at is None
    shown = keeper.post("/admin/forwarding/pause/", {"reason": "\x00<b>PostHog moves</b>"}, follow=True)
    assert b"&lt;b&gt;PostHog moves&lt;/b&gt;" in shown.content
    assert forwarder.load().paused_at is not None
    keeper.post("/admin/forwarding/resume/")
    assert forwarder.load().paused_at is None


def test_pausing_without_a_csrf_token_is_refused(staff: Staff) -> None:
    stranger = staff("view_forwarder", "pause_forwarder", enforce_csrf_checks=True)
    assert stranger.post("/admin/forwarding/pause/", {"reason": "x"}).status_code == 403
    assert forwarder.load().paused_at is None


def test_refused_events_are_sent_again_by_a_worker_only_for_who_may(
    boss: Client, staff: Staff, pages: dict[str, str]
) -> None:
    path = "/admin/observability/forwardrejection/"
    chosen = {"action": "resend", "_selected_action": [str(ForwardRejection.objects.get().pk)]}
    waiting = OrmQ.objects.count()
    staff("view_forwardrejection").post(path, chosen)
    assert OrmQ.objects.count() == waiting
    boss.post(path, chosen)
    task = OrmQ.objects.order_by("id").last().task
    assert (task["func"], task["args"]) == ("observability.tasks.resend", (chosen["_selected_action"],))


def test_a_failed_task_is_queued_again_only_by_who_may_change_it(
    boss: Client, staff: Staff, pages: dict[str, str]
) -> None:
    path, chosen = "/admin/django_q/failure/", {"action": "queue_again", "_selected_action": ["b" * 32]}
    waiting = OrmQ.objects.count()
    staff("view_failure").post(path, chosen)
    assert (OrmQ.objects.count(), Failure.objects.count()) == (waiting, 1)
    boss.post(path, chosen)
    assert (OrmQ.objects.count(), Failure.objects.count()) == (waiting + 1, 0)


def test_a_failed_task_shows_no_personal_argument_and_leads_to_the_logs(
    boss: Client, pages: dict[str, str]
) -> None:
    Failure.objects.update(args=("jane@example.org", "+49 170 1234567"), kwargs={"token": "abcdefgh12345"})
    shown = boss.get(f"/admin/django_q/failure/{'b' * 32}/change/").content.decode()
    for secret in ("jane@", "1234567", "abcdefgh"):
        assert secret not in shown, secret
    assert "[email]@example.org" in shown
    assert "/admin/logs/?level=error&amp;range=15m" in shown


def test_nobody_but_a_superuser_writes_a_schedule_and_ours_cannot_be_deleted(
    boss: Client, staff: Staff
) -> None:
    schedule = Schedule.objects.get(name="forward lane")
    path = f"/admin/django_q/schedule/{schedule.pk}/"
    runner = staff("add_schedule", "change_schedule", "delete_schedule", "view_schedule")
    assert runner.get("/admin/django_q/schedule/add/").status_code == 403
    assert runner.post(f"{path}change/", {"func": "os.system"}).status_code == 403
    assert boss.post(f"{path}delete/", {"post": "yes"}).status_code == 403
    theirs = Schedule.objects.create(name="theirs", func="time.time", next_run=timezone.now() + timedelta(1))
    assert boss.post(f"/admin/django_q/schedule/{theirs.pk}/delete/", {"post": "yes"}).status_code == 302
    assert set(Schedule.objects.values_list("name", flat=True)) >= {"forward lane"}
