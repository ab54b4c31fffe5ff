"""The simulated GoHighLevel: what it remembers, refuses, limits, breaks, tells, and counts."""

import json
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jsonschema import Draft202012Validator

from tests.servers import free_port
from trainu.demo.ghl import Simulator
from trainu.demo.ghl.server import ROOMS, populate

SPECS = Path(__file__).resolve().parents[1] / "sync" / "ghl" / "specs"
HERE, TOKEN = "studioOfTheTests00001", "pit-tests"
CALENDARS = ("/calendars", "/conversations")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class Client:
    """Asks over real HTTP, as a well-behaved client would unless told otherwise."""

    def __init__(self, simulator: Simulator, token: str = TOKEN) -> None:
        self.port = simulator.port
        self.token = token

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str | None] | None = None,
        timeout_s: float = 3.0,
    ) -> Answer:
        sent: dict[str, str | None] = {
            "Authorization": f"Bearer {self.token}",
            "Version": "2021-04-15" if path.startswith(CALENDARS) else "2021-07-28",
            "Content-Type": "application/json",
        }
        sent |= headers or {}
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request(method, path, data, {k: v for k, v in sent.items() if v is not None})
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read())
        finally:
            connection.close()

    def form(self, path: str, **fields: str) -> Answer:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self("POST", path, urlencode(fields).encode(), headers=dict(kind))

    def contact(self, name: str = "ada", **fields: Any) -> str:
        body = {"locationId": HERE, "email": f"{name}@example.org"} | fields
        return self("POST", "/contacts/upsert", body).json["contact"]["id"]


@pytest.fixture
def ghl() -> Iterator[Simulator]:
    with Simulator(seed=7) as simulator:
        simulator.location(
            HERE, token=TOKEN, calendars=("cal1",), users=("user1",), pipelines={"pipe1": ("a", "b")}
        )
        yield simulator


@pytest.fixture
def ask(ghl: Simulator) -> Client:
    return Client(ghl)


def booking(contact: str, start: str = "2026-12-01T10:00:00+00:00", **fields: Any) -> dict[str, Any]:
    return {"calendarId": "cal1", "locationId": HERE, "contactId": contact, "startTime": start} | fields


# What it remembers


def test_an_upsert_finds_the_contact_by_the_locations_order_and_ignores_the_second_person(
    ask: Client,
) -> None:
    ada = ask.contact("ada")
    bela = ask.contact("bela", phone="+44 7700 900001")
    body = {"locationId": HERE, "email": "ADA@example.org", "phone": "+447700900001", "firstName": "Ada"}
    answer = ask("POST", "/contacts/upsert", body)
    assert (answer.status, answer.json["new"]) == (200, False)
    assert answer.json["contact"]["id"] == ada
    assert "phone" not in ask("GET", f"/contacts/{ada}").json["contact"]
    assert ask("GET", f"/contacts/{bela}").json["contact"]["phone"] == "+447700900001"
    assert (
        ask("POST", "/contacts/upsert", {"locationId": HERE, "phone": "+447700900001"}).json["contact"]["id"]
        == bela
    )


def test_a_duplicate_is_refused_with_the_id_of_the_contact_that_is_there(ghl: Simulator, ask: Client) -> None:
    ada = ask.contact("ada", firstName="Ada", lastName="Ash")
    body = {"locationId": HERE, "email": "ada@example.org"}
    answer = ask("POST", "/contacts/", body)
    assert answer.status == 400
    assert answer.json["message"] == "This location does not allow duplicated contacts."
    assert answer.json["meta"] == {"contactId": ada, "contactName": "Ada Ash", "matchingField": "email"}
    assert ask("PUT", f"/contacts/{ask.contact('bela')}", {"email": "ada@example.org"}).status == 400
    ghl.world.locations[HERE].allow_duplicates = True
    created = ask("POST", "/contacts/", body)
    assert created.status == 201
    assert created.json["contact"]["id"] != ada
    assert ask("POST", "/contacts/upsert", body).json["contact"]["id"] == ada
    assert ask("POST", "/contacts/upsert", body | {"createNewIfDuplicateAllowed": True}).json["new"] is True


def test_a_deleted_contact_is_gone_and_its_email_is_free(ask: Client) -> None:
    ada = ask.contact()
    assert ask("DELETE", f"/contacts/{ada}").json == {"succeded": True}
    assert ask("GET", f"/contacts/{ada}").status == 404
    assert ask.contact() != ada


def test_tags_are_added_and_removed_one_by_one(ask: Client) -> None:
    where = f"/contacts/{ask.contact()}/tags"
    assert ask("POST", where, {"tags": ["vip", "morning"]}).status == 201
    assert ask("POST", where, {"tags": ["vip", "new"]}).json == {"tags": ["vip", "morning", "new"]}
    assert ask("DELETE", where, {"tags": ["morning"]}).json == {"tags": ["vip", "new"]}


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_paging_through_a_search_neither_repeats_nor_skips(
    ghl: Simulator, ask: Client, direction: str
) -> None:
    with ghl.lock:
        made = {ghl.staff.new_contact(HERE)["id"] for _ in range(57)}
    body: dict[str, Any] = {"locationId": HERE, "pageLimit": 10}
    body["sort"] = [{"field": "dateAdded", "direction": direction}]
    by_page = [
        one["id"]
        for page in range(1, 8)
        for one in ask("POST", "/contacts/search", body | {"page": page}).json["contacts"]
    ]
    by_cursor: list[str] = []
    after = None
    while found := ask("POST", "/contacts/search", body | ({"searchAfter": after} if after else {})).json[
        "contacts"
    ]:
        by_cursor += [one["id"] for one in found]
        after = found[-1]["searchAfter"]
    assert by_page == by_cursor
    assert len(by_page) == 57
    assert set(by_page) == made


