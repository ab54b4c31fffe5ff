"""The list of dead letters in the admin: narrowed, paged, worked on one by one or several at once; views."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from observability.models import AuditEntry
from sync.dead_letters import personal, search, views
from sync.dead_letters.admin.addresses import address
from sync.dead_letters.refusal import Refused
from sync.models import CauseGroup, DeadLetter, SavedView, SyncJob
from tests.conftest import Staff
from tests.sync.dying import HOUR, NOW, dead_letters, dead_webhook, location
from tests.sync.test_dead_letters_api import Caller
from trainu.bounded_query import TooBroad

pytestmark = pytest.mark.django_db
LIST = "/admin/sync/deadletter/"
ACT = "/admin/sync/letters/{}/"
SAVE = "/admin/sync/letters/views/save/"
VERBS = {"redrive": "redrive_deadletter", "discard": "discard_deadletter", "assign": "assign_deadletter"}


def words(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def shown(answer: Any) -> list[int]:
    return [row.letter.pk for row in answer.context["rows"]]


def saved(query: str = "code=status_422", name: str = "Refused") -> SavedView:
    return views.save(name, query, by="staff:7", now=NOW)


def forged(boss: Client) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.cookies = boss.cookies
    return client


def test_the_list_opens_for_who_may_view_letters_and_is_only_read(client: Client, staff: Staff) -> None:
    assert client.get(LIST)["Location"].startswith("/admin/login/")
    assert staff("view_causegroup").get(LIST).status_code == 403
    User.objects.all().delete()
    reader = staff("view_deadletter")
    assert reader.get(LIST).status_code == 200
    assert reader.post(LIST).status_code == 405


def test_it_says_what_was_to_be_done_and_why_not_whatever_strangers_have_written(boss: Client) -> None:
    place = location()
    hostile = "<script>alert(1)</script>\u202egnp " + "x" * 400
    [id] = dead_letters(1, words=hostile, status=422)
    webhook = dead_webhook(place)
    page = boss.get(LIST).content.decode()
    assert "Change fields of a contact" in page
    assert "GoHighLevel finds a field wrong or missing." in page
    assert "Webhook: contact create" in page
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "x" * 300 not in page
    assert "Mira" not in page
    for letter in (id, webhook.letter.pk):
        assert f'href="{LIST}{letter}/change/"' in page
    group = DeadLetter.objects.get(pk=id).group_id
    assert f'href="/admin/sync/causegroup/{group}/change/"' in page


def test_open_letters_are_shown_unless_another_state_is_asked_for(boss: Client) -> None:
    location()
    ids = dead_letters(3)
    DeadLetter.objects.filter(pk=ids[0]).update(state="recovered", resolved_at=NOW)
    assert shown(boss.get(LIST)) == [ids[2], ids[1]]
    assert shown(boss.get(f"{LIST}?state=recovered")) == [ids[0]]
    assert shown(boss.get(f"{LIST}?state=all")) == ids[::-1]
    assert "No letters match" in boss.get(f"{LIST}?state=discarded").content.decode()
    DeadLetter.objects.all().delete()
    assert "No dead letter is open" in boss.get(LIST).content.decode()


def test_each_active_filter_is_a_chip_that_takes_only_itself_away(boss: Client) -> None:
    location()
    [id] = dead_letters(1)
    group = DeadLetter.objects.get(pk=id).group_id
    answer = boss.get(
        f"{LIST}?group={group}&location=loc-1&assignee=0&before=1d&payload=city%3DUlm&state=all"
    )
    chips = {chip.label: (chip.words, chip.url) for chip in answer.context["chips"]}
    assert {label: text for label, (text, _) in chips.items()} == {
        "Cause": "contact.update: email must be an email",
        "Location": "Studio",
        "Owner": "nobody",
        "Died before": "1d ago",
        "Payload": "city=Ulm",
    }
    left = parse_qs(urlsplit(chips["Location"][1]).query)
    assert left == {
        "group": [str(group)],
        "assignee": ["0"],
        "before": ["1d"],
        "payload": ["city=Ulm"],
        "state": ["all"],
    }
    assert '<a href="?">Clear all</a>' in answer.content.decode()
    for menu in answer.context["menus"]:
        assert sum(choice.is_on for choice in menu.choices) == 1, menu


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=9", "HTTP status: write a whole number from 100 to 599."),
        ("before=soon", "Died before: it is a moment such as"),
        ("payload=Ulm", "Payload: write a field and its value"),
        ("state=closed", "State: there is no 'closed'."),
        ("group__id__exact=1", "Group__id__exact: there is no such filter."),
        ("cursor=x", "Pass the cursor of the page before"),
    ],
)
def test_a_bad_filter_is_said_chooses_nothing_and_loses_none_of_the_others(
    boss: Client, query: str, said: str
) -> None:
    location()
    dead_letters(1)
    answer = boss.get(f"{LIST}?{query}&location=loc-1&code=%3Cb%3E")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert escape(said) in page
    assert shown(answer) == []
    assert 'value="loc-1"' in page
    assert 'value="&lt;b&gt;"' in page
    name, _, value = query.partition("=")
    if f'id="id_{name}"' in page:
        assert f'name="{name}"' in page
        assert f'value="{value}"' in page
        assert page.count('aria-invalid="true"') == 1


def test_pages_go_on_from_a_letter_and_show_each_once_while_others_come(boss: Client) -> None:
    location()
    ids = dead_letters(60) + dead_letters(60, at=NOW + HOUR)
    found: list[int] = []
    path = LIST
    for number in range(3):
        answer = boss.get(path)
        found += shown(answer)
        assert ('rel="first"' in answer.content.decode()) is (number > 0)
        path = f"{LIST}?{answer.context['older']}"
        dead_letters(1, at=NOW + 2 * HOUR)
    assert found == ids[::-1]
    assert answer.context["older"] == ""
    beyond = boss.get(f"{LIST}?cursor=1-1")
    assert "Nothing beyond this point" in beyond.content.decode()


def test_letters_are_counted_to_a_thousand_and_one_cause_by_its_counters(
    boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    location()
    dead_letters(60)
    dead_letters(3, code="timeout")
    monkeypatch.setattr(search, "MOST_COUNTED", 55)
    group = CauseGroup.objects.get(code="status_422")
    assert "55+ letters open" in boss.get(LIST).content.decode()
    assert "60 letters open" in boss.get(f"{LIST}?group={group.pk}").content.decode()
    assert "3 letters open" in boss.get(f"{LIST}?code=timeout").content.decode()
    assert "1 letter open" not in boss.get(LIST).content.decode()


def test_what_takes_too_long_is_said_with_what_would_help(
    boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    location()
    dead_letters(60)

    def too_broad(*_asked: Any, **_named: Any) -> None:
        raise TooBroad

    monkeypatch.setattr(search, "count", too_broad)
    assert "More than 50 letters open" in boss.get(LIST).content.decode()
    monkeypatch.setattr(search, "page", too_broad)
    answer = boss.get(f"{LIST}?code=x")
    assert answer.status_code == 200
    assert "Too broad, add a filter" in answer.content.decode()


def test_payloads_are_searched_in_what_is_dead_and_the_page_says_so(boss: Client) -> None:
    location()
    ids = dead_letters(2)
    SyncJob.objects.filter(letter=ids[0]).update(payload={"city": "Ulm"})
    assert shown(boss.get(f"{LIST}?payload=city%3DUlm")) == [ids[0]]
    said = "Payloads are searched in open and discarded letters only"
    assert said not in boss.get(f"{LIST}?payload=city%3DUlm").content.decode()
    for state in ("recovered", "all"):
        assert said in boss.get(f"{LIST}?payload=city%3DUlm&state={state}").content.decode(), state


def test_the_list_costs_the_same_queries_however_long_it_is(boss: Client) -> None:
    location()
    counts = []
    for count in (1, 60):
        for number in range(min(count, 20)):
            dead_letters(count // 20 or 1, code=f"code_{count}_{number}")
        path = f"{LIST}?group={CauseGroup.objects.latest('pk').pk}&location=loc-1&state=all"
        for asked_for in (LIST, path):
            boss.get(asked_for)
            with CaptureQueriesContext(connection) as asked:
                assert boss.get(asked_for).status_code == 200
            counts.append(len([one for one in asked if "sync_" in one["sql"]]))
    # The switch, causes, locations, views; places, letters. Beyond a page, the count.
    assert counts == [6, 6, 7, 6]


# --- verbs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_for_several_wants_a_post_a_token_of_the_form_and_its_permission(
    boss: Client, staff: Staff, verb: str
) -> None:
    """A GET is 405, another permission 403, a letter that is not there is said, a forged form 403."""
    location()
    [id] = dead_letters(1)
    body = {"id": [str(id)], "reason": "Spam."}
    others = {"view_deadletter", *VERBS.values()} - {VERBS[verb]}
    assert boss.get(ACT.format(verb)).status_code == 405
    assert staff(*others).post(ACT.format(verb), body).status_code == 403
    assert forged(boss).post(ACT.format(verb), body).status_code == 403
    assert Client().post(ACT.format(verb), body)["Location"].startswith("/admin/login/")
    answer = boss.post(ACT.format(verb), body | {"id": [str(id + 1)]}, follow=True)
    assert f"1 letter was left as before: There is no such letter. (Number {id + 1}.)" in words(answer)
    letter = DeadLetter.objects.get()
    assert (letter.state, letter.assigned_to_id) == ("open", None)


def test_several_are_redriven_discarded_and_assigned_and_each_act_is_audited(
    boss: Client, admin_user: User
) -> None:
    location()
    ids = dead_letters(4)
    by = {"actor_id": f"staff:{admin_user.pk}"}
    answer = boss.post(ACT.format("assign"), {"id": ids[:3]}, follow=True)
    assert "3 letters are yours now." in words(answer)
    assert DeadLetter.objects.filter(assigned_to=admin_user).count() == 3
    answer = boss.post(ACT.format("discard"), {"id": [ids[0]], "reason": "A test."}, follow=True)
    assert "1 letter is discarded; each can be restored." in words(answer)
    answer = boss.post(ACT.format("redrive"), {"id": ids}, follow=True)
    assert "3 letters are tried again now." in words(answer)
    assert f"1 letter was left as before: It was discarded. Restore it first. (Number {ids[0]}.)" in words(
        answer
    )
    assert [*DeadLetter.objects.order_by("pk").values_list("state", flat=True)] == [
        "discarded",
        *["redriving"] * 3,
    ]
    actions = [entry.action for entry in AuditEntry.objects.filter(**by, target_type="sync.deadletter")]
    assert sorted(actions) == sorted(
        ["dead_letter.assign"] * 3 + ["dead_letter.discard"] + ["dead_letter.redrive"] * 3
    )


@pytest.mark.parametrize(
    ("verb", "body", "said"),
    [
        ("redrive", {}, "Tick the letters first"),
        ("redrive", {"id": ["x"]}, "Letters are chosen by their numbers."),
        ("redrive", {"id": [str(2**63)]}, "Letters are chosen by their numbers."),
        ("redrive", {"id": [str(n) for n in range(1, 102)]}, "At most 100 letters at once."),
        ("discard", {"id": ["1"], "reason": " "}, "Give a reason of up to 300 characters."),
    ],
)
def test_what_cannot_be_done_is_said(boss: Client, verb: str, body: dict[str, Any], said: str) -> None:
    assert said in words(boss.post(ACT.format(verb), body, follow=True))


def test_a_verb_leads_back_to_the_list_it_came_from_and_nowhere_else(boss: Client) -> None:
    location()
    [id] = dead_letters(1)
    body = {"id": [str(id)]}
    here = f"{LIST}?code=status_422&cursor=1-1"
    assert boss.post(ACT.format("assign"), body | {"next": here})["Location"] == here
    for elsewhere in ("https://evil.example/", "//evil.example", "javascript:alert(1)", "", "http:///x"):
        assert boss.post(ACT.format("assign"), body | {"next": elsewhere})["Location"] == LIST, elsewhere


def test_buttons_are_there_for_who_may_press_them_and_where_their_address_exists(staff: Staff) -> None:
    location()
    ids = dead_letters(60)
    reader = staff("view_deadletter")
    page = reader.get(LIST).content.decode()
    assert 'type="checkbox"' not in page
    assert "Redrive" not in page.partition('id="content-main"')[2].partition("<dialog")[0]
    User.objects.all().delete()
    cache.clear()
    operator = staff("view_deadletter", "redrive_deadletter", "run_bulkoperation")
    answer = operator.get(LIST)
    page = answer.content.decode()
    assert page.count('name="id" value=') == 50
    assert "sync/letters/redrive/" in page
    assert 'value="discard"' not in page
    verb = address("sync_deadletter_redrive", ids[-1])
    assert (f'formaction="{verb}"' in page) is bool(verb)
    assert answer.context["rows"][0].verbs.keys() == ({"redrive"} if verb else set())
    confirm = address("sync_bulk_confirm")
    assert (f'href="{confirm}?kind=redrive"' in page) is bool(confirm)
    # A page that shows all that match needs no other way to all of it.
    assert "that match" not in operator.get(f"{LIST}?before=2026-01-01").content.decode()


# --- saved views ----------------------------------------------------------------------------------


def test_a_view_is_saved_for_everybody_opened_and_removed_and_both_are_audited(boss: Client) -> None:
    body = {"name": " Refused, old ", "query": "code=status_422&before=7d&cursor=1-1&state=all"}
    answer = boss.post(SAVE, body)
    view = SavedView.objects.get()
    assert (view.name, view.query) == ("Refused, old", "code=status_422&before=7d&state=all")
    assert view.by.startswith("staff:")
    assert answer["Location"] == f"{LIST}?{view.query}"
    page = boss.get(LIST).content.decode()
    assert f'<a href="?{escape(view.query)}">Refused, old</a>' in page
    answer = boss.post(f"/admin/sync/letters/views/{view.pk}/remove/", {"next": f"{LIST}?state=all"})
    assert answer["Location"] == f"{LIST}?state=all"
    assert not SavedView.objects.exists()
    entries = AuditEntry.objects.filter(target_type="sync.savedview", target_id=str(view.pk))
    assert sorted(entry.action for entry in entries) == ["view.remove", "view.save"]


def test_views_are_saved_and_removed_by_post_with_a_token_and_by_who_may(boss: Client, staff: Staff) -> None:
    """A GET is 405, another permission 403, a view that is not there 404, a forged form 403."""
    view = saved()
    body = {"name": "Mine", "query": "code=x"}
    remove = f"/admin/sync/letters/views/{view.pk}/remove/"
    nobody = staff("view_deadletter", "view_savedview")
    for path in (SAVE, remove):
        assert boss.get(path).status_code == 405
        assert nobody.post(path, body).status_code == 403
        assert forged(boss).post(path, body).status_code == 403
        assert Client().post(path, body)["Location"].startswith("/admin/login/")
    assert boss.post(f"/admin/sync/letters/views/{view.pk + 1}/remove/").status_code == 404
    assert [one.name for one in SavedView.objects.all()] == ["Refused"]
    page = nobody.get(f"{LIST}?code=x").content.decode()
    assert "Refused" in page
    assert "Save this view" not in page
    assert "/remove/" not in page


@pytest.mark.parametrize(
    ("name", "query", "code"),
    [
        ("", "code=x", "invalid_name"),
        ("x" * 61, "code=x", "invalid_name"),
        ("a\x00b", "code=x", "invalid_name"),
        ("mira@example.org", "code=x", "personal_view"),
        ("Hers", "payload=email%3Dmira%40example.org", "personal_view"),
        ("Hers", "payload=mail%3Dmira%40example.org", "personal_view"),
        ("Hers", "payload=first_name%3DMira", "personal_view"),
        ("Late", "before=yesterday", "invalid_filter"),
        ("Closed", "state=closed", "invalid_filter"),
        ("All", "", "nothing_chosen"),
        ("All", "cursor=1-1", "nothing_chosen"),
        ("Refused", "code=x", "name_taken"),
    ],
)
def test_a_view_that_cannot_be_read_or_may_be_personal_is_not_kept(name: str, query: str, code: str) -> None:
    saved()
    with pytest.raises(Refused) as refused:
        saved(query, name)
    assert refused.value.code == code
    assert SavedView.objects.count() == 1


def test_there_are_no_more_views_than_anybody_reads(monkeypatch: pytest.MonkeyPatch, boss: Client) -> None:
    monkeypatch.setattr(views, "MOST", 1)
    saved(query="payload=city%3DUlm")
    answer = boss.post(SAVE, {"name": "Another", "query": "code=x"}, follow=True)
    assert "There are 1 views already." in words(answer)


def test_a_view_that_asks_for_an_erased_person_goes_with_them() -> None:
    saved("payload=contact_id%3Dc%2F77", "Theirs")
    saved()
    [place] = [one for one in personal.places() if one.name == "saved_views"]
    assert (place.find("c/77"), place.find("nobody")) == (1, 0)
    assert place.erase("c/77") == 1
    assert [view.name for view in SavedView.objects.all()] == ["Refused"]


def test_the_api_has_the_same_verbs_for_views() -> None:
    app = Caller("sync:read", "sync:operate")
    made = app("POST", "/dead-letters/views", {"name": "Old", "query": "before=7d"})
    view = made.json()
    assert (made.status_code, view["query"], view["by"]) == (201, "before=7d", app.name)
    assert app("POST", "/dead-letters/views", {"name": "Old", "query": "before=7d"}).status_code == 409
    refused = app("POST", "/dead-letters/views", {"name": "Hers", "query": "payload=first_name%3DMira"})
    assert (refused.status_code, refused.json()["code"]) == (422, "personal_view")
    assert [one["name"] for one in app("GET", "/dead-letters/views").json()["views"]] == ["Old"]
    remove = f"/dead-letters/views/{view['view_id']}/remove"
    assert app("POST", remove).status_code == 204
    assert app("POST", remove).status_code == 404
