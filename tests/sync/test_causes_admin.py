"""Causes as staff work them: the landing page of dead letters, one cause's page, and its buttons."""

import importlib
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import clear_url_caches
from django.utils import timezone

from observability.models import AuditEntry
from sync.dead_letters import groups, impact
from sync.dead_letters import standing as standings
from sync.dead_letters.standing import Standing
from sync.models import BulkOperation, CauseGroup, DeadLetter, Location
from tests.conftest import Staff
from tests.sync.dying import HOUR, dead_jobs, dead_letters, location
from trainu.admin_site import site
from trainu.moments import Moment

pytestmark = pytest.mark.django_db
LIST = "/admin/sync/causegroup/"
VERBS = ["assign", "note", "acknowledge", "unacknowledge", "snooze", "unsnooze"]
HOSTILE = "</code><script>alert(1)</script><img src=x onerror=alert(1)> \u202egpj.exe " + "y" * 3_000


@pytest.fixture(autouse=True)
def place() -> Location:
    cache.clear()
    return location()


def now() -> Any:
    return timezone.now()


def group(**which: Any) -> CauseGroup:
    return CauseGroup.objects.get(**which)


def page(of: CauseGroup) -> str:
    return f"{LIST}{of.pk}/change/"


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return re.sub(r"\s+", " ", answer.content.decode())


# In one statement; how letters come about is tested elsewhere.
_MORE = """
insert into sync_deadletter (job_id, group_id, location_id, state, code, words, died_at, first_died_at,
    deaths, discard_reason, discarded_by)
select dead.id, there.ids[1 + dead.number %% 4], 'loc-1', 'open', 'tls', '', %(at)s, %(at)s, 1, '', ''
from (select id, row_number() over (order by payload ->> 'contact_id') as number
      from sync_syncjob where id = any(%(jobs)s)) dead,
     (select array_agg(id order by id) as ids from sync_causegroup) there
"""


def test_ten_thousand_failures_of_four_causes_are_four_rows_at_one_cost(boss: Client) -> None:
    for code in ("status_422", "status_503", "duplicate", "tls"):
        dead_letters(1, at=now(), code=code)
    costs = []
    for count in (0, 9_996):
        with connection.cursor() as cursor:
            cursor.execute(_MORE, {"at": now(), "jobs": dead_jobs(count, at=now())})
            # As autovacuum does: so many rows in a table that was small a moment ago mislead the planner.
            cursor.execute("analyze sync_syncjob, sync_deadletter")
        impact.count(now=now())
        boss.get(LIST)
        with CaptureQueriesContext(connection) as asked:
            shown = text(boss, LIST)
        costs.append((len(asked), own(asked)))
        assert shown.count("<tr") == 5
    # Groups with their owners, and their hours; beside them what every page asks, and the locations.
    assert costs[0] == costs[1]
    assert costs[1][1] == 2
    assert "10,000 letters in the 4 causes below are open" in shown
    assert shown.count(">2,500<") == 4
    assert shown.count(">2,499 people<") + shown.count(">2,500 people<") == 4
    path = page(group(code="status_422"))
    with CaptureQueriesContext(connection) as asked:
        text(boss, path)
    # The group, its hours, copies with changed data, notes, the first letter of two states, the newest ones.
    assert own(asked) == 7


def own(asked: CaptureQueriesContext) -> int:
    tables = ("sync_cause", "sync_deadletter", "sync_groupnote")
    return len([one for one in asked if any(table in one["sql"] for table in tables)])


def test_a_row_says_who_can_fix_it_what_to_do_whom_it_is_about_and_how_it_goes_on(boss: Client) -> None:
    nora = User.objects.create_user("nora.n", is_staff=True)
    dead_letters(3, at=now() - 2 * HOUR)
    shown = text(boss, LIST)
    assert "people not counted" in shown
    impact.count(now=now())
    groups.assign(group().pk, nora.pk, by="staff:7")
    shown = text(boss, LIST)
    for words in [
        ">GoHighLevel finds a field wrong or missing</a>",
        "email must be an email",
        "The customer&#x27;s data",
        "Correct the data of this job",
        "3 people",
        "1 location",
        "2 hours ago",
        '<span class="pill pill-warn">Open</span>',
        "nora.n looks after it",
        '<span class="visually-hidden">3 died of it in the last 24 hours, at most 3 in an hour',
    ]:
        assert words in shown, words
    assert 'runbooks/status_422/">Step by step' in shown