def test_a_search_filters_by_the_time_of_the_last_change(ghl: Simulator, ask: Client) -> None:
    ask.contact("early")
    ghl.clock.advance(3600)
    since = ghl.world.stamp()
    late = ask.contact("late")
    filters = [{"field": "dateUpdated", "operator": "range", "value": {"gte": since}}]
    found = ask("POST", "/contacts/search", {"locationId": HERE, "filters": filters}).json
    assert [one["id"] for one in found["contacts"]] == [late]
    assert found["total"] == 1


def test_notes_and_tasks_are_kept_and_found(ask: Client) -> None:
    ada = ask.contact()
    note = ask("POST", f"/contacts/{ada}/notes", {"body": "Prefers mornings. ref:n-1"})
    assert note.status == 201
    assert ask("GET", f"/contacts/{ada}/notes").json["notes"] == [note.json["note"]]
    body = {"title": "Call back", "body": "ref:t-1", "dueDate": "2026-12-01T10:00:00Z", "completed": False}
    task = ask("POST", f"/contacts/{ada}/tasks", body).json["task"]
    done = ask("PUT", f"/contacts/{ada}/tasks/{task['id']}/completed", {"completed": True})
    assert done.json["task"]["completed"] is True
    found = ask("POST", f"/locations/{HERE}/tasks/search", {"query": "ref:t-1", "completed": True}).json[
        "tasks"
    ]
    assert [one["id"] for one in found] == [task["id"]]


def test_an_appointment_lives_through_its_changes_and_every_change_moves_its_date_on(ask: Client) -> None:
    made = ask(
        "POST", "/calendars/events/appointments", booking(ask.contact(), endTime="2026-12-01T11:00:00+00:00")
    )
    assert made.status == 200
    where = f"/calendars/events/appointments/{made.json['id']}"
    dates = [ask("GET", where).json["event"]["dateUpdated"]]
    for change in ({"appointmentStatus": "confirmed"}, {"startTime": "2026-12-02T12:00:00+01:00"}):
        assert ask("PUT", where, change).status == 200
        dates.append(ask("GET", where).json["event"]["dateUpdated"])
    assert dates == sorted(set(dates))
    event = ask("GET", where).json["event"]
    assert (event["startTime"], event["endTime"]) == (
        "2026-12-02T11:00:00+00:00",
        "2026-12-02T12:00:00+00:00",
    )
    assert ask("DELETE", f"/calendars/events/{made.json['id']}", {}).status == 201
    assert ask("GET", where).status == 404


def test_appointments_are_listed_by_range_in_milliseconds_and_by_contact_without_a_zone(
    ghl: Simulator, ask: Client
) -> None:
    ghl.world.locations[HERE].timezone = "Asia/Kolkata"
    ada = ask.contact()
    made = ask("POST", "/calendars/events/appointments", booking(ada)).json["id"]
    ask("POST", "/calendars/events/appointments", booking(ada, "2027-06-01T10:00:00+00:00"))
    start = 1_796_119_200_000
    query = {"locationId": HERE, "calendarId": "cal1", "startTime": start, "endTime": start}
    events = ask("GET", f"/calendars/events?{urlencode(query)}").json["events"]
    assert [one["id"] for one in events] == [made]
    assert events[0]["startTime"] == "2026-12-01T15:30:00+05:30"
    listed = ask("GET", f"/contacts/{ada}/appointments", headers={"Version": "2021-07-28"}).json["events"]
    assert listed[0]["startTime"] == "2026-12-01 15:30:00"
    del query["calendarId"]
    assert ask("GET", f"/calendars/events?{urlencode(query)}").status == 400


def test_a_taken_slot_is_refused_where_slots_are_checked(ghl: Simulator, ask: Client) -> None:
    ghl.settings.check_slots = True
    ada = ask.contact()
    first = ask("POST", "/calendars/events/appointments", booking(ada)).json["id"]
    assert ask("POST", "/calendars/events/appointments", booking(ada)).status == 400
    ask("PUT", f"/calendars/events/appointments/{first}", {"appointmentStatus": "cancelled"})
    assert ask("POST", "/calendars/events/appointments", booking(ada)).status == 200


def test_a_message_shows_in_lists_only_after_the_lag(ghl: Simulator, ask: Client) -> None:
    ghl.settings.message_lag_s = 8
    ada = ask.contact()
    sent = ask(
        "POST", "/conversations/messages", {"type": "Email", "contactId": ada, "html": "<p>Hi</p>"}
    ).json
    where = f"/conversations/{sent['conversationId']}/messages"
    assert ask("GET", where).json["messages"]["messages"] == []
    ghl.clock.advance(9)
    assert [one["id"] for one in ask("GET", where).json["messages"]["messages"]] == [sent["messageId"]]
    found = ask("GET", f"/conversations/search?locationId={HERE}&contactId={ada}").json
    assert found["conversations"][0]["lastMessageBody"] == "<p>Hi</p>"


def test_a_contact_without_a_number_or_in_do_not_disturb_gets_no_message(ask: Client) -> None:
    sms = {"type": "SMS", "message": "Hi"}
    assert (
        ask("POST", "/conversations/messages", sms | {"contactId": ask.contact()}).json["message"]
        == "Missing phone number"
    )
    quiet = ask.contact("quiet", phone="+447700900002", dnd=True)
    answer = ask("POST", "/conversations/messages", sms | {"contactId": quiet})
    assert "DND is active" in answer.json["message"]


