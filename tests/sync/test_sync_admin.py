"""Sync's pages in the admin: who may see and do what, what they cost; no token and no person is shown."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pydantic import SecretStr
from pytest_django import Settings

from observability import api_keys
from observability.models import AuditEntry
from sync import credentials, jobs, locations
from sync.models import Breaker, Location, SyncAttempt, SyncJob
from tests.conftest import Staff
from tests.costs import asked_again
from trainu.admin_records import Newest
from trainu.demo.ghl import Simulator
from trainu.partitioned_table import PartitionedTable

pytestmark = pytest.mark.django_db
# An underscore, which Django's admin spells otherwise in addresses.
HERE = "studio_Of_The_Tests01"
PAGE = "/admin/sync/location/studio_5FOf_5FThe_5FTests01/"
LIST = "/admin/sync/location/"
JOBS = "/admin/sync/syncjob/"
TOKEN = "pit-of-the-tests-0001"
EMAIL = "ada.lovelace@example.org"
VERBS = {
    "pause": ("pause_location", {"reason": "They move", "lasts": "1"}),
    "resume": ("pause_location", {}),
    "limits": ("change_location", {"burst_limit": "50", "daily_limit": "1000"}),
    "token": ("change_credential", {"token": TOKEN}),
}


@pytest.fixture(autouse=True)
def here() -> Location:
    return locations.add(HERE, "Studio", now=timezone.now())


@pytest.fixture
def ghl(settings: Settings) -> Iterator[Simulator]:
    with Simulator(seed=7) as simulator:
        settings.GHL_BASE_URL = simulator.url
        settings.GHL_CLIENT_ID, settings.GHL_CLIENT_SECRET = "demo-client", "demo-client-secret"
        simulator.location(HERE, token=TOKEN, name="Studio North", timezone="Europe/Berlin")
        yield simulator


def job(**overrides: Any) -> SyncJob:
    made = jobs.enqueue("contact.upsert", HERE, {"email": EMAIL, "source": "web"})
    SyncJob.objects.filter(pk=made.job_id).update(**overrides)
    return SyncJob.objects.get(pk=made.job_id)


def tried(of: SyncJob, fence: int, **overrides: Any) -> None:
    at = of.created_at + timedelta(seconds=fence)
    PartitionedTable("sync_attempt").ensure([at.date()])
    fields = {"outcome": "transient", "code": "status_503", "status": 503, "duration_ms": 9.0}
    SyncAttempt.objects.create(started_at=at, job_id=of.pk, fence=fence, kind="send", **fields | overrides)


def words(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def state() -> str:
    return Location.objects.get(pk=HERE).state


def test_each_page_opens_for_who_may_view_it_and_for_nobody_else(client: Client, staff: Staff) -> None:
    nobody = staff()
    user = User.objects.get(username="nora")
    one = job()
    pages = {
        LIST: "view_location",
        f"{PAGE}change/": "view_location",
        f"{PAGE}history/": "view_location",
        JOBS: "view_syncjob",
        f"{JOBS}{one.pk}/change/": "view_syncjob",
    }
    for path, codename in pages.items():
        assert nobody.get(path).status_code == 403, path
        assert client.get(path)["Location"].startswith("/admin/login/")
        user.user_permissions.set(Permission.objects.filter(codename=codename))
        assert nobody.get(path).status_code == 200, path
        user.user_permissions.clear()


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_wants_a_post_a_token_of_the_form_and_its_permission(
    boss: Client, staff: Staff, verb: str
) -> None:
    """A GET is 405, another permission 403, a location that is not there 404, a forged form 403."""
    permission, body = VERBS[verb]
    address = f"{PAGE}{verb}/"
    others = {"view_location", "pause_location", "change_location", "change_credential"} - {permission}
    assert boss.get(address).status_code == 405
    assert staff(*others).post(address, body).status_code == 403
    assert boss.post(f"/admin/sync/location/nowhere/{verb}/", body).status_code == 404
    assert Client().post(address, body)["Location"].startswith("/admin/login/")
    forged = Client(enforce_csrf_checks=True)
    forged.cookies = boss.cookies
    assert forged.post(address, body).status_code == 403
    assert state() == "active"
    assert credentials.held(HERE) is None


def test_who_lacks_permissions_is_shown_no_form(staff: Staff) -> None:
    shown = staff("view_location").get(f"{PAGE}change/").content.decode()
    assert "<form" not in shown.partition('id="content-main"')[2].partition("</main>")[0]
    assert "needs a permission that you do not have" in shown


def test_a_location_is_added_by_its_id_and_the_act_is_audited_once(boss: Client) -> None:
    answer = boss.post(f"{LIST}add/", {"id": "another", "name": "Another"}, follow=True)
    assert answer.status_code == 200
    assert "Enter its token now" in words(answer)
    assert Location.objects.get(pk="another").state == "active"
    entries = AuditEntry.objects.filter(target_id="another")
    assert [entry.action for entry in entries] == ["location.add"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"id": "../x", "name": "A"}, "up to 64 letters and digits"),
        ({"id": HERE, "name": "A"}, "already exists"),
        ({"id": "another", "name": ""}, "required"),
        ({"id": "", "name": "A"}, "required"),
        ({"id": "another", "name": "a\x00b"}, "Null characters"),
    ],
)
def test_a_location_that_cannot_be_added_is_said_at_its_field(
    boss: Client, body: dict[str, str], said: str
) -> None:
    answer = boss.post(f"{LIST}add/", body)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert Location.objects.count() == 1


def test_pausing_says_until_when_and_why_and_resuming_ends_it(boss: Client, admin_user: User) -> None:
    answer = boss.post(f"{PAGE}pause/", {"reason": "They move", "lasts": "4"}, follow=True)
    assert "Paused." in words(answer)
    row = Location.objects.get(pk=HERE)
    assert (row.state, row.state_reason) == ("paused", "They move")
    assert row.paused_until is not None
    assert timedelta(hours=3.9) < row.paused_until - timezone.now() <= timedelta(hours=4)
    shown = boss.get(f"{PAGE}change/").content.decode()
    for part in ("They move", "in 3 hours", "Resume", "Change the pause"):
        assert part in shown, part
    assert "They move" in boss.get(LIST).content.decode()
    assert "Resumed." in words(boss.post(f"{PAGE}resume/", follow=True))
    assert state() == "active"
    entries = AuditEntry.objects.filter(target_id=HERE, actor_id=f"staff:{admin_user.pk}")
    assert {entry.action for entry in entries} == {"location.pause", "location.resume"}
    assert "Paused." in boss.get(f"{PAGE}history/").content.decode()


@pytest.mark.parametrize(
    ("verb", "body", "said"),
    [
        ("pause", {"reason": " ", "lasts": ""}, "Say why"),
        ("pause", {"reason": "They move", "lasts": "99"}, "Say why"),
        ("limits", {"burst_limit": "x", "daily_limit": "1"}, "whole numbers"),
        ("limits", {"burst_limit": "101", "daily_limit": "1"}, "1 to 100 requests"),
        ("token", {"token": " "}, "Enter the token"),
    ],
)
def test_a_form_that_says_nothing_changes_nothing(
    boss: Client, verb: str, body: dict[str, str], said: str
) -> None:
    assert said in words(boss.post(f"{PAGE}{verb}/", body, follow=True))
    assert state() == "active"
    assert Location.objects.get(pk=HERE).burst_limit == 95


def test_a_pause_that_is_over_is_shown_as_such(boss: Client) -> None:
    past = timezone.now() - timedelta(minutes=5)
    Location.objects.update(state="paused", state_reason="They move", paused_until=past)
    shown = boss.get(f"{PAGE}change/").content.decode()
    assert ">Active<" in shown
    assert "its pause ended" in shown


def test_limits_are_changed(boss: Client) -> None:
    boss.post(f"{PAGE}limits/", {"burst_limit": "50", "daily_limit": "1000"})
    assert Location.objects.values_list("burst_limit", "daily_limit").get() == (50, 1000)


def test_what_gohighlevel_says_of_a_location_is_on_its_page(boss: Client) -> None:
    now = timezone.now()
    Breaker.objects.update(state="open", opened_at=now, probe_at=now + timedelta(seconds=30))
    for path in (LIST, f"{PAGE}change/"):
        assert "Does not answer: jobs are held" in boss.get(path).content.decode()


def test_a_token_is_entered_and_never_shown_again(boss: Client, ghl: Simulator) -> None:
    locations.hold(HERE, "unauthorized", "The token is refused.", now=timezone.now())
    assert "The token is refused." in boss.get(f"{PAGE}change/").content.decode()
    answer = boss.post(f"{PAGE}token/", {"token": TOKEN}, follow=True)
    assert "GoHighLevel accepts the token" in words(answer)
    held = credentials.held(HERE)
    assert held is not None
    assert held.access.get_secret_value() == TOKEN
    assert state() == "active"
    for path in (LIST, f"{PAGE}change/", f"{PAGE}history/"):
        shown = boss.get(path).content.decode()
        assert TOKEN not in shown
    assert "It lasts until it is replaced." in boss.get(f"{PAGE}change/").content.decode()


def test_a_refused_token_is_not_repeated_on_the_page(boss: Client, ghl: Simulator) -> None:
    answer = boss.post(f"{PAGE}token/", {"token": "pit-nonsense"}, follow=True)
    assert "Nothing was stored" in words(answer)
    assert "pit-nonsense" not in answer.content.decode()


def test_lost_keys_are_said_on_the_page(boss: Client, settings: Settings) -> None:
    credentials.hold_private(HERE, SecretStr("x"), now=timezone.now())
    settings.CREDENTIAL_KEYS = "another"
    assert "cannot be decrypted" in boss.get(f"{PAGE}change/").content.decode()


def test_a_location_is_never_deleted_and_its_page_takes_no_form_of_django(boss: Client) -> None:
    assert boss.post(f"{PAGE}change/", {"name": "x", "state": "paused"}).status_code == 405
    assert boss.post(f"{PAGE}delete/", {"post": "yes"}).status_code == 403
    assert Location.objects.get(pk=HERE).name == "Studio"


# OAuth


def begun(browser: Client, **body: str) -> dict[str, str]:
    """Press Connect; return what GoHighLevel's page is asked for."""
    answer = browser.post("/admin/sync/connect/", body)
    assert answer.status_code == 200
    url = answer.context["url"]
    assert url.replace("&", "&amp;") in answer.content.decode()
    return {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}