def test_filters_narrow_the_list_by_state_fixer_owner_and_location(boss: Client, admin_user: User) -> None:
    dead_letters(1, at=now())
    dead_letters(1, at=now(), code="status_503", cause="exhausted")
    data, outage = group(code="status_422"), group(code="status_503")
    groups.assign(data.pk, admin_user.pk, by="staff:7")
    groups.acknowledge(data.pk, by="staff:7", now=now())
    rows = {
        "": {data, outage},
        "?state=new": {outage},
        "?state=acknowledged": {data},
        "?state=snoozed": set(),
        "?state=resolved": set(),
        "?state=all": {data, outage},
        "?fixer=outage": {outage},
        "?owner=me": {data},
        "?owner=nobody&state=all": {outage},
        "?location=loc-1": {data, outage},
        "?location=loc-9": set(),
        "?location=%00": {data, outage},
    }
    for query, wanted in rows.items():
        shown = text(boss, LIST + query)
        assert {one for one in (data, outage) if f'"{page(one)}"' in shown} == wanted, query
        assert ("Clear filters" in shown) == (bool(query) and "%00" not in query)
    for query in ["?state=bad", "?fixer=%3Cxmp%3E", "?owner=7", "?older=x", "?older=1-0", "?older=9e9-1"]:
        shown = text(boss, LIST + query)
        assert "Nothing was looked for" in shown
        assert page(data) not in shown
        assert "<xmp>" not in shown