def test_an_opportunity_is_upserted_won_and_found(ask: Client) -> None:
    ada = ask.contact()
    body = {
        "locationId": HERE,
        "pipelineId": "pipe1",
        "contactId": ada,
        "name": "Ten sessions",
        "status": "open",
    }
    first = ask("POST", "/opportunities/upsert", body).json
    again = ask("POST", "/opportunities/upsert", body | {"monetaryValue": 200}).json
    assert (first["new"], again["new"]) == (True, False)
    assert ask("POST", "/opportunities/", body).status == 400
    where = f"/opportunities/{first['opportunity']['id']}"
    assert ask("PUT", f"{where}/status", {"status": "won"}).json == {"succeded": True}
    query = f"/opportunities/search?location_id={HERE}&contact_id={ada}&status=won"
    assert [one["monetaryValue"] for one in ask("GET", query).json["opportunities"]] == [200]


def test_two_runs_with_one_seed_give_the_same_ids() -> None:
    def ids() -> list[str]:
        simulator = Simulator(seed=3)
        location, token = simulator.location()
        return [location.id, token, simulator.staff.new_contact(location.id)["id"]]

    assert ids() == ids()


# What it refuses


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"Authorization": None}, 401, "Invalid token: access token is invalid"),
        ({"Authorization": "Bearer nobody"}, 401, "Invalid token: access token is invalid"),
        ({"Version": None}, 401, "version header was not found."),
        ({"Version": "2020-01-01"}, 401, "version header is invalid"),
        ({"Version": "v3"}, 401, "version header is invalid"),
    ],
)
def test_a_request_without_its_headers_is_refused(
    ask: Client, headers: dict[str, str | None], status: int, message: str
) -> None:
    answer = ask("GET", f"/contacts/?locationId={HERE}", headers=headers)
    assert (answer.status, answer.json["message"]) == (status, message)
    assert answer.json["error"] == "Unauthorized"


def test_any_published_version_will_do_where_versions_are_not_strict(ghl: Simulator, ask: Client) -> None:
    ghl.settings.strict_versions = False
    assert ask("GET", f"/contacts/?locationId={HERE}", headers={"Version": "v3"}).status == 200
    assert ask("GET", f"/contacts/?locationId={HERE}", headers={"Version": "v4"}).status == 401


def test_a_token_sees_its_own_location_only_and_its_own_scopes(ghl: Simulator, ask: Client) -> None:
    other, _ = ghl.location("elsewhere")
    stranger = ghl.staff.new_contact(other.id)["id"]
    assert ask("GET", f"/contacts/{stranger}").status == 403
    assert ask("POST", "/contacts/upsert", {"locationId": other.id, "email": "a@example.org"}).json == {
        "statusCode": 403,
        "message": "The token does not have access to this location.",
        "error": "Forbidden",
    }
    reader = Client(ghl, ghl.tokens.private(HERE, scopes=frozenset({"contacts.readonly"})))
    assert reader("GET", f"/contacts/?locationId={HERE}").status == 200
    refused = reader("POST", "/contacts/upsert", {"locationId": HERE, "email": "a@example.org"})
    assert (refused.status, refused.json["message"]) == (401, "The token is not authorized for this scope.")


def test_a_bad_body_is_refused_with_everything_that_is_wrong_with_it(ask: Client) -> None:
    ada = ask.contact()
    answer = ask(
        "POST", f"/contacts/{ada}/tasks", {"title": 7, "dueDate": "", "completed": False, "colour": "red"}
    )
    assert answer.status == 422
    assert answer.json == {
        "statusCode": 422,
        "message": [
            "dueDate should not be empty",
            "title must be a string",
            "property colour should not exist",
        ],
        "error": "Unprocessable Entity",
    }
    assert ask("PUT", f"/contacts/{ada}", {"locationId": HERE}).status == 422
    bad = ask("POST", "/calendars/events/appointments", booking(ada, appointmentStatus="canceled"))
    assert bad.status == 400
    assert isinstance(bad.json["message"], list)
    assert ask("POST", "/contacts/upsert", b"{").status == 400
    assert ask("POST", "/contacts", {}).status == 404


# Tokens


def refresh(ask: Client, token: str) -> Answer:
    client = {"client_id": "demo-client", "client_secret": "demo-client-secret"}
    return ask.form("/oauth/token", grant_type="refresh_token", refresh_token=token, **client)


def test_a_refresh_token_works_once_and_for_thirty_seconds_gives_the_same_successor(
    ghl: Simulator, ask: Client
) -> None:
    first = ghl.tokens.pair(HERE)
    second = refresh(ask, first["refresh_token"]).json
    ghl.clock.advance(29)
    assert refresh(ask, first["refresh_token"]).json["refresh_token"] == second["refresh_token"]
    ghl.clock.advance(2)
    spent = refresh(ask, first["refresh_token"])
    assert (spent.status, spent.json["error"]) == (400, "invalid_grant")
    assert refresh(ask, second["refresh_token"]).status == 200
    assert ghl.tokens.calls == {"refresh_token": 4}
    assert ghl.tokens.refused == {"refresh_token": 1}


def test_an_access_token_ends_by_time_on_demand_and_by_revocation(ghl: Simulator, ask: Client) -> None:
    def status(token: str) -> int:
        return Client(ghl, token)("GET", f"/locations/{HERE}").status

    first = ghl.tokens.pair(HERE)
    assert status(first["access_token"]) == 200
    ghl.tokens.expire(HERE)
    assert status(first["access_token"]) == 401
    second = refresh(ask, first["refresh_token"]).json
    assert status(second["access_token"]) == 200
    ghl.clock.advance(86_400)
    assert status(second["access_token"]) == 401
    third = refresh(ask, second["refresh_token"]).json
    ghl.tokens.revoke(HERE)
    assert status(third["access_token"]) == 401
    assert refresh(ask, third["refresh_token"]).status == 400
    assert status(TOKEN) == 401


