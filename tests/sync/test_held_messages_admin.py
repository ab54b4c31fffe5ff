"""Held messages for staff and the API: who may see them, who may decide, and what the pages cost and show."""

import json
import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from observability import api_keys
from observability.models import AuditEntry
from sync import jobs, kill_switch
from sync.models import Location, SyncJob
from tests.conftest import Staff

pytestmark = pytest.mark.django_db
PAGE = "/admin/sync/kill-switch/held/"
GROUP, CONFIRM, RELEASE, DISCARD = (f"{PAGE}{one}/" for one in ("group", "confirm", "release", "discard"))
REVEAL = f"{PAGE}reveal/"
API = "/api/sync/held-messages"
SECRET = "Meet me at the lake"


@pytest.fixture
def held() -> list[str]:
    Location.objects.create(pk="loc-1", name="Studio <b>", created_at=timezone.now())
    kill_switch.turn_on("A wrong list", by="staff:1", now=timezone.now())
    ids = [message(f"c-{n}") for n in range(3)]
    return [*ids, message("c-9", "Another text")]


def message(contact: str, said: str = SECRET) -> str:
    payload = {"channel": "SMS", "contact_id": contact, "message": said}
    return str(jobs.enqueue("message.send", "loc-1", payload).job_id)


def many(count: int, *, same: bool) -> None:
    first = SyncJob.objects.earliest("position")
    SyncJob.objects.bulk_create(
        SyncJob(
            id=uuid4(),
            location_id="loc-1",
            operation="message.send",
            payload=first.payload,
            text_key=first.text_key if same else number,
            next_at=first.next_at,
            created_at=first.created_at,
            correlation_id="c",
        )
        for number in range(count)
    )


def test_nobody_else_sees_it(client: Client, staff: Staff, held: list[str]) -> None:
    assert client.get(PAGE)["Location"].startswith("/admin/login/")
    other = staff("view_location")
    assert {other.get(path).status_code for path in (PAGE, GROUP, f"{CONFIRM}?verb=release")} == {403}


def test_deciding_is_for_who_may_turn_the_switch(staff: Staff, held: list[str]) -> None:
    reader = staff("view_killswitch")
    for path in (PAGE, GROUP):
        shown = reader.get(path).content.decode()
        assert "loc-1" in shown or "Studio &lt;b&gt;" in shown
        assert "verb=" not in shown
        assert 'name="verb"' not in shown
    assert reader.get(f"{CONFIRM}?verb=release").status_code == 403
    for path in (RELEASE, DISCARD):
        assert reader.post(path, {"which": "", "most": 1, "reason": "x"}).status_code == 403
    assert not SyncJob.objects.filter(released_at__isnull=False).exists()


def test_staff_release_a_few_of_a_group_and_discard_the_rest(
    boss: Client, admin_user: User, held: list[str]
) -> None:
    shown = boss.get("/admin/sync/kill-switch/").content.decode()
    assert PAGE in shown
    shown = boss.get(PAGE).content.decode()
    assert SECRET not in shown
    for part in ("<strong>4</strong> held", "The same: text ", "1 different text", "Studio &lt;b&gt;"):
        assert part in shown, part
    [query] = re.findall(r"verb=release&amp;(location=loc-1&amp;text=-?\d+)", shown)
    page = boss.get(f"{CONFIRM}?verb=release&{query.replace('&amp;', '&')}").content.decode()
    assert "Release 3 messages?" in page
    [which] = re.findall(r'name="which" value="([^"]+)"', page)
    which = which.replace("&amp;", "&")
    for wrong in ({"most": 0, "reason": "x"}, {"most": 2_000, "reason": "x"}, {"most": 1, "reason": " "}):
        assert 'role="alert"' in boss.post(RELEASE, {"which": which} | wrong).content.decode(), wrong
    later = message("c-7")
    done = boss.post(RELEASE, {"which": which, "most": 2, "reason": "Meant"}, follow=True).content.decode()
    assert "Released 2 messages." in done
    assert "<strong>2</strong> released, on their way" in done
    done = boss.post(DISCARD, {"which": which, "most": 9, "reason": "Wrong"}, follow=True).content.decode()
    assert "Discarded 1 message." in done
    rows = SyncJob.objects.values_list("pk", "state", "released_at")
    states = {str(id): (state, at is not None) for id, state, at in rows}
    assert states == {
        held[0]: ("waiting", True),
        held[1]: ("waiting", True),
        held[2]: ("dead", False),
        held[3]: ("waiting", False),
        later: ("waiting", False),
    }
    entries = AuditEntry.objects.filter(action__startswith="message.").order_by("recorded_at")
    assert list(entries.values_list("action", "actor_id", "target_id", "reason")) == [
        ("message.release", f"staff:{admin_user.pk}", "loc-1", "Meant"),
        ("message.discard", f"staff:{admin_user.pk}", "loc-1", "Wrong"),
    ]