def test_connecting_leads_to_gohighlevel_and_back_with_tokens(boss: Client, ghl: Simulator) -> None:
    asked = begun(boss, location_id=HERE)
    assert asked["redirect_uri"] == "http://testserver/admin/sync/connected/"
    back = {"code": ghl.tokens.code(HERE), "state": asked["state"]}
    answer = boss.get("/admin/sync/connected/", back, follow=True)
    assert "Connected." in words(answer)
    assert answer.redirect_chain[-1][0] == f"{PAGE}change/"
    assert "It is renewed by itself." in answer.content.decode()
    # The state works once, and so does the code.
    again = boss.get("/admin/sync/connected/", back | {"code": ghl.tokens.code(HERE)}, follow=True)
    assert "did not ask to be connected" in words(again)


def test_a_new_location_is_added_by_connecting(boss: Client, ghl: Simulator) -> None:
    ghl.location("newLocation01", name="Studio South")
    asked = begun(boss)
    back = {"code": ghl.tokens.code("newLocation01"), "state": asked["state"]}
    assert "Connected and added." in words(boss.get("/admin/sync/connected/", back, follow=True))
    assert Location.objects.get(pk="newLocation01").name == "Studio South"


def test_a_token_bought_with_the_agencys_is_told_to_end(boss: Client, ghl: Simulator) -> None:
    asked = begun(boss, location_id=HERE)
    back = {"code": ghl.tokens.code(None), "state": asked["state"]}
    answer = boss.get("/admin/sync/connected/", back, follow=True)
    assert "without a way to renew it" in words(answer)
    assert "cannot be renewed" in answer.content.decode()