def test_a_code_a_wrong_secret_and_the_agencys_token(ghl: Simulator, ask: Client) -> None:
    client = {"client_id": "demo-client", "client_secret": "demo-client-secret"}
    code = ghl.tokens.code(None)
    agency = ask.form("/oauth/token", grant_type="authorization_code", code=code, **client).json
    assert agency["userType"] == "Company"
    assert ask.form("/oauth/token", grant_type="authorization_code", code=code, **client).status == 400
    assert refresh(ask, "x").status == 400
    wrong = ask.form("/oauth/token", grant_type="refresh_token", client_id="demo-client", client_secret="no")
    assert wrong.status == 401
    buyer = Client(ghl, agency["access_token"])
    bought = buyer.form("/oauth/locationToken", companyId=agency["companyId"], locationId=HERE)
    assert bought.status == 200
    assert Client(ghl, bought.json["access_token"])("GET", f"/locations/{HERE}").status == 200
    assert ask.form("/oauth/locationToken", companyId="c", locationId=HERE).status == 401


# Limits


def test_a_request_beyond_the_burst_is_refused_without_a_body(ghl: Simulator, ask: Client) -> None:
    ghl.limits.burst = 5
    _, other = ghl.location("elsewhere")
    answers = [ask("GET", f"/locations/{HERE}") for _ in range(7)]
    assert [one.status for one in answers] == [200] * 5 + [429] * 2
    assert answers[-1].raw == b""
    assert "Retry-After" not in answers[-1].headers
    assert answers[1].headers["X-RateLimit-Remaining"] == "3"
    assert answers[1].headers["X-RateLimit-Max"] == "5"
    assert answers[1].headers["X-RateLimit-Interval-Milliseconds"] == "10000"
    assert answers[1].headers["X-RateLimit-Limit-Daily"] == "200000"
    assert answers[1].headers["X-RateLimit-Daily-Remaining"] == "199998"
    assert Client(ghl, other)("GET", "/locations/elsewhere").status == 200
    ghl.clock.advance(10.1)
    assert ask("GET", f"/locations/{HERE}").status == 200
    assert ghl.ledger.most_in(HERE, 10) == 7
    assert ghl.ledger.total(HERE) == 8
    assert ghl.ledger.answers[HERE, "GET /locations/{locationId}", 429] == 2


def test_an_exhausted_day_lasts_until_midnight(ghl: Simulator, ask: Client) -> None:
    ghl.limits.exhaust(HERE, ghl.clock.now())
    refused = ask("GET", f"/locations/{HERE}")
    assert (refused.status, refused.headers["X-RateLimit-Daily-Remaining"]) == (429, "0")
    ghl.clock.advance(86_400)
    assert ask("GET", f"/locations/{HERE}").status == 200


# Faults


def attempt(ask: Client, contact: str, text: str = "ref:once") -> Answer | None:
    """Add a note; None: there was no answer within 0.3 s."""
    try:
        return ask("POST", f"/contacts/{contact}/notes", {"body": text}, timeout_s=0.3)
    except (OSError, HTTPException):
        return None


@pytest.mark.parametrize(
    ("kind", "status", "happened"),
    [
        ("429", 429, 0),
        ("quota", 429, 0),
        ("500", 500, 0),
        ("503", 503, 0),
        ("403", 403, 0),
        ("down", None, 0),
        ("reset", None, 0),
        ("hang", None, 0),
        ("reset_after", None, 1),
        ("hang_after", None, 1),
        ("wrong_json", 201, 1),
        ("empty", 201, 1),
        ("created_422", 422, 1),
    ],
)
def test_a_fault_strikes_before_or_after_the_effect(
    ghl: Simulator, ask: Client, kind: str, status: int | None, happened: int
) -> None:
    ada = ask.contact()
    ghl.fail(kind, path="/contacts/*/notes", count=1)
    began = time.monotonic()
    answer = attempt(ask, ada)
    assert (time.monotonic() - began >= 0.3) == kind.startswith("hang")
    assert (answer.status if answer else None) == status
    assert ghl.ledger.creations("note")["note", "once"] == happened
    if kind == "wrong_json":
        assert answer
        with pytest.raises(json.JSONDecodeError):
            json.loads(answer.raw)
    if kind == "empty":
        assert answer
        assert answer.raw == b""
    if kind == "quota":
        assert answer
        assert answer.headers["X-RateLimit-Daily-Remaining"] == "0"
    again = attempt(ask, ada)
    assert again
    assert again.status == 201


def test_a_reset_is_a_reset_on_the_wire(ghl: Simulator, ask: Client) -> None:
    ghl.fail("reset")
    with pytest.raises(ConnectionResetError) as cut:
        ask("GET", f"/locations/{HERE}")
    # An end of the stream without an answer would be RemoteDisconnected, which is one too.
    assert cut.type is ConnectionResetError


def test_a_slow_answer_has_had_its_effect_and_a_late_one_has_it_later(ghl: Simulator, ask: Client) -> None:
    ada = ask.contact()
    ghl.fail("slow", path="*/notes", ms=500, count=1)
    ghl.fail("late", path="*/notes", ms=600, count=1)
    assert attempt(ask, ada, "ref:slow") is None
    assert attempt(ask, ada, "ref:late") is None
    assert ghl.ledger.creations("note") == {("note", "slow"): 1}
    deadline = time.monotonic() + 3
    while ("note", "late") not in ghl.ledger.creations("note") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert ghl.ledger.creations("note")["note", "late"] == 1