def test_single_messages_are_ticked(boss: Client, held: list[str]) -> None:
    shown = boss.get(GROUP).content.decode()
    assert SECRET not in shown
    assert shown.count('type="checkbox" name="id"') == 4
    page = boss.get(CONFIRM, {"verb": "discard", "id": held[:2]}).content.decode()
    assert "Discard 2 messages?" in page
    [which] = re.findall(r'name="which" value="([^"]+)"', page)
    boss.post(DISCARD, {"which": which.replace("&amp;", "&"), "most": 2, "reason": "Wrong"})
    dead = SyncJob.objects.filter(state="dead").values_list("pk", flat=True)
    assert {str(id) for id in dead} == set(held[:2])


@pytest.mark.parametrize(
    "query", ["?verb=explode", "?verb=release&text=abc", "?verb=release&id=7", f"?verb=discard&text={10**19}"]
)
def test_an_address_that_says_nothing_is_refused_in_words(boss: Client, held: list[str], query: str) -> None:
    answer = boss.get(f"{CONFIRM}{query}")
    assert (answer.status_code, "does not say" in answer.content.decode()) == (400, True)


def test_while_the_switch_is_off_nothing_is_held(boss: Client, held: list[str]) -> None:
    kill_switch.turn_off("Mended", by="staff:1", now=timezone.now())
    for path in (PAGE, GROUP):
        assert "messages go by themselves" in boss.get(path).content.decode()
    assert boss.get(f"{CONFIRM}?verb=release").status_code == 400
    answer = boss.post(RELEASE, {"which": "", "most": 1, "reason": "x"})
    assert (answer.status_code, "is off" in answer.content.decode()) == (400, True)


def test_pages_cost_the_same_with_five_thousand_messages(staff: Staff, held: list[str]) -> None:
    reader = staff("view_killswitch", "turn_killswitch")
    paths = (PAGE, GROUP, f"{CONFIRM}?verb=release")
    costs = []
    for _ in range(2):
        for path in paths:
            with CaptureQueriesContext(connection) as queries:
                assert reader.get(path).status_code == 200
            costs.append(len(queries))
        if len(costs) == len(paths):
            many(2_500, same=True)
            many(2_500, same=False)
    assert costs[:3] == costs[3:] == [12, 12, 10]
    shown = reader.get(PAGE).content.decode()
    for part in ("<strong>5,004</strong> held", "2,503", "2,501 different texts"):
        assert part in shown, part
    assert len(shown) < 60_000


def test_groups_are_told_apart_by_the_shape_of_their_text_and_nothing_of_it_is_shown(
    staff: Staff, held: list[str]
) -> None:
    message("c-5", "Book at https://studio.example now"), message("c-6", "Book at https://studio.example now")
    reader = staff("view_killswitch")
    shown = reader.get(PAGE).content.decode()
    for part in ("SMS, 19 characters, 5 words, no link", "SMS, 34 characters, 4 words, with a link"):
        assert part in shown, part
    names = re.findall(r"The same: (text [0-9a-f]{4})<", shown)
    assert len(set(names)) == 2
    assert "studio.example" not in shown
    assert "Read one" not in shown, "for who may"
    assert all(name in reader.get(GROUP).content.decode() for name in names)
    found = ask("GET", "", "sync:kill").json()["groups"]
    assert found[0]["shape"] == {"channel": "SMS", "characters": 19, "words": 5, "has_links": False}
    assert sorted(one["name"] for one in found) == ["", *sorted(names)]


