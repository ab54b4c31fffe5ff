"""Bulk operations in the admin: confirmed on what was shown, begun once, watched, and decided by two where it
sends many messages.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from observability import api_keys
from observability.models import AuditEntry
from sync.dead_letters import bulk, letters, ramp, sample
from sync.dead_letters.admin import bulk as bulk_page
from sync.dead_letters.admin import bulk_words
from sync.dead_letters.chosen import Chosen
from sync.dead_letters.refusal import Refused
from sync.models import BulkItem, BulkOperation, CauseGroup, DeadLetter, Location, SyncJob
from sync.models.bulk_operation import COUNTED
from tests.conftest import Staff
from tests.sync.dying import NOW, Destination, dead_letters, location
from trainu.admin_site import site

VERBS = ("approve", "pause", "resume", "cancel")
CONFIRM, START = "/admin/sync/bulk/confirm/", "/admin/sync/bulk/start/"
RUN = ("run_bulkoperation", "view_bulkoperation")
HOSTILE = "<script>alert(1)</script>\u202egnp.exe"


@pytest.fixture(autouse=True)
def place(db: None) -> Location:
    return location()


def begin(count: int, kind: str = "discard", chosen: Chosen | None = None, **options: Any) -> BulkOperation:
    given = {"by": "staff:7", "reason": "Their form.", "shown_count": count, "now": NOW}
    return bulk.start(kind, chosen or Chosen(), **given | options)


def sends(count: int) -> list[int]:
    """Write letters whose jobs send a message to a person."""
    ids = dead_letters(count, subject="message.send")
    jobs = list(DeadLetter.objects.filter(pk__in=ids).values_list("job", flat=True))
    SyncJob.objects.filter(pk__in=jobs).update(operation="message.send")
    return ids


def proposed(by: str = "staff:7") -> BulkOperation:
    sends(1_001)
    return begin(1_001, "redrive", by=by, confirmed_count=1_001)


def form_of(page: str) -> dict[str, str]:
    """Return what the confirm page would post as it stands."""
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in fields if name != "csrfmiddlewaretoken"}


def shown(client: Client, **query: Any) -> str:
    answer = client.get(CONFIRM, query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def address(operation: BulkOperation, verb: str = "change") -> str:
    return f"/admin/sync/bulkoperation/{operation.pk}/{verb}/"


def counted(page: str) -> dict[str, int]:
    """Return the figures of the page by what they are called."""
    pairs = re.findall(r"<dt>([^<]+)</dt><dd>(?:<a [^>]+>)?([\d,]+)", page)
    return {words: int(figure.replace(",", "")) for words, figure in pairs}


def test_the_page_says_what_will_happen_to_which_letters(boss: Client, place: Location) -> None:
    dead_letters(12, words="mira.stone@example.org is no email")
    sends(3)
    Location.objects.update(state="paused", state_reason="Moving.")
    page = shown(boss, kind="redrive")
    for words in (
        "Redrive 15 dead letters",
        "1, 10, 100, then 500 at a time",
        "It stops by itself",
        "It looks first",
        "3 of them send a message",
        "15 wait until Studio",
        "The first 10 of them",
        "Letters that arrive after",
    ):
        assert words in page, words
    # Jobs of one millisecond have no order among them: which ten these are is left to chance.
    assert len(set(re.findall(r"\bc-\d+\b", page))) >= 7
    assert re.findall(r'<td class="num">(\d+)</td>', page) == ["12", "3"]
    assert not {"Mira", "mira.stone"} & set(re.findall(r"[\w.]+", page))
    group = CauseGroup.objects.get(subject="message.send")
    assert "Discard 3 dead letters" in shown(boss, kind="discard", group=group.pk)
    assert "undo" in shown(boss, kind="discard", group=group.pk)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"kind": "purge"}, "does not say what to do"),
        ({}, "does not say what to do"),
        ({"kind": "redrive", "group": "x"}, "whole number"),
        ({"kind": "redrive", "before": "soon"}, "is a moment such as"),
        ({"kind": "redrive", "payload": "city"}, "name=value"),
        ({"kind": "redrive", "operation": "9" * 30}, "whole number"),
    ],
)
def test_a_filter_that_cannot_be_read_chooses_nothing(boss: Client, query: Any, words: str) -> None:
    dead_letters(1)
    for answer in (
        boss.get(CONFIRM, query),
        boss.post(START, {"kind": query.get("kind", ""), "filter": urlencode(query), "reason": "x"}),
    ):
        assert answer.status_code == 400
        assert words in unescape(answer.content.decode())
    assert not BulkOperation.objects.exists()


def test_where_nothing_matches_or_too_many_do_there_is_no_button(
    boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No letter matches now" in shown(boss, kind="redrive", location="loc-9")
    assert "Only what is discarded can be restored" in shown(boss, kind="restore")
    dead_letters(3)
    monkeypatch.setattr(bulk, "MOST", 2)
    page = shown(boss, kind="redrive")
    assert "More than 2 letters match" in page
    assert START not in page


def test_letters_that_arrive_after_the_page_was_shown_are_untouched(boss: Client) -> None:
    mine = dead_letters(3)
    page = shown(boss, kind="discard", code="status_422")
    later = dead_letters(2, at=datetime.now(UTC) + timedelta(seconds=1))
    answer = boss.post(START, form_of(page) | {"reason": "Spam."})
    operation = BulkOperation.objects.get()
    assert answer.headers["Location"] == address(operation)
    assert set(operation.items.values_list("letter", flat=True)) == set(mine)
    while ramp.step(now=NOW):
        pass
    assert set(DeadLetter.objects.filter(state="open").values_list("pk", flat=True)) == set(later)


def test_an_earlier_moment_of_the_filter_stays_and_a_later_one_does_not(boss: Client) -> None:
    dead_letters(1)
    assert "2026-11-24T" in form_of(shown(boss, kind="discard", before="2026-11-24T00:00"))["filter"]
    assert "2099" not in form_of(shown(boss, kind="discard", before="2099-01-01"))["filter"]


def test_a_set_that_has_changed_is_shown_again_with_all_that_was_typed(
    boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CONFIRM_ABOVE", 1)
    nora = User.objects.create_user("nora", is_staff=True)
    ids = dead_letters(4)
    typed = {"reason": "Nora knows <them>.", "assign_to": str(nora.pk), "typed": "4"}
    sent = form_of(shown(boss, kind="assign")) | typed
    letters.discard(ids[:1], "Spam.", by="staff:7", now=NOW)
    page = boss.post(START, sent).content.decode()
    assert "3 letters now, not 4" in page
    assert not BulkOperation.objects.exists()
    assert "Nora knows &lt;them&gt;." in page
    assert f'<option value="{nora.pk}" selected>' in page
    assert 'name="typed" value="4"' in page
    again = form_of(page)
    assert (again["shown"], again["filter"]) == ("3", sent["filter"])
    page = boss.post(START, again | typed).content.decode()
    assert "Type the number of letters to go on: 3" in page
    boss.post(START, again | typed | {"typed": " 3 "})
    operation = BulkOperation.objects.get()
    assert (operation.total, operation.assignee, operation.reason) == (3, nora, typed["reason"])
    assert AuditEntry.objects.get(action="bulk.start").actor_id == operation.by


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"reason": " "}, "Say why."),
        ({"reason": "x" * 301}, "at most 300"),
        ({"reason": "x\x00"}, "Null characters"),
        ({"reason": "x", "assign_to": "999999"}, "not one of the available choices"),
        ({"reason": "x", "assign_to": ""}, "Choose whom."),
        ({"reason": "x", "shown": "many", "assign_to": "0"}, "2 letters now, not 0"),
    ],
)
def test_what_does_not_fit_is_said_at_its_field(boss: Client, typed: dict[str, str], words: str) -> None:
    dead_letters(2)
    page = boss.post(START, form_of(shown(boss, kind="assign")) | typed)
    assert page.status_code == 200
    assert words in page.content.decode()
    assert not BulkOperation.objects.exists()


def test_a_button_that_is_pressed_twice_begins_one_operation(boss: Client) -> None:
    dead_letters(2)
    group = CauseGroup.objects.get()
    query = {"kind": "discard", "group": group.pk, "before": "2026-11-24T00:00"}
    sent = form_of(shown(boss, **query)) | {"reason": "Spam."}
    first, second = boss.post(START, sent), boss.post(START, sent)
    operation = BulkOperation.objects.get()
    assert first.headers["Location"] == second.headers["Location"] == address(operation)
    assert operation.group == group
    # Another page of the same filter is another decision.
    boss.post(START, form_of(shown(boss, **query)) | {"reason": "Spam."})
    assert BulkOperation.objects.count() == 2


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_a_post_of_somebody_who_may(verb: str, staff: Staff) -> None:
    dead_letters(2)
    operation = begin(2)
    url = address(operation, verb)
    mere = staff("view_bulkoperation")
    assert mere.post(url).status_code == 403
    user = User.objects.get(username="nora")
    user.user_permissions.set(Permission.objects.filter(codename__in=RUN))
    assert mere.get(url).status_code == 405
    assert mere.post(f"/admin/sync/bulkoperation/999999/{verb}/").status_code == 404
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert strict.post(url).status_code == 403
    assert Client().post(url).status_code == 302
    operation.refresh_from_db()
    assert operation.state == "running"


def test_confirming_and_starting_take_the_permission(staff: Staff) -> None:
    dead_letters(1)
    mere = staff("view_bulkoperation", "discard_deadletter", "redrive_deadletter")
    assert mere.get(CONFIRM, {"kind": "discard"}).status_code == 403
    assert mere.post(START, {"kind": "discard"}).status_code == 403
    user = User.objects.get(username="nora")
    user.user_permissions.set(Permission.objects.filter(codename__in=RUN))
    sent = form_of(shown(mere, kind="discard")) | {"reason": "Spam."}
    assert mere.get(START).status_code == 405
    assert mere.post(CONFIRM, sent).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert strict.post(START, sent).status_code == 403
    assert Client().get(CONFIRM).status_code == 302
    assert not BulkOperation.objects.exists()


def test_many_messages_wait_for_a_second_person_and_nothing_runs(staff: Staff) -> None:
    starter = staff(*RUN)
    other = User.objects.create_user("omar", is_staff=True)
    other.user_permissions.set(Permission.objects.filter(codename__in=RUN))
    sends(1_001)
    dead_letters(2)
    page = shown(starter, kind="redrive", subject="message.send")
    assert "A second person has to approve this" in page
    starter.post(START, form_of(page) | {"reason": "Back.", "typed": "1,001"})
    operation = BulkOperation.objects.get()
    assert (operation.state, operation.messages, operation.total) == ("proposed", 1_001, 1_001)
    destination = Destination()
    assert not ramp.step(now=NOW)
    assert not ramp._work(operation.pk, now=NOW)
    assert not destination.work(NOW + timedelta(days=1))
    assert "You have started it" in starter.get(address(operation)).content.decode()
    answer = starter.post(address(operation, "approve"), follow=True).content.decode()
    assert "Somebody else has to approve it" in answer
    operation.refresh_from_db()
    assert (operation.state, operation.approved_by) == ("proposed", "")
    second = Client()
    second.force_login(other)
    [need] = bulk_page.needs(second.get("/admin/").wsgi_request)
    assert (need.urgency, need.url) == (2, address(operation))
    assert "1,001 messages" in need.title
    assert "Approve and begin" in second.get(address(operation)).content.decode()
    second.post(address(operation, "approve"))
    operation.refresh_from_db()
    assert (operation.state, operation.approved_by) == ("running", f"staff:{other.pk}")
    assert AuditEntry.objects.get(action="bulk.approve").actor_id == f"staff:{other.pk}"
    assert ramp.step(now=NOW)
    while destination.work(NOW + timedelta(days=1)):
        pass
    assert len(destination.sends) == 1
    for nobody in ("pause", "cancel", "resume"):
        assert second.get(address(operation, nobody)).status_code == 405


def test_a_thousand_messages_take_one_person_and_other_kinds_always() -> None:
    sends(1_001)
    assert begin(1_001, confirmed_count=1_001).state == "running"
    DeadLetter.objects.filter(pk=DeadLetter.objects.first().pk).update(  # type: ignore[union-attr]
        state="recovered", resolved_at=NOW
    )
    operation = begin(1_000, "redrive")
    assert (operation.state, operation.messages) == ("running", 1_000)


def test_a_proposed_one_is_canceled_with_all_its_letters_untouched() -> None:
    operation = proposed()
    with pytest.raises(Refused, match="It waits for a second person"):
        bulk.pause(operation.pk, by="staff:8")
    with pytest.raises(Refused, match="It waits for a second person"):
        bulk.resume(operation.pk, by="staff:8")
    canceled = bulk.cancel(operation.pk, by="staff:7", now=NOW)
    assert (canceled.state, canceled.canceled, canceled.pending) == ("canceled", 1_001, 0)
    assert DeadLetter.objects.filter(state="open").count() == 1_001
    with pytest.raises(Refused, match="It is canceled"):
        bulk.approve(operation.pk, by="staff:8", now=NOW)


def test_the_database_lets_nobody_get_round_the_second_person() -> None:
    operation = proposed()
    wrong: list[dict[str, Any]] = [
        {"state": "running"},
        {"state": "running", "approved_by": operation.by},
        {"approved_by": operation.by},
    ]
    for fields in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            BulkOperation.objects.update(**fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        item = BulkItem.objects.filter(operation=operation)[:1]
        BulkItem.objects.filter(pk__in=item.values("pk")).update(state="skipped", ended_at=NOW)


def test_by_the_api_a_key_is_a_person_of_its_own() -> None:
    def app() -> Any:
        row, key = api_keys.issue(f"app-{uuid4()}", ["sync:read", "sync:operate"], limit_per_minute=0)
        headers = {"Authorization": f"Bearer {key}"}

        def call(path: str, body: Any) -> Any:
            content = json.dumps(body).encode()
            return Client().generic("POST", f"/api{path}", content, "application/json", headers=headers)

        return call, f"key:{row.pk}"

    first, name = app()
    second, other = app()
    sends(1_001)
    wanted = {"kind": "redrive", "filter": {}, "reason": "x", "shown_count": 1_001, "confirmed_count": 1_001}
    begun = first("/bulk-operations", wanted).json()
    assert (begun["state"], begun["messages"], begun["by"]) == ("proposed", 1_001, name)
    url = f"/bulk-operations/{begun['operation_id']}/approve"
    refused = first(url, {})
    assert (refused.status_code, refused.json()["code"]) == (409, "same_person")
    told = second(url, {}).json()
    assert (told["state"], told["approved_by"]) == ("running", other)
    assert second(url, {}).json()["code"] == "wrong_state"
    assert second("/bulk-operations/999/approve", {}).status_code == 404


def test_canceling_takes_a_reason_and_keeps_what_was_not_begun(staff: Staff) -> None:
    client = staff(*RUN)
    dead_letters(30)
    operation = begin(30, "redrive")
    ramp.step(now=NOW)
    page = client.post(address(operation, "cancel"), follow=True).content.decode()
    assert "Give a reason" in page
    client.post(address(operation, "cancel"), {"reason": "Wrong ones, ask jane@example.com"})
    operation.refresh_from_db()
    assert (operation.state, operation.canceled, operation.sent) == ("canceled", 29, 1)
    assert DeadLetter.objects.filter(state="open").count() == 29
    assert "jane" not in AuditEntry.objects.get(action="bulk.cancel").reason
    for verb in ("pause", "resume"):
        answer = client.post(address(operation, verb), follow=True).content.decode()
        assert "It is canceled, so that is not possible" in answer


def test_one_that_stopped_by_itself_says_why_and_what_to_look_at(boss: Client) -> None:
    dead_letters(30)
    operation = begin(30, "redrive")
    broken = Destination(takes=lambda job: False)
    for minute in range(4):
        ramp.step(now=NOW + timedelta(minutes=minute))
        broken.work(NOW + timedelta(minutes=minute))
    page = boss.get(address(operation)).content.decode()
    group = CauseGroup.objects.get()
    for words in (
        "Stopped by itself",
        "1 of 1 failed again of the same cause. It is still there. 29 letters were not begun.",
        "?items=failed_same_cause#letters",
        reverse("admin:sync_causegroup_change", args=[group.pk]),
        "Resume with one letter",
        "finds a field wrong",
    ):
        assert words in page, words
    [need] = bulk_page.needs(boss.get("/admin/").wsgi_request)
    assert "stopped by itself" in need.title
    assert bulk_page.waiting() == 1
    boss.post(address(operation, "resume"))
    operation.refresh_from_db()
    assert (operation.state, operation.step_size) == ("running", 0)
    assert bulk_page.waiting() == 0


def test_a_discarded_set_is_restored_as_it_was_and_no_letter_beside_it(boss: Client) -> None:
    mine, others = dead_letters(3), dead_letters(2)
    letters.discard(others, "Other.", by="staff:7", now=NOW)
    operation = begin(3)
    while ramp.step(now=NOW):
        pass
    page = boss.get(address(operation)).content.decode()
    assert f"{CONFIRM}?kind=restore&amp;operation={operation.pk}" in page
    # What was discarded anew since, somebody has decided again.
    letters.restore(mine[:1], by="staff:7")
    letters.discard(mine[:1], "Again.", by="staff:7", now=NOW + timedelta(hours=1))
    sent = form_of(shown(boss, kind="restore", operation=operation.pk)) | {"reason": "Wanted after all."}
    assert sent["shown"] == "2"
    boss.post(START, sent)
    while ramp.step(now=NOW):
        pass
    assert set(DeadLetter.objects.filter(state="open").values_list("pk", flat=True)) == set(mine[1:])
    undone = BulkOperation.objects.get(kind="restore")
    assert undone.chosen["operation_id"] == operation.pk
    assert "restore" not in boss.get(address(undone)).content.decode().partition("What you can do")[2][:200]


def test_the_part_that_refreshes_itself_ends_with_operation_and_session(boss: Client, staff: Staff) -> None:
    dead_letters(3)
    operation = begin(3)
    url = address(operation, "progress")
    assert url == reverse("admin:sync_bulk_progress", args=[operation.pk])
    page = boss.get(address(operation)).content.decode()
    assert f'hx-get="{url}?seen=running-0-0" hx-trigger="every 2s"' in page
    part = boss.get(url, {"seen": "running-0-0"})
    assert part.status_code == 200
    assert 'id="bulk-state"' not in part.content.decode()
    while ramp.step(now=NOW):
        pass
    part = boss.get(url, {"seen": "running-0-0"})
    assert part.status_code == 286
    told = part.content.decode()
    assert 'id="bulk-state" hx-swap-oob="innerHTML"' in told
    assert "Restore these letters" in told
    assert told.partition('id="bulk-letters"')[2].count("/admin/sync/deadletter/") == 3
    assert "hx-get" not in told
    assert "<html" not in told
    gone = Client().get(url)
    assert (gone.status_code, gone.headers["HX-Refresh"], gone.content) == (286, "true", b"")
    assert staff("run_bulkoperation").get(url).status_code == 403
    assert boss.post(url).status_code == 405
    assert boss.get("/admin/sync/bulkoperation/999/progress/").status_code == 404


def test_a_step_refreshes_the_words_and_not_what_somebody_is_writing(boss: Client) -> None:
    dead_letters(3)
    operation = begin(3, "redrive")
    ramp.step(now=NOW)
    part = boss.get(address(operation, "progress"), {"seen": "running-0-0"}).content.decode()
    assert "Step 1 is under way, of 1 letter at most" in part
    assert "up to 2 more, if some recover" in part
    assert 'id="bulk-decision"' not in part


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(BulkOperation.Kind.values),
    st.lists(st.integers(0, 100_000), min_size=len(COUNTED), max_size=len(COUNTED)),
)
def test_the_figures_of_a_page_add_up_to_its_letters(kind: str, counts: list[int]) -> None:
    figures = dict(zip(COUNTED, counts, strict=True))
    operation = BulkOperation(pk=1, kind=kind, state="running", total=sum(counts), **figures)
    assert sum(one.count for one in bulk_words.counters(operation)) == operation.total


def test_a_page_of_ten_thousand_letters_is_as_quick_and_its_figures_are_the_rows(boss: Client) -> None:
    dead_letters(10_000)
    operation = begin(10_000, "redrive", confirmed_count=10_000)
    ended = BulkItem.objects.filter(operation=operation).order_by("pk")[:60]
    BulkItem.objects.filter(pk__in=list(ended.values_list("pk", flat=True))).update(
        state="skipped", words="It was discarded.", ended_at=NOW
    )
    boss.get(address(operation))
    with CaptureQueriesContext(connection) as asked:
        page = boss.get(address(operation)).content.decode()
    assert len([one for one in asked if "sync_" in one["sql"]]) <= 7
    assert len(page) < 120_000
    figures = counted(page.partition('class="tally"')[2].partition("</dl>")[0])
    assert sum(figures.values()) == 10_000
    assert (figures["Skipped"], figures["Not begun"]) == (60, 9_940)
    assert "60 of 10,000, 0 %" in page
    # Those that need a look come first, fifty at a time, each with its reason.
    assert page.count("It was discarded.") == 50
    [after] = re.findall(r"items=skipped&amp;after=(\d+)", page)
    rest = boss.get(address(operation), {"items": "skipped", "after": after}).content.decode()
    assert rest.count("It was discarded.") == 10
    for odd in ({"items": "lost"}, {"after": "x"}, {"after": "9" * 40}):
        assert boss.get(address(operation), odd).status_code == 200


def test_the_list_is_readable_at_one_cost(boss: Client) -> None:
    nora = User.objects.create_user("nora", first_name="Nora", last_name="Lind", is_staff=True)
    costs = []
    for count in (1, 15):
        for number in range(count):
            place = location(f"loc-{count}-{number}")
            dead_letters(1, location_id=place.pk, code=f"code_{count}_{number}")
            group = CauseGroup.objects.get(code=f"code_{count}_{number}")
            begin(1, by=f"staff:{nora.pk}", chosen=Chosen(group_id=group.pk, location_id=place.pk))
        boss.get("/admin/sync/bulkoperation/")
        with CaptureQueriesContext(connection) as asked:
            page = boss.get("/admin/sync/bulkoperation/").content.decode()
        costs.append(len([one for one in asked if "sync_" in one["sql"]]))
    # The switch's line, operations, causes, locations, and what they are called.
    assert costs == [5, 5]
    for words in ("Discard of 1 letter", "of the cause “contact.update:", "of Studio", "Nora Lind", "0 of 1"):
        assert words in page, words


def test_what_strangers_wrote_is_shown_escaped_and_cut(boss: Client) -> None:
    ids = dead_letters(2, words=HOSTILE)
    SyncJob.objects.filter(letter=ids[0]).update(payload={"contact_id": HOSTILE, "tags": ["x" * 1_000_000]})
    Location.objects.update(name=HOSTILE)
    operation = begin(2, reason=HOSTILE, chosen=Chosen(location_id="loc-1"))
    BulkItem.objects.update(words=HOSTILE, state="skipped", ended_at=NOW)
    pages = [
        shown(boss, kind="redrive", payload="a=" + HOSTILE, location=HOSTILE),
        shown(boss, kind="redrive"),
        boss.get(address(operation)).content.decode(),
        boss.get("/admin/sync/bulkoperation/").content.decode(),
        boss.post(START, {"kind": "discard", "filter": "", "reason": HOSTILE}).content.decode(),
    ]
    for page in pages:
        assert "<script>alert" not in page
        assert len(page) < 100_000
    assert "\u202e" not in pages[1]


def test_a_sample_is_bounded_and_counts_as_the_operation_does() -> None:
    for number in range(13):
        dead_letters(number + 1, code=f"code_{number}")
    found = sample.of("redrive", Chosen())
    assert found.count == bulk.count("redrive", Chosen()) == 91
    assert [count for _, count in found.causes] == list(range(13, 3, -1))
    assert (found.other_causes, len(found.letters)) == (3, 10)
    first = list(DeadLetter.objects.order_by("pk").values_list("pk", flat=True)[:10])
    assert [letter.pk for letter, _ in found.letters] == first
    with CaptureQueriesContext(connection) as asked:
        sample.of("redrive", Chosen())
    assert len([one for one in asked if "sync_" in one["sql"]]) <= 7


def test_readers_see_no_button_and_the_badge_is_theirs(staff: Staff) -> None:
    reader = staff("view_bulkoperation")
    operation = proposed()
    page = reader.get(address(operation)).content.decode()
    assert "needs a permission" in page
    assert "Approve and begin" not in page
    assert bulk_page.waiting() == 1
    assert "admin:sync_bulkoperation_changelist" in site._badges
    stranger = User.objects.get(username="nora")
    stranger.user_permissions.clear()
    assert reader.get(address(operation)).status_code == 403
    assert site.needs(reader.get("/admin/").wsgi_request) == []