def test_nobody_is_connected_who_was_not_sent_from_this_browser(
    boss: Client, staff: Staff, ghl: Simulator
) -> None:
    code = ghl.tokens.code(HERE)
    theirs = begun(staff("change_credential", "view_location"))["state"]
    mine = begun(boss)["state"]
    assert mine != theirs
    for wrong in ({"state": theirs}, {"state": ""}, {}, {"state": "é"}):
        answer = boss.get("/admin/sync/connected/", {"code": code} | wrong, follow=True)
        assert "did not ask to be connected" in words(answer)
        begun(boss)
    assert credentials.held(HERE) is None
    assert ghl.tokens.calls["authorization_code"] == 0


def test_who_comes_back_too_late_or_without_a_code_is_told(boss: Client, ghl: Simulator) -> None:
    asked = begun(boss)
    refused = boss.get(
        "/admin/sync/connected/", {"state": asked["state"], "error": "access_denied"}, follow=True
    )
    assert "has not let our app in" in words(refused)
    asked = begun(boss)
    session = boss.session
    session["sync_connecting"] |= {"until": (timezone.now() - timedelta(seconds=1)).isoformat()}
    session.save()
    late = boss.get(
        "/admin/sync/connected/", {"state": asked["state"], "code": ghl.tokens.code(HERE)}, follow=True
    )
    assert "too long ago" in words(late)
    assert credentials.held(HERE) is None