def test_a_fault_strikes_whom_it_names_and_tells_when_to_come_back(ghl: Simulator, ask: Client) -> None:
    _, token = ghl.location("elsewhere")
    ghl.fail("429", location="elsewhere", retry_after=7)
    ghl.fail("503", location=HERE, method="POST", contains="poison", skip=1)
    refused = Client(ghl, token)("GET", "/locations/elsewhere")
    assert (refused.status, refused.headers["Retry-After"], refused.raw) == (429, "7", b"")
    statuses = [
        ask("POST", "/contacts/upsert", {"locationId": HERE, "email": f"{name}@example.org"}).status
        for name in ("poison", "ada", "poison", "poison")
    ]
    assert statuses == [200, 200, 503, 503]
    ghl.heal()
    assert ask("GET", f"/locations/{HERE}").status == 200
    with pytest.raises(ValueError, match="no such kind"):
        ghl.fail("earthquake")


def test_a_fault_by_chance_strikes_the_same_requests_for_the_same_seed() -> None:
    def struck(seed: int) -> list[int]:
        with Simulator(seed=seed) as simulator:
            simulator.location(HERE, token=TOKEN)
            simulator.fail("500", probability=0.3)
            ask = Client(simulator)
            return [number for number in range(40) if ask("GET", f"/locations/{HERE}").status == 500]

    first = struck(1)
    assert 4 <= len(first) <= 22
    assert first == struck(1)
    assert first != struck(2)


def test_nobody_is_at_home_until_it_listens_again(ghl: Simulator, ask: Client) -> None:
    ghl.refuse_connections()
    with pytest.raises(ConnectionRefusedError):
        ask("GET", f"/locations/{HERE}")
    ghl.accept_connections()
    assert ask("GET", f"/locations/{HERE}").status == 200


def test_latency_delays_every_answer(ghl: Simulator, ask: Client) -> None:
    ghl.settings.latency_ms = 60
    began = time.monotonic()
    assert ask("GET", f"/locations/{HERE}").status == 200
    assert time.monotonic() - began >= 0.06


# The ledger


def test_the_ledger_tells_how_often_a_person_got_a_message_whatever_the_answer_was(
    ghl: Simulator, ask: Client
) -> None:
    ada = ask.contact(phone="+447700900003")
    sms = {"type": "SMS", "contactId": ada, "message": "See you! ref:m-1"}
    ghl.fail("reset_after", path="/conversations/messages", count=1)
    with pytest.raises(ConnectionResetError):
        ask("POST", "/conversations/messages", sms)
    assert ghl.deliveries() == {(ada, "m-1"): 1}
    assert ghl.ledger.doubles() == {}
    ask("POST", "/conversations/messages", sms)
    ask("POST", "/conversations/messages", sms | {"message": "Without a marker"})
    assert ghl.deliveries()[ada, "m-1"] == 2
    assert ghl.ledger.doubles() == {(ada, "m-1"): 2}
    assert ghl.deliveries().total() == 3


def test_the_ledger_shows_an_overtaken_update(ghl: Simulator, ask: Client) -> None:
    ada = ask.contact(firstName="v1")
    for value in ("v2", "v4", "v3"):
        ask("PUT", f"/contacts/{ada}", {"firstName": value})
    assert ghl.ledger.values(ada, "firstName") == ["v1", "v2", "v4", "v3"]
    writes = ghl.ledger.history(ada)
    assert [write.via for write in writes] == ["upsert", "update", "update", "update"]
    assert [write.number for write in writes] == sorted(write.number for write in writes)


def test_the_most_in_a_window_is_found_across_seconds(ghl: Simulator) -> None:
    for at in (0.0, 5.0, 9.9, 10.0, 12.0, 30.0):
        ghl.ledger.arrived("x", at)
    assert ghl.ledger.most_in("x", 10) == 4
    assert ghl.ledger.requests("x")[9] == 1


# Webhooks