def test_one_of_a_group_is_read_by_who_may_and_says_why(
    staff: Staff, held: list[str], admin_user: User
) -> None:
    lead = staff("view_killswitch", "turn_killswitch", "reveal_deadletter")
    text = SyncJob.objects.get(pk=held[0]).text_key
    which = f"location=loc-1&text={text}"
    assert "Read one" in lead.get(PAGE).content.decode()
    assert "Read the oldest" in lead.get(f"{GROUP}?{which}").content.decode()
    refused = lead.post(REVEAL, {"which": which, "reason": " "}, follow=True).content.decode()
    assert (SECRET in refused, "Give a reason" in refused) == (False, True)
    assert not AuditEntry.objects.filter(action="data.reveal").exists()
    answer = lead.post(REVEAL, {"which": which, "reason": "Is it meant?"})
    assert (SECRET in answer.content.decode(), "no-store" in answer["Cache-Control"]) == (True, True)
    assert "Another text" not in answer.content.decode()
    entry = AuditEntry.objects.get(action="data.reveal")
    assert (entry.target_id, entry.reason) == (held[0], "Is it meant?")
    other = User.objects.create_user("other", is_staff=True)
    client = Client()
    client.force_login(other)
    assert client.post(REVEAL, {"which": which, "reason": "x"}).status_code == 403
    chosen = {"location_id": "loc-1", "text": str(text), "until": 2**62, "reason": "Is it meant?"}
    assert ask("POST", "/reveal", "sync:kill", body=chosen).status_code == 403
    told = ask("POST", "/reveal", "sync:reveal", body=chosen)
    assert (told.json()["job_id"], told.json()["payload"]["message"]) == (held[0], SECRET)
    assert "no-store" in told["Cache-Control"]
    refused = ask("POST", "/reveal", "sync:reveal", body=chosen | {"reason": " "})
    assert (refused.status_code, AuditEntry.objects.filter(action="data.reveal").count()) == (422, 2)


def test_a_few_are_proposed_to_be_released_and_all_of_them_are_named(boss: Client, held: list[str]) -> None:
    assert 'value="4"' in boss.get(f"{CONFIRM}?verb=release").content.decode()
    many(20, same=True)
    shown = boss.get(f"{CONFIRM}?verb=release").content.decode()
    assert 'value="10"' in shown
    assert "the oldest first, of 24 messages" in shown
    assert 'value="24"' in boss.get(f"{CONFIRM}?verb=discard").content.decode()


def test_who_comes_back_to_a_form_by_its_address_is_led_to_the_list(boss: Client, held: list[str]) -> None:
    for path in (RELEASE, DISCARD, REVEAL):
        answer = boss.get(path)
        assert (answer.status_code, answer.headers.get("Location")) == (302, PAGE), path
    assert not SyncJob.objects.filter(released_at__isnull=False).exists()


def test_whoever_reads_why_it_was_turned_on_reads_the_locations_name(boss: Client) -> None:
    Location.objects.create(pk="SXpB76abc", name="Studio Nord", created_at=timezone.now())
    words = "274 messages of location SXpB76abc within a minute; more than 250 are not usual."
    kill_switch.turn_on(words, by="system", now=timezone.now())
    for path in (PAGE, "/admin/sync/kill-switch/"):
        shown = boss.get(path).content.decode()
        assert "274 messages of Studio Nord within a minute" in shown
        assert "SXpB76abc" not in shown
        assert "sync.killswitch 1:" not in shown


def ask(method: str, path: str = "", *scopes: str, body: dict[str, Any] | None = None) -> Any:
    key = api_keys.issue(f"app-{uuid4()}", scopes)[1]
    headers = {"Authorization": f"Bearer {key}"}
    return Client().generic(method, API + path, json.dumps(body or {}), "application/json", headers=headers)


def test_the_api_shows_and_decides_under_the_switchs_own_scope(held: list[str]) -> None:
    assert ask("GET", "", "sync:read", "sync:operate").status_code == 403
    found = ask("GET", "", "sync:kill").json()
    assert (found["is_on"], found["messages"], found["released"]) == (True, 4, 0)
    first = found["groups"][0]
    assert (first["location_id"], first["messages"], SECRET in str(found)) == ("loc-1", 3, False)
    chosen = {"location_id": "loc-1", "text": first["text"], "until": found["until"], "reason": "Meant"}
    assert ask("POST", "/release", "sync:operate", body=chosen | {"most": 1}).status_code == 403
    message("c-8")
    done = ask("POST", "/release", "sync:kill", body=chosen | {"most": 1}).json()
    assert done == {"messages": 1, "left": 2}
    done = ask("POST", "/discard", "sync:kill", body=chosen | {"most": 9}).json()
    assert done == {"messages": 2, "left": 0}
    refused = ask("POST", "/discard", "sync:kill", body=chosen | {"most": 9})
    assert (refused.status_code, refused.json()["code"]) == (422, "nothing_chosen")
    refused = ask("POST", "/discard", "sync:kill", body=chosen | {"most": 9, "text": "x"})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_text")
    assert {entry.actor_kind for entry in AuditEntry.objects.filter(action__startswith="message.")} == {"key"}