def test_connecting_wants_its_permission_a_post_and_a_location_that_is_there(
    boss: Client, staff: Staff, ghl: Simulator
) -> None:
    reader = staff("view_location", "pause_location", "change_location")
    assert reader.post("/admin/sync/connect/").status_code == 403
    assert reader.get("/admin/sync/connected/").status_code == 403
    assert boss.get("/admin/sync/connect/").status_code == 405
    assert boss.post("/admin/sync/connected/").status_code == 405
    assert boss.post("/admin/sync/connect/", {"location_id": "nowhere"}).status_code == 404
    assert boss.post("/admin/sync/connect/", {"location_id": "a\x00"}).status_code == 404


def test_without_an_app_of_our_own_the_button_is_not_there(boss: Client) -> None:
    for path in (LIST, f"{PAGE}change/"):
        assert "/admin/sync/connect/" not in boss.get(path).content.decode()
    answer = boss.post("/admin/sync/connect/", follow=True)
    assert "GHL_CLIENT_ID" in words(answer)


# Jobs


def test_a_job_is_shown_with_its_attempts_and_nobodys_data(boss: Client) -> None:
    one = job(state="dead", cause="check_by_hand", settled_at=timezone.now(), result={"contact_id": "c1"})
    tried(one, 1, request={"body": {"note": "</pre><script>alert(1)</script>"}}, trace_id="trace-1")
    tried(one, 2, code="timeout", status=None, outcome="ambiguous")
    shown = boss.get(f"{JOBS}{one.pk}/change/").content.decode()
    assert EMAIL not in shown
    assert "<script>alert" not in shown
    for part in ("Dead letter", "look in GoHighLevel", "c1", "trace-1", "[masked]", "may have been done all"):
        assert part in shown, part
    assert shown.index("may have been done all") < shown.index("not available at the moment")
    assert f"{PAGE}change/" in shown


def test_a_job_with_more_attempts_than_fit_shows_the_newest(boss: Client) -> None:
    one = job()
    for number in range(1, 61):
        tried(one, number)
    answer = boss.get(f"{JOBS}{one.pk}/change/")
    assert [attempt.fence for attempt, *_ in answer.context["attempts"]] == list(range(60, 10, -1))
    assert "The newest 50 of them." in answer.content.decode()


def test_nobody_changes_or_deletes_a_job_here(boss: Client) -> None:
    one = job()
    boss.post(f"{JOBS}{one.pk}/change/", {"state": "succeeded"})
    boss.post(JOBS, {"action": "delete_selected", "_selected_action": [str(one.pk)]})
    assert boss.post(f"{JOBS}{one.pk}/delete/", {"post": "yes"}).status_code == 403
    assert boss.get(f"{JOBS}add/").status_code == 403
    assert SyncJob.objects.get().state == "waiting"


@pytest.mark.parametrize("id", [str(UUID(int=7)), "nonsense", "1"])
def test_a_job_that_is_not_there_is_404(boss: Client, id: str) -> None:
    assert boss.get(f"{JOBS}{id}/change/").status_code == 404


