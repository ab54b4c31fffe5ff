"""The page of one dead letter: its story, its verbs and who may call them, its data and who may see it.

A form for any payload gives that payload back, exactly, though a browser is in between.
"""

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.core import signing
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone
from hypothesis import example, given, settings
from hypothesis import strategies as st

from observability.models import AuditEntry
from sync.dead_letters import bulk, changes, fields, letters
from sync.dead_letters.chosen import Chosen
from sync.dead_letters.refusal import Refused
from sync.models import DeadLetter, Location, SyncAttempt, SyncJob, Webhook
from tests.conftest import Staff
from tests.costs import asked_again
from tests.sync.dying import HOUR, NOW, dead_letters, dead_webhook, location
from trainu.moments import Moment
from trainu.partitioned_table import PartitionedTable

pytestmark = pytest.mark.django_db
LIST = "/admin/sync/deadletter/"
ALL = {
    "redrive_deadletter",
    "edit_deadletter",
    "discard_deadletter",
    "assign_deadletter",
    "reveal_deadletter",
}
VERBS = {
    "redrive": ("redrive_deadletter", {}),
    "discard": ("discard_deadletter", {"reason": "Spam."}),
    "restore": ("discard_deadletter", {}),
    "assign": ("assign_deadletter", {"user_id": "me"}),
    "note": ("assign_deadletter", {"words": "Asked them."}),
    "snooze": ("assign_deadletter", {"hours": "4"}),
    "reveal": ("reveal_deadletter", {"reason": "To call them."}),
    "edit": ("edit_deadletter", {"reason": "The name is wrong."}),
    "diff": ("edit_deadletter", {}),
    "send": ("edit_deadletter", {"reason": "The name is wrong."}),
}
HOSTILE = "<script>alert(1)</script>\u202egnp.exe\u200b"
QUERIES = 17


@pytest.fixture(autouse=True)
def place() -> Location:
    return location()


@pytest.fixture
def id() -> int:
    return dead_letters(1)[0]


def letter(id: int) -> DeadLetter:
    return DeadLetter.objects.select_related("job").get(pk=id)


def page(client: Client, id: int) -> str:
    answer = client.get(f"{LIST}{id}/change/")
    assert answer.status_code == 200
    return str(answer.content.decode())