class Receiver:
    """Takes webhooks; statuses: what to answer, by order; afterwards 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[tuple[bytes, str | None]] = []
        self.lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    receiver.got.append((body, self.headers.get("X-GHL-Signature")))
                    status = receiver.statuses.pop(0) if receiver.statuses else 200
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            # Five at once, the default, would make the others wait a second.
            request_queue_size = 64

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body, _ in self.got]

    @property
    def types(self) -> list[str]:
        return [one["type"] for one in self.documents]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    receiver.thread.join()


def key(ghl: Simulator) -> Ed25519PublicKey:
    loaded = load_pem_public_key(ghl.public_key.encode())
    assert isinstance(loaded, Ed25519PublicKey)
    return loaded


def test_a_webhook_is_signed_over_its_raw_body_and_flat_with_the_appointment_nested(
    ghl: Simulator, ask: Client, receiver: Receiver
) -> None:
    ghl.deliver(url=receiver.url)
    ada = ask.contact(firstName="Ada")
    made = ask("POST", "/calendars/events/appointments", booking(ada, appointmentStatus="new")).json["id"]
    ask("PUT", f"/calendars/events/appointments/{made}", {"appointmentStatus": "confirmed"})
    ask("DELETE", f"/calendars/events/{made}", {})
    assert ghl.settle()
    assert receiver.types == ["ContactCreate", "AppointmentCreate", "AppointmentUpdate", "AppointmentDelete"]
    for body, signature in receiver.got:
        assert signature
        key(ghl).verify(b64decode(signature), body)
    contact, first, second, _ = receiver.documents
    assert (contact["id"], contact["email"], contact["locationId"]) == (ada, "ada@example.org", HERE)
    assert {"webhookId", "timestamp", "appId", "versionId"} <= contact.keys()
    assert "dateUpdated" not in contact
    assert first["appointment"]["id"] == made
    assert [one["appointment"]["appointmentStatus"] for one in (first, second)] == ["new", "confirmed"]
    assert first["appointment"]["dateUpdated"] < second["appointment"]["dateUpdated"]
    assert len({one["webhookId"] for one in receiver.documents}) == 4


def test_messages_opportunities_notes_and_tasks_are_told(
    ghl: Simulator, ask: Client, receiver: Receiver
) -> None:
    ada = ask.contact(phone="+447700900004")
    ghl.deliver(url=receiver.url)
    ask("POST", "/conversations/messages", {"type": "SMS", "contactId": ada, "message": "Hi"})
    ghl.staff.reply(ada, "Hello")
    body = {"locationId": HERE, "pipelineId": "pipe1", "contactId": ada, "name": "Ten", "status": "open"}
    opportunity = ask("POST", "/opportunities/", body).json["opportunity"]["id"]
    ask("PUT", f"/opportunities/{opportunity}/status", {"status": "won"})
    ask("POST", f"/contacts/{ada}/notes", {"body": "x"})
    ask(
        "POST",
        f"/contacts/{ada}/tasks",
        {"title": "x", "dueDate": "2026-12-01T10:00:00Z", "completed": False},
    )
    ask("POST", f"/contacts/{ada}/tags", {"tags": ["vip"]})
    assert ghl.settle()
    opportunities = ["OpportunityCreate", "OpportunityUpdate", "OpportunityStatusUpdate"]
    expected = ["OutboundMessage", "InboundMessage", *opportunities, "NoteCreate", "TaskCreate"]
    assert receiver.types == [*expected, "ContactUpdate", "ContactTagUpdate"]
    assert [one["body"] for one in receiver.documents[:2]] == ["Hi", "Hello"]
    assert receiver.documents[4]["status"] == "won"
    assert "contactId" not in receiver.documents[6]


def test_a_task_is_told_completed_once(ghl: Simulator, ask: Client, receiver: Receiver) -> None:
    ada = ask.contact()
    ghl.deliver(url=receiver.url)
    task = {"title": "Call", "body": "x", "dueDate": "2026-12-01T10:00:00Z", "completed": False}
    where = f"/contacts/{ada}/tasks/{ask('POST', f'/contacts/{ada}/tasks', task).json['task']['id']}"
    for completed in (True, True, False):
        ask("PUT", f"{where}/completed", {"completed": completed})
    assert ghl.settle()
    assert receiver.types == ["TaskCreate", "TaskComplete"]
    assert receiver.documents[1]["contactId"] == ada


def test_one_change_can_be_told_twice_as_the_real_one_does(
    ghl: Simulator, ask: Client, receiver: Receiver
) -> None:
    ghl.settings.twin_webhooks = True
    ghl.deliver(url=receiver.url)
    ask("DELETE", f"/contacts/{ask.contact()}")
    assert ghl.settle()
    assert receiver.types == ["ContactCreate", "ContactUpdate", "ContactDelete", "ContactUpdate"]


def test_webhooks_come_tripled_and_shuffled_when_asked_for(ghl: Simulator, receiver: Receiver) -> None:
    ghl.deliver(url=receiver.url, copies=3, shuffle=True, hold=True)
    with ghl.lock:
        for _ in range(20):
            ghl.staff.new_contact(HERE)
    time.sleep(0.05)
    assert receiver.got == []
    ghl.flush()
    assert ghl.settle()
    came = [one["webhookId"] for one in receiver.documents]
    assert sorted(Counter(came).values()) == [3] * 20
    assert len(set(receiver.got)) == 20
    emitted = [webhook.webhook_id for webhook in ghl.webhooks.sent]
    assert came != emitted
    assert sorted(came) == sorted(emitted)


def test_webhooks_get_lost_delayed_or_doubly_told_by_the_seed(ghl: Simulator, receiver: Receiver) -> None:
    ghl.deliver(url=receiver.url, drop=0.5, copies=2, fresh_ids=True, delay_ms=(5, 20))
    with ghl.lock:
        for _ in range(20):
            ghl.staff.new_contact(HERE)
    assert ghl.settle()
    lost = sum(webhook.lost for webhook in ghl.webhooks.sent)
    assert 8 <= lost <= 32
    assert len(receiver.got) == 40 - lost
    assert len({one["webhookId"] for one in receiver.documents}) == 40 - lost
    assert len({one["id"] for one in receiver.documents}) == (40 - lost) // 2


@pytest.mark.parametrize(
    ("policy", "answers", "deliveries"),
    [("any", [503, 500, 200], 3), ("429", [503], 1), ("429", [429, 429, 200], 3), ("never", [429], 1)],
)
def test_a_webhook_is_tried_again_by_the_policy(
    ghl: Simulator, receiver: Receiver, policy: str, answers: list[int], deliveries: int
) -> None:
    receiver.statuses = list(answers)
    ghl.deliver(url=receiver.url, retry=policy, retry_scale=1e-5)
    ghl.staff.new_contact(HERE)
    assert ghl.settle()
    assert len(receiver.got) == deliveries
    assert len(set(receiver.got)) == 1
    assert ghl.webhooks.sent[0].statuses == answers


def test_signatures_can_be_wrong_or_missing_and_webhooks_never_leave_this_machine(
    ghl: Simulator, receiver: Receiver
) -> None:
    ghl.deliver(url=receiver.url, signature="wrong")
    ghl.staff.new_contact(HERE)
    assert ghl.settle()
    body, signature = receiver.got[0]
    with pytest.raises(InvalidSignature):
        key(ghl).verify(b64decode(signature or ""), body)
    ghl.deliver(url=receiver.url, signature="missing")
    ghl.staff.new_contact(HERE)
    assert ghl.settle()
    assert receiver.got[1][1] is None
    with pytest.raises(ValueError, match="loopback"):
        ghl.deliver(url="https://hooks.example.org/")


# Staff and control


def test_staff_acts_by_itself_and_moves_dates_on(ghl: Simulator, receiver: Receiver) -> None:
    ghl.deliver(url=receiver.url)
    booked = ghl.staff.book(HERE)
    moved = ghl.staff.move(booked["id"], "2026-12-24T09:00:00+00:00")
    missed = ghl.staff.no_show(booked["id"])
    assert moved["startTime"] == "2026-12-24T09:00:00+00:00"
    assert booked["dateUpdated"] < moved["dateUpdated"] < missed["dateUpdated"]
    with ghl.lock:
        done = Counter(ghl.staff.act(HERE) for _ in range(150))
    assert len(done) >= 7
    assert ghl.settle()
    assert {"AppointmentUpdate", "InboundMessage", "OpportunityCreate"} <= set(receiver.types)
    for contact in ghl.world.contacts():
        assert contact["email"].endswith("@example.org")
        assert contact["phone"].startswith("+447700900")


def test_staff_waits_for_a_request_that_is_being_served(ghl: Simulator) -> None:
    with ghl.lock:
        hand = threading.Thread(target=ghl.staff.new_contact, args=(HERE,))
        hand.start()
        hand.join(0.1)
        assert hand.is_alive()
        assert not ghl.world.locations[HERE].contacts
    hand.join(1)
    assert len(ghl.world.locations[HERE].contacts) == 1


def test_a_trickle_goes_on_until_it_is_stopped(ghl: Simulator, ask: Client) -> None:
    assert ask("POST", "/_control/trickle", {"every_s": 0.01}).status == 200
    deadline = time.monotonic() + 3
    while not ghl.world.locations[HERE].contacts and time.monotonic() < deadline:
        time.sleep(0.01)
    ask("POST", "/_control/trickle", {"every_s": 0})
    assert ghl.world.locations[HERE].contacts


def test_the_control_api_does_what_the_methods_do(ghl: Simulator, ask: Client, receiver: Receiver) -> None:
    made = ask("POST", "/_control/locations", {"name": "Studio"}).json
    token, location = made["token"], made["id"]
    there = Client(ghl, token)
    assert there("GET", f"/locations/{location}").json["location"]["name"] == "Studio"
    ask("POST", "/_control/webhooks", {"url": receiver.url, "hold": True})
    person = ask(
        "POST", "/_control/staff", {"act": "new_contact", "location_id": location, "phone": "+447700900999"}
    )
    ask("POST", "/_control/webhooks/flush")
    assert ghl.settle()
    assert receiver.types == ["ContactCreate"]
    contact = person.json["result"]["id"]
    there("POST", "/conversations/messages", {"type": "SMS", "contactId": contact, "message": "ref:c-1"})
    told = ask("GET", "/_control/deliveries").json
    assert told == {"deliveries": [{"contact_id": contact, "message": "c-1", "times": 1}], "doubles": 0}
    number = ask("POST", "/_control/faults", {"kind": "503", "location": location}).json["id"]
    assert there("GET", f"/locations/{location}").status == 503
    assert ask("GET", "/_control/faults").json["faults"][0]["struck"] == 1
    assert ask("DELETE", f"/_control/faults/{number}").json == {"ended": 1}
    ask("POST", "/_control/limits", {"burst": 3})
    ask("POST", "/_control/forget")
    assert [there("GET", f"/locations/{location}").status for _ in range(4)] == [200, 200, 200, 429]
    requests = ask("GET", f"/_control/requests?location_id={location}").json
    assert (requests["of_location"], requests["most_in_10_s"]) == (4, 4)
    ask("POST", "/_control/advance", {"seconds": 11})
    ask("POST", "/_control/tokens", {"action": "revoke", "location_id": location})
    assert there("GET", f"/locations/{location}").status == 401
    assert ask("GET", "/_control/key").raw.decode() == ghl.public_key
    assert ask("POST", "/_control/settings", {"gravity": 1}).status == 400
    assert ask("POST", "/_control/faults", {"kind": "earthquake"}).status == 400
    assert ask("GET", "/_control/nothing").status == 404


def test_it_runs_as_a_process_of_its_own() -> None:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "trainu.demo.ghl",
        "--port",
        str(port),
        "--locations",
        "2",
        "--contacts",
        "3",
    ]
    process = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[2])
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                overview = control(port)
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert [one["contacts"] for one in overview["locations"]] == [3, 3]
        known = populate(Simulator(seed=1), locations=2, contacts_each=3)
        assert [one["id"] for one in overview["locations"]] == [location for location, _ in known]
        token = known[0][1]
        ask = HTTPConnection("127.0.0.1", port, timeout=2)
        headers = {"Authorization": f"Bearer {token}", "Version": "2021-07-28"}
        ask.request("GET", f"/locations/{known[0][0]}", headers=headers)
        assert ask.getresponse().status == 200
        ask.close()
    finally:
        process.terminate()
        process.wait(5)


def control(port: int) -> Any:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/_control/")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


# The official documents


def schema(method: str, template: str, status: int) -> dict[str, Any] | None:
    """Return the schema of an answer, if the official documents that we keep have one."""
    for path in SPECS.glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        operation = document["paths"].get(template, {}).get(method.lower())
        if operation:
            response = operation["responses"][str(status)]
            if content := response.get("content", {}).get("application/json"):
                return content["schema"] | {"components": document["components"]}
    return None


def journey(ask: Client) -> Iterator[tuple[str, str, Answer, Callable[[Any], Any]]]:
    """Yield answers of most endpoints: method, template, answer, and which part of it is to be judged."""

    def plain(document: Any) -> Any:
        return document

    ada = ask.contact(
        "ada", firstName="Ada", phone="+447700900005", customFields=[{"id": "f", "field_value": "x"}]
    )
    task = {"title": "x", "body": "y", "dueDate": "2026-12-01T10:00:00Z", "completed": False}
    contact = "/contacts/{contactId}"
    post = ask("POST", "/contacts/", {"locationId": HERE, "email": "new@example.org"})
    yield "POST", "/contacts/", post, plain
    yield (
        "POST",
        "/contacts/upsert",
        ask("POST", "/contacts/upsert", {"locationId": HERE, "email": "ada@example.org"}),
        plain,
    )
    yield "PUT", contact, ask("PUT", f"/contacts/{ada}", {"city": "Leeds"}), plain
    yield "GET", contact, ask("GET", f"/contacts/{ada}"), plain
    yield "POST", f"{contact}/tags", ask("POST", f"/contacts/{ada}/tags", {"tags": ["a"]}), plain
    yield "DELETE", f"{contact}/tags", ask("DELETE", f"/contacts/{ada}/tags", {"tags": ["a"]}), plain
    yield "POST", f"{contact}/notes", ask("POST", f"/contacts/{ada}/notes", {"body": "x"}), plain
    yield "GET", f"{contact}/notes", ask("GET", f"/contacts/{ada}/notes"), plain
    made = ask("POST", f"/contacts/{ada}/tasks", task)
    yield "POST", f"{contact}/tasks", made, plain
    number = made.json["task"]["id"]
    yield "GET", f"{contact}/tasks", ask("GET", f"/contacts/{ada}/tasks"), plain
    yield (
        "PUT",
        f"{contact}/tasks/{{taskId}}",
        ask("PUT", f"/contacts/{ada}/tasks/{number}", {"title": "z"}),
        plain,
    )
    done = ask("PUT", f"/contacts/{ada}/tasks/{number}/completed", {"completed": True})
    yield "PUT", f"{contact}/tasks/{{taskId}}/completed", done, plain
    booked = ask("POST", "/calendars/events/appointments", booking(ada))
    event, where = (
        "/calendars/events/appointments/{eventId}",
        f"/calendars/events/appointments/{booked.json['id']}",
    )
    yield "POST", "/calendars/events/appointments", booked, plain
    yield "PUT", event, ask("PUT", where, {"title": "z"}), plain
    yield "GET", event, ask("GET", where), plain
    query = urlencode({"locationId": HERE, "userId": "user1", "startTime": 0, "endTime": 9_999_999_999_999})
    yield "GET", "/calendars/events", ask("GET", f"/calendars/events?{query}"), plain
    yield "GET", f"{contact}/appointments", ask("GET", f"/contacts/{ada}/appointments"), plain
    yield "GET", "/calendars/", ask("GET", f"/calendars/?locationId={HERE}"), plain
    sent = ask("POST", "/conversations/messages", {"type": "SMS", "contactId": ada, "message": "Hi"})
    yield "POST", "/conversations/messages", sent, plain
    search = ask("GET", f"/conversations/search?locationId={HERE}")
    yield "GET", "/conversations/search", search, plain
    listed = ask("GET", f"/conversations/{sent.json['conversationId']}/messages")
    # The live answer nests what the document has at the top.
    yield "GET", "/conversations/{conversationId}/messages", listed, lambda document: document["messages"]
    body = {"locationId": HERE, "pipelineId": "pipe1", "contactId": ada, "name": "Ten", "status": "open"}
    opportunity = ask("POST", "/opportunities/", body)
    yield "POST", "/opportunities/", opportunity, plain
    yield "POST", "/opportunities/upsert", ask("POST", "/opportunities/upsert", body), plain
    one = f"/opportunities/{opportunity.json['opportunity']['id']}"
    yield "PUT", "/opportunities/{id}/status", ask("PUT", f"{one}/status", {"status": "won"}), plain
    yield "GET", "/opportunities/{id}", ask("GET", one), plain
    yield "GET", "/opportunities/search", ask("GET", f"/opportunities/search?location_id={HERE}"), plain
    yield "GET", "/locations/{locationId}", ask("GET", f"/locations/{HERE}"), plain
    yield (
        "DELETE",
        "/calendars/events/{eventId}",
        ask("DELETE", f"/calendars/events/{booked.json['id']}", {}),
        plain,
    )
    yield "DELETE", contact, ask("DELETE", f"/contacts/{ada}"), plain


def test_every_answer_has_the_shape_of_the_official_documents(ghl: Simulator, ask: Client) -> None:
    client = {"client_id": "demo-client", "client_secret": "demo-client-secret"}
    token = ghl.tokens.pair(HERE)["refresh_token"]
    answer = ask.form("/oauth/token", grant_type="refresh_token", refresh_token=token, **client)
    answers = [("POST", "/oauth/token", answer, lambda document: document), *journey(ask)]
    judged = 0
    for method, template, answer, part in answers:
        assert answer.status in {200, 201}, (method, template, answer.raw)
        if wanted := schema(method, template, answer.status):
            Draft202012Validator(wanted).validate(part(answer.json))
            judged += 1
    assert judged >= 25


def test_every_endpoint_is_one_of_the_official_documents() -> None:
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in SPECS.glob("*.json")]
    official = {
        (method.upper(), path): one
        for each in documents
        for path, item in each["paths"].items()
        for method, one in item.items()
    }
    known = [(route, official.get((route.method, route.template))) for room in ROOMS for route in room.ROUTES]
    assert sum(one is not None for _, one in known) >= 25
    for route, operation in known:
        if operation:
            [version] = [one for one in operation["parameters"] if one["name"] == "Version"]
            assert version["schema"]["enum"] == [route.version], route.name