def test_jobs_are_found_by_whole_ids_and_by_filters(boss: Client) -> None:
    mine, dead = job(), job(state="dead", cause="refused", settled_at=timezone.now())
    locations.add("other", "Other", now=timezone.now())
    theirs = jobs.enqueue("contact.delete", "other", {"contact_id": "c1"}).job_id

    def found(**asked: str) -> set[UUID]:
        return {row.pk for row in boss.get(JOBS, asked).context["cl"].result_list}

    assert found() == {mine.pk, dead.pk, theirs}
    assert found(q=str(mine.pk)) == {mine.pk}
    assert found(q="other") == {theirs}
    assert found(q=mine.correlation_id) == {mine.pk}
    assert found(q=EMAIL) == set()
    # Django says itself that this cannot be looked for.
    assert boss.get(JOBS, {"q": "a\x00b"}).status_code == 200
    assert found(state__exact="dead") == {dead.pk}
    assert found(location="other") == {theirs}
    assert found(operation="contact.upsert") == {mine.pk, dead.pk}
    assert found(location="\x00") == set()
    assert EMAIL not in boss.get(JOBS).content.decode()


def test_the_list_is_newest_first_whatever_order_is_asked_for(boss: Client) -> None:
    made = [job().pk for _ in range(3)]
    for query in ("", "?o=1", "?o=-2.3"):
        rows = boss.get(f"{JOBS}{query}").context["cl"].result_list
        assert [row.pk for row in rows] == made[::-1]


def test_a_long_list_is_counted_no_further_than_a_thousand(
    boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Newest, "MOST", 60)
    for _ in range(70):
        job()
    with CaptureQueriesContext(connection) as queries:
        shown = boss.get(JOBS, {"p": "2"})
    assert len(shown.context["cl"].result_list) == 10
    counts = [one["sql"] for one in queries if "COUNT(" in one["sql"] and "sync_syncjob" in one["sql"]]
    assert len(counts) == 1
    assert "LIMIT 60" in counts[0]
    assert "ORDER BY" not in counts[0]
    assert not [one for one in queries if '"payload"' in one["sql"]]


def test_a_question_that_takes_too_long_is_answered_with_words(
    boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.job_search.TIME_LIMIT_MS", 100)
    key = api_keys.issue("reader", ["sync:read"])[1]
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("begin; lock table sync_syncjob in access exclusive mode")
            narrowed = boss.get(JOBS, {"operation": "note.create"})
            whole = boss.get(JOBS)
            api = Client().get("/api/sync/jobs", headers={"Authorization": f"Bearer {key}"})
    finally:
        other.close()
    assert (narrowed["Location"], whole["Location"]) == (JOBS, "/admin/")
    assert "Choose a location as well" in words(boss.get(narrowed["Location"]))
    assert (api.status_code, api.json()["code"]) == (422, "too_broad")


# Who is asking costs four; three of the jobs' list are its time limit.
QUERIES = {LIST: 6, f"{PAGE}change/": 9, JOBS: 10, "job": 8}


@pytest.mark.parametrize("page", QUERIES)
def test_a_page_costs_the_same_queries_however_much_there_is(staff: Staff, page: str) -> None:
    reader = staff("view_location", "view_syncjob")
    one = job()
    tried(one, 1)

    def cost() -> int:
        path = f"{JOBS}{one.pk}/change/" if page == "job" else page
        return len(asked_again(lambda: reader.get(path)))

    few = cost()
    for number in range(20):
        job()
        tried(one, number + 2)
        locations.add(f"loc-{uuid4()}", "Another", now=timezone.now())
    credentials.hold_private(HERE, SecretStr("x"), now=timezone.now())
    assert (cost(), few) == (QUERIES[page], QUERIES[page])


def test_pages_carry_nothing_that_the_policy_refuses(boss: Client) -> None:
    for path in (LIST, f"{LIST}add/", f"{PAGE}change/", JOBS, f"{JOBS}{job().pk}/change/"):
        answer = boss.get(path)
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        shown = answer.content.decode()
        assert " style=" not in shown, path
        assert "<style" not in shown, path


def test_the_sidebar_leads_there(boss: Client, staff: Staff) -> None:
    assert LIST in boss.get("/admin/").content.decode()
    shown = staff("view_syncjob").get("/admin/").content.decode()
    assert JOBS in shown
    assert LIST not in shown