def said(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def store(id: int, payload: dict[str, Any], operation: str = "contact.update") -> None:
    SyncJob.objects.filter(letter=id).update(payload=payload, operation=operation)


def reveals() -> list[tuple[str, str, str, str]]:
    found = AuditEntry.objects.filter(action="data.reveal").order_by("recorded_at")
    return list(found.values_list("actor_id", "target_type", "target_id", "reason"))


class Form(HTMLParser):
    """What a browser would send of a page's forms, untouched: it turns each end of a line into CRLF."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sent: dict[str, str] = {}
        self._area = self._select = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "input" and given.get("name", "csrfmiddlewaretoken") != "csrfmiddlewaretoken":
            self.sent[given["name"]] = given.get("value", "")
        elif tag == "textarea":
            self._area = given["name"]
            self.sent[self._area] = ""
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option" and self._select and ("selected" in given or self._select not in self.sent):
            self.sent[self._select] = given["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            # The first end of a line in it is none of its text.
            text = self.sent[self._area].removeprefix("\n")
            self.sent[self._area] = re.sub("\r\n|\r|\n", "\r\n", text)
            self._area = ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.sent[self._area] += data


def opened(client: Client, id: int, **typed: str) -> dict[str, str]:
    """Open the form of a letter; return what it sends with some fields, by name, typed over."""
    answer = client.post(f"{LIST}{id}/edit/", {"reason": "The name is wrong."})
    assert answer.status_code == 200
    form = Form(answer.content.decode()).sent
    job = SyncJob.objects.get(letter=id)
    keys = {field.name: field.key for field in fields.fields(job.operation, job.payload)}
    return form | {keys[name]: text for name, text in typed.items()}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_wants_a_post_a_token_of_the_form_and_its_permission(
    boss: Client, staff: Staff, id: int, verb: str
) -> None:
    """A GET is 405, every other permission 403, a letter that is not there 404, a forged form 403."""
    permission, body = VERBS[verb]
    address = f"{LIST}{id}/{verb}/"
    assert boss.get(address).status_code == 405
    assert staff("view_deadletter", *(ALL - {permission})).post(address, body).status_code == 403
    assert boss.post(f"{LIST}999999999/{verb}/", body).status_code == 404
    assert Client().post(address, body)["Location"].startswith("/admin/login/")
    forged = Client(enforce_csrf_checks=True)
    forged.cookies = boss.cookies
    assert forged.post(address, body).status_code == 403
    assert not AuditEntry.objects.filter(target_type="sync.deadletter").exists()
    assert letter(id).state == "open"


def test_each_reader_is_offered_what_they_may_do_and_nothing_else(staff: Staff, id: int) -> None:
    reader = staff("view_deadletter")
    user = User.objects.get(username="nora")
    content = page(reader, id).partition('id="content-main"')[2].partition("</main>")[0]
    assert "<form" not in content
    assert "needs a permission that you do not have" in content
    user.user_permissions.set(Permission.objects.filter(codename__in={"view_deadletter", "edit_deadletter"}))
    assert reader.post(f"{LIST}{id}/edit/", {"reason": "x"}).status_code == 403
    assert "/edit/" not in page(reader, id)
    assert reveals() == []


def test_the_page_tells_the_story_masked(boss: Client, place: Location) -> None:
    [id] = dead_letters(1, words="mira.stone@example.org is no email", tries=2)
    job = letter(id).job
    PartitionedTable("sync_attempt").ensure([NOW.date()])
    for number in range(1, 3):
        SyncAttempt.objects.create(
            started_at=NOW + timedelta(seconds=number),
            job_id=job.pk,
            fence=number,
            kind="send",
            outcome="permanent",
            code="status_422",
            status=422,
            duration_ms=120.0,
            trace_id=f"trace-{number}",
            request={"method": "PUT", "body": {"firstName": "[masked]"}},
            response={"body": {"message": "[masked]"}},
        )
    Webhook.objects.create(
        dedupe_key="w-1",
        location=place,
        kind="marketplace",
        topic="contact_create",
        body=b"{}",
        received_at=NOW - HOUR,
        correlation_id=job.correlation_id,
        state="done",
        next_at=NOW,
        processed_at=NOW,
    )
    letters.note(id, "Their form is broken.", by=f"staff:{User.objects.get().pk}", now=NOW + HOUR)
    bulk.start("discard", Chosen(), reason="Spam.", shown_count=1, by="staff:999", now=NOW + 2 * HOUR)
    shown = page(boss, id)
    for words in [
        "Change fields of a contact.",
        "[masked]",
        "c-0",
        "GoHighLevel finds a field wrong or missing.",
        "trace-2",
        "120 ms",
        "Their form is broken.",
        "by admin",
        "by user 999",
    ]:
        assert words in shown, words
    assert shown.index("trace-2") < shown.index("trace-1")
    axis = shown.partition('class="story"')[2]
    told = ["contact create", "Asked for: contact.update", "Became a dead letter", "Their form", "Discard "]
    places = [axis.index(words) for words in told]
    assert places == sorted(places)
    assert "Mira" not in shown
    assert "mira.stone" not in shown


def test_who_did_what_stands_on_the_same_axis_for_who_may_know_it(
    boss: Client, staff: Staff, id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(kind: str, key: str) -> list[Moment]:
        assert (kind, key) == ("sync.deadletter", str(id))
        return [Moment(NOW - HOUR / 2, "Audit", f"{HOSTILE} assigned it", by="staff:999")]

    monkeypatch.setattr(admin.site._wrapped, "_histories", [(told, "observability.view_auditentry")])
    SyncJob.objects.update(created_at=NOW - HOUR)
    axis = page(boss, id).partition('class="story"')[2]
    places = [axis.index(words) for words in ("Asked for: ", "assigned it", "by user 999", "Became a dead")]
    assert places == sorted(places)
    assert "\u202e" not in axis
    assert "assigned it" not in page(staff("view_deadletter"), id)


def test_a_page_costs_the_same_queries_however_much_there_is(staff: Staff, id: int, place: Location) -> None:
    reader = staff("view_deadletter", *ALL)
    job = letter(id).job
    PartitionedTable("sync_attempt").ensure([NOW.date()])

    def cost(path: str) -> int:
        return len(asked_again(lambda: reader.get(path)))

    letters.note(id, "Still.", by="staff:7", now=NOW)
    few = cost(f"{LIST}{id}/change/")
    for number in range(60):
        SyncAttempt.objects.create(
            started_at=NOW + timedelta(seconds=number),
            job_id=job.pk,
            fence=number,
            kind="send",
            outcome="transient",
            code="status_503",
            duration_ms=1.0,
        )
        letters.note(id, "Still.", by=f"staff:{number}", now=NOW)
    assert (few, cost(f"{LIST}{id}/change/")) == (QUERIES, QUERIES)
    assert page(reader, id).count("no answer</td>") == 50


def test_a_webhooks_letter_shows_the_shape_of_its_body(boss: Client, place: Location) -> None:
    webhook = dead_webhook(place, body=b'{"type": "ContactCreate", "firstName": "Mira", "id": "c-77"}')
    shown = page(boss, webhook.letter.pk)
    assert "contact create" in shown
    assert "c-77" in shown
    assert "6 tries" in shown
    assert "Mira" not in shown
    assert "/edit/" not in shown
    told = boss.post(f"{LIST}{webhook.letter.pk}/reveal/", {"reason": "To call them."}).content.decode()
    assert "Mira" in told
    told = boss.post(f"{LIST}{webhook.letter.pk}/edit/", {"reason": "x"}, follow=True)
    assert "its data cannot be changed" in said(told)
    assert "worked on again now" in said(boss.post(f"{LIST}{webhook.letter.pk}/redrive/", follow=True))


def test_each_verb_does_its_work_says_so_and_leaves_an_entry(boss: Client, id: int) -> None:
    me = User.objects.get()
    other = User.objects.create_user("ola", is_staff=True)

    def post(verb: str, **body: str) -> str:
        return said(boss.post(f"{LIST}{id}/{verb}/", body, follow=True))

    assert post("assign", user_id="me") == "Assigned."
    assert letter(id).assigned_to == me
    assert post("assign", user_id=str(other.pk)) == "Assigned."
    assert letter(id).assigned_to == other
    assert "Nobody" in post("assign", user_id="")
    assert "Nobody on the staff" in post("assign", user_id="x")
    assert letter(id).assigned_to is None
    assert "Write a note" in post("note", words=" ")
    assert post("note", words="Asked\r\nthem.") == "Noted."
    assert letter(id).notes.get().words == "Asked\nthem."
    assert "4 hours" in post("snooze", hours="4")
    assert timedelta(hours=3) < letter(id).snoozed_until - timezone.now() <= timedelta(hours=4)
    assert "Choose" in post("snooze", hours="9999")
    assert "not snoozed" in post("snooze", hours="")
    assert letter(id).snoozed_until is None
    assert "Give a reason" in post("discard", reason="")
    assert letter(id).state == "open"
    assert post("discard", reason="Spam.").startswith("Discarded.")
    shown = page(boss, id)
    assert "Undo" in shown
    assert "Discarded by admin" in shown
    assert "Restore it first" in post("redrive")
    assert post("restore") == "It is open again."
    assert "is asked first" in post("redrive")
    job = letter(id).job
    assert (letter(id).state, job.state, job.is_lookup) == ("redriving", "waiting", True)
    acts = AuditEntry.objects.filter(target_type="sync.deadletter", target_id=str(id)).order_by(
        "recorded_at", "id"
    )
    assert {entry.actor_id for entry in acts} == {f"staff:{me.pk}"}
    assert [entry.action.partition(".")[2] for entry in acts] == [
        *["assign"] * 3,
        "note",
        "snooze",
        "snooze",
        "discard",
        "restore",
        "redrive",
    ]


def test_what_is_overtaken_or_needs_a_decision_is_said_so(boss: Client) -> None:
    ids = dead_letters(2)
    key = {"ordering_key": "contact:c", "writes": ["first_name"]}
    SyncJob.objects.filter(letter=ids[0]).update(**key)
    SyncJob.objects.filter(letter=ids[1]).update(**key | {"writes": ["first_name", "city"]})
    [newer] = dead_letters(1)
    SyncJob.objects.filter(letter=newer).update(**key, state="succeeded", cause="")
    assert "set everything again" in page(boss, ids[0])
    told = said(boss.post(f"{LIST}{ids[0]}/redrive/", follow=True))
    assert told.startswith("Nothing was sent, and the letter is closed.")
    told = said(boss.post(f"{LIST}{ids[1]}/redrive/", follow=True))
    assert told.startswith("Nothing was sent: it needs your decision. Part of what")
    assert [letter(id).state for id in ids] == ["superseded", "open"]


def test_sending_at_once_is_for_who_may_edit_and_is_warned_of(boss: Client, staff: Staff, id: int) -> None:
    store(id, {"channel": "SMS", "contact_id": "c-0", "message": "Hi"}, "message.send")
    assert "may reach the person twice" in page(boss, id)
    operator = staff("view_deadletter", "redrive_deadletter")
    assert "at once" not in page(operator, id)
    assert operator.post(f"{LIST}{id}/redrive/", {"look_first": "0"}).status_code == 403
    assert letter(id).state == "open"
    boss.post(f"{LIST}{id}/redrive/", {"look_first": "0"})
    assert (letter(id).state, letter(id).job.is_lookup) == ("redriving", False)


def test_a_verb_leads_back_to_a_page_of_ours_and_nowhere_else(boss: Client, id: int) -> None:
    for where, leads_to in [
        ("/admin/sync/deadletter/?state=open", "/admin/sync/deadletter/?state=open"),
        ("https://evil.example/", f"{LIST}{id}/change/"),
        ("//evil.example/", f"{LIST}{id}/change/"),
        ("javascript:alert(1)", f"{LIST}{id}/change/"),
        ("/" + "x" * 3_000, f"{LIST}{id}/change/"),
    ]:
        assert boss.post(f"{LIST}{id}/note/", {"words": "x", "next": where})["Location"] == leads_to


def test_a_page_that_waits_hears_when_it_has_ended(boss: Client, id: int) -> None:
    news = f"{LIST}{id}/news/"
    letters.redrive([id], by="staff:1", now=NOW)
    assert f'hx-get="{news}"' in page(boss, id)
    assert boss.get(news).status_code == 204
    signed_out = Client().get(news)
    assert (signed_out.status_code, signed_out["HX-Refresh"]) == (286, "true")
    DeadLetter.objects.update(state="recovered", resolved_at=NOW)
    ended = boss.get(news)
    assert (ended.status_code, "Recovered" in ended.content.decode()) == (286, True)
    assert boss.get(f"{LIST}999999999/news/").status_code == 286


def test_what_is_revealed_is_shown_once_with_one_entry_and_kept_by_nobody(
    boss: Client, staff: Staff, id: int
) -> None:
    assert "Give a reason" in said(boss.post(f"{LIST}{id}/reveal/", {"reason": " "}, follow=True))
    assert reveals() == []
    answer = boss.post(f"{LIST}{id}/reveal/", {"reason": "To call them."})
    assert "Mira" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert "is kept masked only" in answer.content.decode()
    me = User.objects.get(username="admin").pk
    assert reveals() == [(f"staff:{me}", "sync.deadletter", str(id), "To call them.")]
    assert "Mira" not in page(boss, id)
    other = staff("view_deadletter", *(ALL - {"reveal_deadletter"}))
    assert other.post(f"{LIST}{id}/reveal/", {"reason": "x"}).status_code == 403
    assert len(reveals()) == 1


def test_data_is_corrected_in_two_steps_and_sent_as_a_linked_copy(boss: Client, id: int) -> None:
    old = letter(id).job
    form = opened(boss, id, first_name="Ada", city="Ulm")
    assert [reason for *_, reason in reveals()] == ["The name is wrong."]
    answer = boss.post(f"{LIST}{id}/diff/", form)
    assert "no-store" in answer["Cache-Control"]
    shown = answer.content.decode()
    for words in ["Mira", "Ada", "Changed", "Added", "Ulm", "The name is wrong."]:
        assert words in shown, words
    confirmed = Form(shown).sent
    again = boss.post(f"{LIST}{id}/diff/", confirmed | {"again": "1"}).content.decode()
    assert Form(again).sent == {name: text for name, text in form.items() if name != "reason"}
    assert "Give a reason" in boss.post(f"{LIST}{id}/send/", confirmed | {"reason": ""}).content.decode()
    assert letter(id).job == old
    told = boss.post(f"{LIST}{id}/send/", confirmed, follow=True)
    copy = letter(id).job
    assert (copy.replaces_id, copy.payload) == (
        old.pk,
        {"contact_id": "c-0", "first_name": "Ada", "city": "Ulm"},
    )
    assert str(copy.pk) in said(told)
    assert f"/admin/sync/syncjob/{old.pk}/change/" in told.content.decode()
    of_copy = boss.get(f"/admin/sync/syncjob/{copy.pk}/change/").content.decode()
    assert f"{LIST}{id}/change/" in of_copy
    assert str(copy.pk) in boss.get(f"/admin/sync/syncjob/{old.pk}/change/").content.decode()
    entry = AuditEntry.objects.get(action="dead_letter.change")
    assert (entry.reason, entry.changes["fields"]) == ("The name is wrong.", [None, "city, first_name"])
    assert len(reveals()) == 1


def test_what_does_not_fit_is_said_at_its_field_and_nothing_typed_is_lost(boss: Client, id: int) -> None:
    form = opened(boss, id, first_name="x" * 101, phone="0731 12", custom_fields="[1, 2,", email="a b")
    answer = boss.post(f"{LIST}{id}/diff/", form)
    shown = answer.content.decode()
    assert Form(shown).sent == {name: text for name, text in form.items() if name != "reason"}
    # What cannot be read is said before what does not fit.
    [wrong] = answer.context["wrong"]
    assert (wrong.field.name, "no JSON" in wrong.misfits[0][1]) == ("custom_fields", True)
    form |= {wrong.field.key: '[{"id": "f-1"}]'}
    answer = boss.post(f"{LIST}{id}/diff/", form)
    assert [row.field.name for row in answer.context["wrong"]] == [
        "first_name",
        "email",
        "phone",
        "custom_fields",
    ]
    assert answer.context["wrong"][3].misfits[0][0] == "0.value"
    assert "This is needed." in answer.content.decode()
    same = boss.post(f"{LIST}{id}/diff/", opened(boss, id)).content.decode()
    assert "The data is the same." in same
    empty = boss.post(f"{LIST}{id}/diff/", opened(boss, id, first_name="")).content.decode()
    assert "Give at least one field to change." in empty
    assert letter(id).state == "open"


def test_what_the_job_is_about_stays_whatever_is_sent(boss: Client, id: int) -> None:
    form = opened(boss, id, contact_id="c-9", first_name="Ada")
    confirmed = Form(boss.post(f"{LIST}{id}/diff/", form).content.decode()).sent
    boss.post(f"{LIST}{id}/send/", confirmed)
    assert letter(id).job.payload == {"contact_id": "c-0", "first_name": "Ada"}


def test_a_form_that_was_overtaken_sends_nothing_and_says_so(boss: Client, staff: Staff, id: int) -> None:
    form = opened(boss, id, first_name="Ada")
    confirmed = Form(boss.post(f"{LIST}{id}/diff/", form).content.decode()).sent
    other = staff("view_deadletter", *ALL)
    assert "somebody else's" in said(other.post(f"{LIST}{id}/diff/", form, follow=True))
    old = signing.dumps({"letter": id, "by": 1, "mark": "", "why": ""}, salt="another")
    for token in ["", "x", old]:
        assert "Open it again" in said(
            boss.post(f"{LIST}{id}/send/", confirmed | {"token": token}, follow=True)
        )
    SyncJob.objects.update(fence=7)
    for step in ("diff", "send"):
        assert "in the meantime" in said(boss.post(f"{LIST}{id}/{step}/", confirmed, follow=True))
    form = opened(boss, id, first_name="Ada")
    SyncJob.objects.update(payload={"contact_id": "c-0", "first_name": "Ida"})
    assert "in the meantime" in said(boss.post(f"{LIST}{id}/send/", form | {"reason": "x"}, follow=True))
    form = opened(boss, id, first_name="Ada")
    letters.redrive([id], by="staff:1", now=NOW)
    assert "being tried again" in said(boss.post(f"{LIST}{id}/send/", form | {"reason": "x"}, follow=True))
    assert SyncJob.objects.count() == 1


def test_the_verb_itself_sees_what_was_changed_since(id: int) -> None:
    seen = changes.mark(letter(id).job)
    SyncJob.objects.update(fence=7)
    given = {"by": "staff:1", "reason": "x", "now": NOW}
    with pytest.raises(Refused) as refused:
        changes.redrive_with_changes(id, {"contact_id": "c-0", "first_name": "Ada"}, seen=seen, **given)
    assert refused.value.code == "changed_meanwhile"


def nested(depth: int) -> Any:
    value: Any = "Mira"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [HOSTILE, "Mira " + "x" * 1_000_000, nested(300), {HOSTILE: [HOSTILE, 2**63 + 1]}, "a\r\nb\rc\n\tMira"],
    ids=["marks", "a megabyte", "deep", "names", "line ends"],
)
def test_hostile_data_is_shown_escaped_and_cut_and_nobody_sees_it_unmasked(
    boss: Client, id: int, value: Any
) -> None:
    payload = {"contact_id": "c-0", "first_name": value, HOSTILE: value, "is_it": 12345678901234567890}
    store(id, payload)
    DeadLetter.objects.update(words=HOSTILE)
    shown = page(boss, id)
    assert "Mira" not in shown
    told = boss.post(f"{LIST}{id}/reveal/", {"reason": "x"}).content.decode()
    assert "12345678901234567890" in told
    form = opened(boss, id)
    # Of another schema, so it has to be repaired before it can be sent: what was typed stays all the same.
    answer = boss.post(f"{LIST}{id}/diff/", form)
    assert re.search("no such field|JSON cannot carry", answer.content.decode())
    unknown = {row.field.key: "" for row in answer.context["rows"] if not row.field.is_known}
    unknown |= {key: "out" for key in unknown if form[key] == "keep"}
    mended = {row.field.key: "Ada" for row in answer.context["rows"] if row.field.name == "first_name"}
    if form[next(iter(mended))] == "keep":
        mended = dict.fromkeys(mended, "out") | {
            row.field.key: "Ada" for row in answer.context["rows"] if row.field.name == "last_name"
        }
    elif form[next(iter(mended))][:1] in '[{"':
        mended = dict.fromkeys(mended, '"Ada"')
    differs = boss.post(f"{LIST}{id}/diff/", form | unknown | mended)
    assert "Removed" in differs.content.decode()
    for html in (shown, told, answer.content.decode(), differs.content.decode()):
        assert "<script>alert" not in html
        assert not re.search("[\u202e\u200b]", html)
        assert len(html) < 400_000


def test_nobodys_nul_gets_in(boss: Client, id: int) -> None:
    form = opened(boss, id, first_name="a\x00b", custom_fields='[{"id": "f-1", "value": "\\u0000"}]')
    answer = boss.post(f"{LIST}{id}/diff/", form)
    assert {row.field.name for row in answer.context["wrong"]} == {"first_name", "custom_fields"}
    for verb, body in [("discard", {"reason": "a\x00b"}), ("note", {"words": "a\x00b"})]:
        boss.post(f"{LIST}{id}/{verb}/", body)
    surrogate = opened(boss, id, custom_fields='[{"id": "f-1", "value": "\\ud800"}]')
    told = boss.post(f"{LIST}{id}/diff/", surrogate).content.decode()
    assert "a character or a number that JSON cannot carry" in told
    assert letter(id).state == "open"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("1e999", "more digits"),
        ("1.00000000000000000001", "more digits"),
        ("1e-99999999999999999999999", "more digits"),
        ("9" * 5_000, "too many digits"),
        ("NaN", "no number"),
        ('{"a": 1, "a": 2}', "twice"),
        ("[" * 100_000, "nested too deeply"),
        ("x" * 300_000, "longer than"),
        ("Ulm", "quotes"),
    ],
)
def test_what_is_typed_as_json_is_exact_or_refused(typed: str, words: str) -> None:
    payload = {"custom_fields": []}
    chosen = fields.fields("contact.update", payload)
    key = next(field.key for field in chosen if field.name == "custom_fields")
    [misfit] = fields.read(chosen, payload, {key: typed}).misfits
    assert misfit.field == "custom_fields"
    assert words in misfit.words


def test_a_form_says_what_an_empty_text_means() -> None:
    payload = {"contact_id": "c-0", "first_name": None, "city": "", "dnd": True}
    chosen = {field.name: field for field in fields.fields("contact.update", payload)}
    assert [chosen[name].kind for name in ("contact_id", "first_name", "dnd", "custom_fields")] == [
        "locked",
        "line",
        "choice",
        "json",
    ]
    blanks = {"first_name": "out", "city": "empty", "last_name": "null"}
    form = {chosen[name].key: "" for name in blanks}
    form |= {f"{chosen[name].key}_blank": word for name, word in blanks.items()}
    form |= {chosen["dnd"].key: "false"}
    said = fields.read(list(chosen.values()), payload, form)
    assert said.payload == {"contact_id": "c-0", "city": "", "last_name": None, "dnd": False}
    assert (chosen["phone"].description[:12], chosen["contact_id"].is_required) == ("Phone number", True)


_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63 + 1, 12345678901234567890, "a\r\nb", "\u202e", "\n", "x" * 400])
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from(["first_name", "city", "dnd", "custom_fields", "contact_id", "country"]) | _TEXTS


@given(st.dictionaries(_NAMES, _VALUES, max_size=6))
@example(
    {"first_name": "a\r\nb\rc", "city": "\n\n", "x": "\x7f", "y": 2**63 + 1, "z": [12345678901234567890]}
)
@settings(max_examples=30, deadline=None)
def test_an_untouched_form_gives_the_payload_back_exactly(payload: dict[str, Any]) -> None:
    """Through the page itself, as a browser reads and sends it."""
    chosen = fields.fields("contact.update", payload)
    html = "".join(
        render_to_string("sync/letter_field.html", {"field": one, "typed": fields.typed(one, payload)})
        for one in chosen
    )
    back = fields.read(chosen, payload, Form(html).sent)
    assert back.misfits == ()
    # As text, for True == 1 and 1 == 1.0.
    assert json.dumps(back.payload, sort_keys=True) == json.dumps(payload, sort_keys=True)
