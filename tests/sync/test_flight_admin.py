"""Jobs in flight in the admin: who may see and do what, what stands above every page, and what it costs."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from observability.models import AuditEntry
from sync import dying, locations
from sync.admin import flight, held
from sync.models import Breaker, Budget, Location, SyncJob
from sync.stats.flight import PAGE as PLACES
from tests.conftest import Staff
from tests.sync.dying import dead_jobs
from trainu.admin_site import Need, site

pytestmark = pytest.mark.django_db
HERE = "studio00000000000001"
PAGE, LIVE, CODE = "/admin/sync/flight/", "/admin/sync/syncjob/in-flight/", "/admin/sync/flight/retry/"
PLACE = f"/admin/sync/location/{HERE}/"
JOBS = "/admin/sync/syncjob/"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def here() -> Location:
    cache.clear()
    return place(HERE, "Studio")


def place(id: str, name: str) -> Location:
    return locations.add(id, name, now=timezone.now())


def waiting(
    count: int = 1, *, after: timedelta = HOUR / 2, location_id: str = HERE, **fields: Any
) -> list[UUID]:
    ids = dead_jobs(count, location_id=location_id)
    stand = {"state": "waiting", "cause": "", "settled_at": None, "tries": 5, "code": "status_503"}
    SyncJob.objects.filter(pk__in=ids).update(next_at=timezone.now() + after, **stand | fields)
    return ids


def words(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def shown(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def due(ids: list[UUID]) -> int:
    return SyncJob.objects.filter(pk__in=ids, next_at__lte=timezone.now() + timedelta(minutes=1)).count()


def lines(answer: Any) -> list[tuple[str, str, str]]:
    return [(banner.words, banner.url, banner.tone) for banner in answer.context["banners"]]


def needs(supply: Callable[[Any], Any]) -> list[Need]:
    return list(supply(RequestFactory().get("/admin/")))


# Who may


VERBS = {
    "code": (lambda job: CODE, lambda job: None),
    "location": (lambda job: f"{PLACE}retry/", lambda job: "/admin/sync/location/nowhere/retry/"),
    "job": (lambda job: f"{JOBS}{job}/retry/", lambda job: f"{JOBS}{UUID(int=7)}/retry/"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_wants_a_post_a_token_of_the_form_and_its_permission(
    boss: Client, staff: Staff, verb: str
) -> None:
    [job] = waiting()
    address, wrong = (make(job) for make in VERBS[verb])
    body = {"code": "status_503"}
    assert boss.get(address).status_code == 405
    assert staff("view_syncjob", "view_location", "pause_location").post(address, body).status_code == 403
    assert Client().post(address, body)["Location"].startswith("/admin/login/")
    if wrong:
        assert boss.post(wrong, body).status_code == 404
    forged = Client(enforce_csrf_checks=True)
    forged.cookies = boss.cookies
    assert forged.post(address, body).status_code == 403
    assert due([job]) == 0
    assert not AuditEntry.objects.filter(action="job.retry_now").exists()
    assert boss.post(address, body).status_code == 302
    assert due([job]) == 1


def test_the_page_opens_for_who_may_see_jobs_and_shows_buttons_to_who_may_retry(
    client: Client, staff: Staff
) -> None:
    waiting()
    assert client.get(PAGE)["Location"].startswith("/admin/login/")
    reader = staff("view_syncjob")
    for path in (PAGE, f"{JOBS}?tried=before", f"{JOBS}{SyncJob.objects.get().pk}/change/"):
        text = shown(reader.get(path)).partition('id="content-main"')[2]
        assert "Try" not in text.replace("Tries", "").replace("Next try", ""), path
    # A location's own page is another permission.
    assert PLACE not in shown(reader.get(PAGE))


def test_the_page_is_closed_to_others_and_in_the_navigation_of_its_readers(
    boss: Client, staff: Staff
) -> None:
    other = staff("view_location")
    assert other.get(PAGE).status_code == other.get(LIVE).status_code == 403
    assert f'href="{PAGE}"' not in shown(other.get("/admin/"))
    assert f'href="{PAGE}"' in shown(boss.get("/admin/"))


def test_what_is_polled_signed_out_stops_and_loads_the_page_anew(client: Client) -> None:
    answer = client.get(LIVE, {"only": HERE})
    assert (answer.status_code, answer["HX-Refresh"], answer.content) == (286, "true", b"")


# What it shows


def test_each_location_says_what_holds_it_and_those_with_trouble_come_first(boss: Client) -> None:
    now = timezone.now()
    for number, name in enumerate(["Ramping", "Resting", "Used up", "Late", "Paused", "Silent", "Refused"]):
        place(f"l{number}", name)
    waiting(2, location_id="l3", after=-HOUR)
    Breaker.objects.filter(pk="l0").update(state="ramping", probe_at=now, step=10, allowance=4)
    Budget.objects.filter(pk="l1").update(held_until=now + HOUR)
    Budget.objects.filter(pk="l2").update(used_today=190_000, day=now.date())
    locations.pause("l4", "They move", until=now + 2 * HOUR, now=now)
    Breaker.objects.filter(pk="l5").update(state="open", opened_at=now - HOUR, probe_at=now + HOUR)
    locations.hold("l6", "unauthorized", "GoHighLevel does not accept its token.", now=now)
    answer = boss.get(PAGE)
    names = [name for _, name, *_ in answer.context["places"]]
    assert names == ["Refused", "Silent", "Paused", "Ramping", "Resting", "Used up", "Late", "Studio"]
    text = shown(answer)
    for part in (
        "does not accept its token",
        "Does not answer",
        "asked again",
        "goes on <time",
        "in steps: 4 of 10 may still go",
        "GoHighLevel asked for it",
        "used up for today: 190,000 of 190,000",
        "19 at once",
        "7 of 8",
    ):
        assert part in text, part
    assert f'action="/admin/sync/location/{HERE}/retry/"' not in text


def test_the_figures_say_what_waits_is_in_hand_late_and_lost(boss: Client) -> None:
    waiting(3)
    waiting(after=-HOUR)
    waiting(2, state="leased", after=HOUR)
    waiting(state="leased", after=-HOUR)
    cards = {card.title: (card.value, card.tone) for card in boss.get(PAGE).context["cards"]}
    assert cards["Waiting"] == ("4", "")
    assert cards["In hand"] == ("3", "")
    assert ">1 hour ago<" in cards["Late"][0]
    assert cards["Lost"] == ("1", "warn")
    assert "in 29 minutes" in cards["Next due"][0]


def test_what_is_polled_keeps_the_rows_of_the_page_in_their_order(boss: Client) -> None:
    place("other", "A studio")
    first = shown(boss.get(PAGE))
    assert 'hx-trigger="every 10s"' in first
    assert f"{LIVE}?only=other&amp;only={HERE}" in first
    locations.pause(HERE, "They move", now=timezone.now())
    answer = boss.get(LIVE, {"only": ["other", HERE, "gone", "a\x00"]})
    assert [one.id for one, *_ in answer.context["places"]] == ["other", HERE]
    text = shown(answer)
    assert '<tbody id="flight-rows" hx-swap-oob="true">' in text
    assert "They move" in text
    assert "<html" not in text
    # What was written into the form stays, for it is not part of it.
    assert 'name="reason"' not in text


def test_what_dies_soon_is_told_by_failure_in_plain_words(boss: Client) -> None:
    waiting(3)
    waiting(2, operation="note.create", after=2 * HOUR)
    waiting(1, code="timeout", tries=4)
    text = shown(boss.get(PAGE, {"hours": "8"}))
    for part in (
        "<strong>6</strong> jobs",
        "GoHighLevel is not available at the moment.",
        "contact.update 3, note.create 2",
        "GoHighLevel did not answer in time.",
        "1 minute, 5 minutes, 15 minutes, 1 hour and 6 hours",
        "7 hours 20 minutes",
    ):
        assert part in text, part
    within_one = boss.get(PAGE, {"hours": "1"})
    assert [failure.jobs for failure, _ in within_one.context["failures"]] == [3]
    narrowed = boss.get(PAGE, {"hours": "8", "code": "timeout"})
    assert [job.code for job, *_ in narrowed.context["jobs"]] == ["timeout"]


def test_the_list_of_the_dying_goes_on_and_nonsense_in_the_address_does_no_harm(
    boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dying, "MOST_ROWS", 2)
    ids = waiting(3)
    first = boss.get(PAGE)
    assert len(first.context["jobs"]) == 2
    rest = boss.get(f"{PAGE}{first.context['later']}")
    seen = [job.id for answer in (first, rest) for job, *_ in answer.context["jobs"]]
    assert sorted(seen) == sorted(ids)
    for query in (
        {"hours": "7"},
        {"hours": "9" * 400},
        {"after": "x,y"},
        {"after": "2026-01-01T00:00:00,1"},
        {"after": f"2026-01-01T00:00:00,{UUID(int=1)}"},
        {"code": "a\x00b"},
        {"from": "-1"},
        {"from": "99999"},
    ):
        assert boss.get(PAGE, query).status_code == 200, query


def test_jobs_of_held_locations_are_told_apart(boss: Client) -> None:
    waiting(2)
    locations.pause(HERE, "They move", now=timezone.now())
    text = shown(boss.get(PAGE))
    assert "Nothing is dying" in text
    assert "1 location is held or not answering. Nothing tries its jobs" in text


def test_locations_are_shown_a_page_at_a_time(boss: Client) -> None:
    for number in range(PLACES + 1):
        place(f"l{number}", f"Place {number}")
    first = boss.get(PAGE)
    assert len(first.context["places"]) == PLACES
    rest = boss.get(f"{PAGE}{first.context['following']}")
    assert [name for _, name, *_ in rest.context["places"]] == ["Place 9", "Studio"]
    assert not rest.context["following"]
    assert len(boss.get(LIVE, {"only": [f"l{n}" for n in range(PLACES + 1)]}).context["places"]) == PLACES


def test_what_takes_too_long_is_said_in_words(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight, "TIME_LIMIT_MS", 50)
    for page in (PAGE, LIVE):
        monkeypatch.setattr(flight.flight, "_TROUBLED", "select 0, 0 from pg_sleep(3)")
        cache.clear()
        answer = boss.get(page)
        if page == LIVE:
            assert answer.status_code == 503
        else:
            assert "It takes too long to count" in shown(answer)


# Trying now


def test_all_that_wait_for_a_location_are_tried_now(boss: Client, admin_user: User) -> None:
    place("other", "Other")
    mine, theirs = waiting(3), waiting(1, location_id="other")
    body = {"reason": "It is back", "back": f"{PAGE}?hours=8"}
    answer = boss.post(f"{PLACE}retry/", body)
    assert answer["Location"] == f"{PAGE}?hours=8"
    assert "3 jobs come due from now on" in words(boss.get(PAGE))
    assert (due(mine), due(theirs)) == (3, 0)
    entry = AuditEntry.objects.get(action="job.retry_now")
    assert (entry.actor_id, entry.target_id, entry.reason) == (f"staff:{admin_user.pk}", HERE, "It is back")
    SyncJob.objects.filter(pk__in=mine).update(next_at=timezone.now())
    again = boss.post(f"{PLACE}retry/", follow=True)
    assert "Nothing of this waits" in words(again)
    assert again.redirect_chain[-1][0] == f"{PLACE}change/"
    assert "3 waiting jobs tried now." in shown(boss.get(f"{PLACE}history/"))


def test_all_that_wait_after_one_failure_are_tried_now(boss: Client) -> None:
    mine, others = waiting(2), waiting(1, code="timeout")
    assert "2 jobs come due" in words(boss.post(CODE, {"code": "status_503", "back": PAGE}, follow=True))
    assert (due(mine), due(others)) == (2, 0)
    for body in (
        {},
        {"code": ""},
        {"code": "timeout", "reason": "x" * 301},
        {"code": "timeout", "reason": "\x00"},
    ):
        assert "Choose a failure" in words(boss.post(CODE, body, follow=True))
    assert due(others) == 0


def test_one_job_is_tried_now_from_its_page_and_from_lists(boss: Client) -> None:
    one, other = waiting(2)
    page = f"{JOBS}{one}/change/"
    text = shown(boss.get(page))
    assert "Try now" in text
    assert "at the earliest, if every further try fails" in text
    answer = boss.post(f"{JOBS}{one}/retry/", {"reason": "It is back"}, follow=True)
    assert "It is due now." in words(answer)
    assert answer.redirect_chain[-1][0] == page
    assert "Try now" not in shown(boss.get(page))
    assert "due already" in words(boss.post(f"{JOBS}{one}/retry/", follow=True))
    assert (due([one]), due([other])) == (1, 0)
    assert "300 characters" in words(boss.post(f"{JOBS}{other}/retry/", {"reason": "x" * 301}, follow=True))
    assert [entry.reason for entry in AuditEntry.objects.filter(action="job.retry_now")] == ["It is back"]
    back = f"{JOBS}?tried=before"
    listed = shown(boss.get(back))
    assert f'formaction="{JOBS}{other}/retry/" name="back" value="{back}"' in listed
    assert f"{one}/retry/" not in listed
    assert boss.post(f"{JOBS}{other}/retry/", {"back": back})["Location"] == back


@pytest.mark.parametrize(
    "back", ["https://evil.example/admin/sync/flight/", "//evil.example", "/admin/logout/", "http://["]
)
def test_nobody_is_led_elsewhere(boss: Client, back: str) -> None:
    assert boss.post(f"{PLACE}retry/", {"back": back})["Location"] == f"{PLACE}change/"


def test_jobs_that_were_tried_before_are_listed(boss: Client) -> None:
    [tried] = waiting()
    waiting(tries=0)
    waiting(state="leased")
    dead_jobs(1, location_id=HERE)
    rows = boss.get(JOBS, {"tried": "before"}).context["cl"].result_list
    assert [row.pk for row in rows] == [tried]


def test_resuming_may_be_given_a_reason_that_is_kept(boss: Client) -> None:
    boss.post(f"{PLACE}pause/", {"reason": "They move", "lasts": ""})
    assert "Say why in up to 300" in words(boss.post(f"{PLACE}resume/", {"reason": "x" * 301}, follow=True))
    boss.post(f"{PLACE}resume/", {"reason": "They have moved"})
    entries = AuditEntry.objects.filter(target_id=HERE).order_by("id")
    assert [(one.action, one.reason) for one in entries][1:] == [
        ("location.pause", "They move"),
        ("location.resume", "They have moved"),
    ]


# What holds locations


def test_a_pause_stands_above_every_page_until_it_is_over(boss: Client, staff: Staff) -> None:
    assert lines(boss.get(JOBS)) == []
    boss.post(f"{PLACE}pause/", {"reason": "They move.", "lasts": "4"})
    [(said, url, tone)] = lines(boss.get(JOBS))
    until = Location.objects.get().paused_until
    assert until
    assert said == f"Studio is paused until {until.day} {until:%b, %H:%M} UTC (They move)."
    assert (url, tone) == (f"{PLACE}change/", "warn")
    assert lines(staff("view_syncjob").get(JOBS)) == []
    boss.post(f"{PLACE}resume/")
    assert lines(boss.get(JOBS)) == []


def test_many_pauses_are_named_up_to_three_and_counted(boss: Client) -> None:
    now = timezone.now()
    for number in range(5):
        place(f"l{number}", f"Place {number}")
        locations.pause(f"l{number}", "x" * 300 if number == 1 else "Holidays", now=now)
    Location.objects.filter(pk="l4").update(paused_until=now - HOUR)
    held.forget()
    [(said, url, _)] = lines(boss.get(JOBS))
    assert said.startswith("4 locations are paused: Place 0 until somebody resumes it (Holidays), Place 1")
    assert said.endswith("Place 2 until somebody resumes it (Holidays) and 1 more.")
    assert "x" * 79 + "…" in said
    assert url == "/admin/sync/location/?state__exact=paused"
    assert boss.get(url).status_code == 200


def test_a_refused_token_and_a_silent_gohighlevel_are_told_each_in_its_tone(boss: Client) -> None:
    now = timezone.now()
    place("silent", "Silent \u202e<script>")
    Breaker.objects.filter(pk="silent").update(state="open", opened_at=now, probe_at=now + HOUR)
    locations.hold(HERE, "unauthorized", "GoHighLevel does not accept its token.", now=now)
    Breaker.objects.filter(pk=HERE).update(state="open", opened_at=now, probe_at=now + HOUR)
    held.forget()
    answer = boss.get(JOBS)
    assert lines(answer) == [
        (
            "Studio is misconfigured: its token was refused. GoHighLevel does not accept its token.",
            f"{PLACE}change/",
            "bad",
        ),
        (
            "GoHighLevel does not answer for Silent \\u202e<script>; its jobs wait and cost no try.",
            "/admin/sync/location/silent/change/",
            "info",
        ),
    ]
    assert "<script>;" not in shown(answer)
    Breaker.objects.filter(pk="silent").update(opened_at=now)
    place("second", "Second")
    Breaker.objects.filter(pk="second").update(state="open", opened_at=now, probe_at=now + HOUR)
    locations.resume(HERE)
    said, url, _ = lines(boss.get(JOBS))[0]
    assert said.startswith("GoHighLevel does not answer for 3 locations (Second, Silent")
    assert said.endswith("; their jobs wait and cost no try.")
    assert {row.pk for row in boss.get(url).context["cl"].result_list} == {HERE, "silent", "second"}


def test_the_line_costs_one_query_every_ten_seconds(boss: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        for _ in range(3):
            held.banners()
    assert len(queries) == 1
    assert held.AGE.total_seconds() == 10


# What needs a person


def test_locations_that_nothing_is_sent_for_need_somebody(admin_user: User) -> None:
    now = timezone.now()
    assert needs(held.needs) == []
    waiting(2, tries=0)
    locations.hold(HERE, "unauthorized", "GoHighLevel does not accept its token.", now=now - HOUR)
    [need] = needs(held.needs)
    assert (need.title, need.urgency, need.since) == (
        "The token of Studio is refused; 2 jobs wait",
        1,
        now - HOUR,
    )
    assert need.url == f"{PLACE}change/"
    assert "does not accept its token. Enter a valid token" in need.detail
    for number in range(held.MOST_NEEDS + 3):
        place(f"l{number}", f"Place {number}")
        locations.hold(f"l{number}", "unauthorized", "No.", now=now)
    many = needs(held.needs)
    assert len(many) == held.MOST_NEEDS + 1
    assert many[-1].title == "More locations are misconfigured, and nothing is sent for them"


def test_a_pause_that_everybody_forgot_needs_somebody_when_there_is_time() -> None:
    now = timezone.now()
    locations.pause(HERE, "They move", now=now - 23 * HOUR)
    assert needs(held.needs) == []
    locations.resume(HERE)
    locations.pause(HERE, "They move", now=now - 25 * HOUR)
    # Changed, it is the same pause.
    locations.pause(HERE, "They still move", now=now)
    [need] = needs(held.needs)
    assert (need.urgency, need.since) == (3, now - 25 * HOUR)
    assert "Studio is paused, and nobody has said until when; 0 jobs wait" in need.title
    assert "They still move" in need.detail
    locations.pause(HERE, "They still move", until=now + HOUR, now=now)
    assert needs(held.needs) == []
    locations.resume(HERE)
    assert Location.objects.get().held_since is None


def test_what_dies_within_the_hour_needs_somebody_and_is_in_the_badge() -> None:
    assert needs(flight.needs) == []
    waiting(1)
    waiting(1, after=2 * HOUR)
    [need] = needs(flight.needs)
    assert (need.title, need.urgency) == (
        "1 job will be a dead letter within the hour, if it fails once more",
        2,
    )
    assert need.url == f"{PAGE}?hours=1"
    waiting(flight.MANY)
    [need] = needs(flight.needs)
    assert (need.title.split()[0], need.urgency) == ("101", 1)
    assert flight.badge() == 101


def test_they_are_registered_for_who_may_act_on_them(boss: Client, staff: Staff, rf: RequestFactory) -> None:
    waiting()
    locations.pause(HERE, "They move", now=timezone.now() - 25 * HOUR)
    request = rf.get("/admin/")
    staff("view_syncjob")
    request.user = User.objects.get(username="nora")
    assert site.needs(request) == []
    place("other", "Other")
    waiting(location_id="other")
    assert [need.urgency for need in site.needs(request)] == [2]


# What it costs


def test_the_page_and_what_is_polled_cost_the_same_however_much_there_is(staff: Staff) -> None:
    reader = staff("view_syncjob", "view_location", "retry_syncjob")

    def cost(path: str, **asked: Any) -> int:
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            assert reader.get(path, asked).status_code == 200
        return len(queries)

    few = cost(PAGE), cost(LIVE, only=HERE)
    for number in range(30):
        place(f"l{number}", f"Place {number}")
        waiting(2, location_id=f"l{number}", code=f"status_5{number:02d}", tries=1 + number % 5)
    # Who is asking costs four, the frame two, the limit of time three; the figures of the cards are seven.
    assert (cost(PAGE, hours="24"), cost(LIVE, only=["l1", "l2"])) == few == (20, 15)


def test_a_hundred_codes_and_many_waiting_jobs_fit_on_the_page(boss: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute(CROWD, {"now": timezone.now(), "location": HERE})
        cursor.execute("analyze sync_syncjob")
    answer = boss.get(PAGE, {"hours": "24"})
    assert "is_too_broad" not in answer.context
    assert str(answer.context["dying"].jobs) == "more than 5,000"
    [(row, *_)] = answer.context["places"]
    assert str(row.waiting) == "more than 1,000"
    assert len(answer.content) < 200_000


CROWD = """
insert into sync_syncjob (id, location_id, operation, payload, idempotency_key, ordering_key, writes, state,
    cause, code, is_lookup, is_redrive, is_suspect, tries, lookups, fence, next_at, result, correlation_id,
    created_at)
select gen_random_uuid(), %(location)s, 'contact.update', '{}', '', '', '{}', 'waiting', '',
    'code_' || number %% 100, false, false, false, number %% 6, 0, 1, %(now)s + number * interval '1 s', '{}',
    'c', %(now)s
from generate_series(1, 20000) number
"""