def test_the_list_goes_on_where_it_ended(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MOST_SHOWN", 2)
    for number, word in enumerate(["first", "second", "third"]):
        dead_letters(1, at=now() - number * HOUR, words=f"the {word} cause")
    shown = text(boss, LIST)
    assert ("the second cause" in shown, "the third cause" in shown) == (True, False)
    [older] = re.findall(r'rel="next" href="([^"]+)"', shown)
    shown = text(boss, LIST + older)
    assert ("the second cause" in shown, "the third cause" in shown) == (False, True)
    assert 'rel="next"' not in shown


def test_an_empty_list_teaches_and_says_where_the_resolved_ones_are(boss: Client) -> None:
    shown = text(boss, LIST)
    assert "No cause is open" in shown
    assert "refuses it for good" in shown
    assert "No causes match" in text(boss, f"{LIST}?fixer=bug")


def test_hostile_words_are_shown_escaped_and_cut(boss: Client) -> None:
    dead_letters(1, at=now(), words=HOSTILE)
    groups.note(group().pk, "<script>alert(2)</script>", by="staff:7", now=now())
    bulk(reason="<script>alert(3)</script>")
    for path in (LIST, page(group())):
        shown = text(boss, path)
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert "\u202e" not in shown
        assert "y" * 600 not in shown
    assert "&lt;script&gt;" in shown


def bulk(**given: Any) -> BulkOperation:
    at = now() - timedelta(days=2)
    shape = {"kind": "redrive", "state": "done", "chosen": {}, "reason": "Mended.", "by": "staff:0"}
    counts = {"recovered": 180, "failed_same_cause": 20, "total": 200}
    times = {"started_at": at, "looked_at": at, "ended_at": at}
    return BulkOperation.objects.create(**shape | counts | times | {"group": group()} | given)


def test_a_cause_says_what_happened_what_worked_and_shows_its_letters(boss: Client, admin_user: User) -> None:
    [id, *_] = dead_letters(12, at=now())
    impact.count(now=now())
    groups.note(group().pk, "Their form.", by=f"staff:{admin_user.pk}", now=now())
    bulk(by=f"staff:{admin_user.pk}")
    shown = text(boss, page(group()))
    for words in [
        "Who can fix it: The customer&#x27;s data",
        "Support can correct it",
        "12 people, 1 location",
        "Last time it was enough to redrive them as they were.",
        "by admin: 180 of 200 recovered, 20 failed again in the same way.",
        'Their form.</p><p class="quiet">admin,',
        "12 died of it in the last 72 hours",
        'class="chart-bar"',
        "The same as a table",
        f"?group={group().pk}",
        "Nobody has acknowledged it.",
    ]:
        assert words in shown, words
    assert shown.count("/admin/sync/deadletter/") == 10 + 3
    assert f"/admin/sync/deadletter/{id}/" not in shown
    assert "Redrive all" in shown


def test_a_resolved_cause_says_so_and_one_that_came_back_since_when(boss: Client) -> None:
    ids = dead_letters(2, at=now() - 5 * HOUR)
    at = now() - 3 * HOUR
    DeadLetter.objects.filter(pk__in=ids).update(state="recovered", resolved_at=at)
    shown = text(boss, page(group()))
    assert re.search(r"Resolved <time[^>]+>3 hours ago</time>, after 2 recovered", shown)
    assert "Acknowledge<" not in shown
    dead_letters(1, at=now() - 2 * HOUR)
    shown = text(boss, page(group()))
    assert re.search(r"Back again since <time[^>]+>2 hours ago</time>: it had been resolved <time", shown)
    assert "Back again</span>" in text(boss, LIST)


def test_every_button_does_its_verb_and_is_audited(boss: Client, admin_user: User) -> None:
    dead_letters(2, at=now())
    me = f"staff:{admin_user.pk}"
    did = []

    def press(verb: str, **given: Any) -> CauseGroup:
        answer = boss.post(f"{LIST}{group().pk}/{verb}/", given, follow=True)
        assert answer.redirect_chain == [(page(group()), 302)]
        assert 'class="success"' in answer.content.decode()
        did.append(verb)
        return group()

    assert press("acknowledge").acknowledged_by == me
    assert press("unacknowledge").acknowledged_by == ""
    assert press("assign", owner=admin_user.pk).owner == admin_user
    assert press("assign", owner="").owner is None
    assert press("note", words=" Told them. ").notes.get().words == "Told them."
    until = press("snooze", lasts="4", to_count="9").snoozed_until
    assert until is not None
    assert abs(until - now() - 4 * HOUR) < timedelta(minutes=1)
    assert press("snooze", lasts="count", to_count="9").snoozed_to_count == 9
    assert standings.of(press("unsnooze"), now()) is Standing.OPEN
    entries = AuditEntry.objects.filter(actor_id=me, target_type="sync.causegroup")
    assert entries.count() == len(did)
    # The record's own history says the same, and the audit log says it once.
    assert "Told them" not in text(boss, f"{LIST}{group().pk}/history/")


@pytest.mark.parametrize(
    ("verb", "given", "words"),
    [
        ("assign", {"owner": "999999"}, "Nobody on the staff has this id."),
        ("assign", {"owner": "x"}, "Choose somebody on the staff."),
        ("note", {"words": "  "}, "Write a note of up to 2,000 characters."),
        ("note", {"words": "x" * 2_001}, "Write a note of up to 2,000 characters."),
        ("note", {"words": "a\x00b"}, "Write a note of up to 2,000 characters."),
        ("snooze", {"lasts": "9999"}, "Choose for how long"),
        ("snooze", {"lasts": "count"}, "Choose for how long"),
        ("snooze", {"lasts": "count", "to_count": "0"}, "More than that are open already: 1."),
        ("snooze", {"lasts": "count", "to_count": "9" * 30}, "More than that are open already: 1."),
        ("unacknowledge", {}, "Nobody has acknowledged it."),
    ],
)
def test_what_does_not_fit_is_refused_in_words(
    boss: Client, verb: str, given: dict[str, str], words: str
) -> None:
    dead_letters(1, at=now())
    before = CauseGroup.objects.values().get()
    answer = boss.post(f"{LIST}{group().pk}/{verb}/", given, follow=True)
    assert words in answer.content.decode()
    assert CauseGroup.objects.values().get() == before
    assert not group().notes.exists()


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_a_post_with_permission_on_a_cause_that_is_there(staff: Staff, verb: str) -> None:
    dead_letters(1, at=now())
    url = f"{LIST}{group().pk}/{verb}/"
    worker = staff("view_causegroup", "assign_deadletter")
    assert worker.get(url).status_code == 405
    assert worker.post(f"{LIST}999999/{verb}/").status_code == 404
    assert worker.post(f"{LIST}x/{verb}/").status_code == 404
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(User.objects.get(username="nora"))
    assert careful.post(url).status_code == 403
    # Whoever may look may not yet do it.
    User.objects.get(username="nora").user_permissions.set(
        [Permission.objects.get(codename="view_causegroup")]
    )
    assert worker.get(page(group())).status_code == 200
    assert worker.post(url, {"words": "x", "lasts": "1"}).status_code == 403
    assert AuditEntry.objects.filter(target_type="sync.causegroup").count() == 0


def test_a_reader_sees_no_buttons_and_nobody_else_sees_the_pages(staff: Staff) -> None:
    dead_letters(1, at=now())
    reader = staff("view_causegroup")
    shown = text(reader, page(group()))
    for word in ('<form method="post" action="/admin/sync', "/admin/sync/deadletter/", "textarea"):
        assert word not in shown
    assert reader.get(f"{LIST}999999/change/").status_code == 404
    assert reader.get(f"{LIST}{'9' * 30}/change/").status_code == 404
    assert reader.post(page(group())).status_code == 405
    assert reader.post(LIST).status_code == 405
    User.objects.get(username="nora").user_permissions.set([])
    assert reader.get(LIST).status_code == 403
    assert reader.get(page(group())).status_code == 403


def test_new_causes_are_a_need_until_somebody_acknowledges_them(boss: Client, admin_user: User) -> None:
    request = RequestFactory().get("/admin/")
    request.user = admin_user

    def needs() -> list[str]:
        return [need.title for need in site.needs(request) if LIST in need.url]

    assert needs() == []
    dead_letters(2, at=now())
    dead_letters(1, at=now(), code="status_503")
    assert needs() == ["2 causes of dead letters that nobody has acknowledged"]
    groups.acknowledge(group(code="status_503").pk, by="staff:7", now=now())
    [need] = [need for need in site.needs(request) if LIST in need.url]
    assert need.title == "1 cause of dead letters that nobody has acknowledged"
    assert need.detail.startswith("2 letters are open.")
    assert boss.get(need.url).status_code == 200
    groups.snooze(group(code="status_422").pk, until=now() + HOUR, by="staff:7", now=now())
    assert needs() == []


def test_the_menu_counts_causes_that_are_not_snoozed(boss: Client) -> None:
    for number in range(3):
        dead_letters(1, at=now(), code=f"code_{number}")
    groups.snooze(group(code="code_0").pk, until=now() + HOUR, by="staff:7", now=now())
    assert re.search(r"Dead letters.{0,120}>2<", text(boss, LIST))


@pytest.fixture
def neighbours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pages that other rooms add one day: runbooks, and the confirm page of bulk operations."""
    # The site itself, for monkeypatch restores nothing through Django's LazyObject.
    monkeypatch.setattr(site._wrapped, "_views", list(site._views))

    def nothing(request: HttpRequest, code: str = "") -> HttpResponse:
        return HttpResponse("")

    site.register_view("runbook-of-tests/<str:code>/", nothing, "runbook")
    site.register_view("confirm-of-tests/", nothing, "sync_bulk_confirm")
    load_urls()
    yield
    monkeypatch.undo()
    load_urls()


def load_urls() -> None:
    clear_url_caches()
    importlib.reload(importlib.import_module(settings.ROOT_URLCONF))


def test_where_they_exist_it_leads_to_runbooks_and_to_verbs_for_all_letters(
    neighbours: None, boss: Client, staff: Staff
) -> None:
    dead_letters(2, at=now())
    assert 'runbook-of-tests/status_422/">Step by step' in text(boss, LIST)
    shown = text(boss, page(group()))
    assert "runbook-of-tests/status_422/" in shown
    assert "Redrive all 2 …" in shown
    for kind in ("redrive", "discard", "assign"):
        assert f"/confirm-of-tests/?kind={kind}&amp;group={group().pk}" in shown
    # Who may not run them is not led there.
    assert "confirm-of-tests" not in text(staff("view_causegroup", "assign_deadletter"), page(group()))


def test_who_did_what_is_told_newest_first(monkeypatch: pytest.MonkeyPatch, boss: Client) -> None:
    dead_letters(1, at=now())
    monkeypatch.setattr(site._wrapped, "_histories", [])

    def told(kind: str, id: str) -> list[Moment]:
        assert (kind, id) == ("sync.causegroup", str(group().pk))
        at = now() - 2 * HOUR
        return [
            Moment(at, "act", "Assigned <b>it</b>", by="key:3"),
            Moment(at + HOUR, "act", "Noted something", by="staff:0"),
        ]

    site.register_history(told, permission="sync.view_causegroup")
    shown = text(boss, page(group()))
    assert shown.index("Noted something, by user 0") < shown.index(
        "Assigned &lt;b&gt;it&lt;/b&gt;, by API key 3"
    )
