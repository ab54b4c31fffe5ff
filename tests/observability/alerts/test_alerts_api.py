"""/api/incidents, /api/alert-rules, /api/silences: the verbs of the pages, for programs."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from observability import api_keys
from observability.models import AlertRule, AuditEntry, Silence
from tests.observability.alerts.standing import HOUR, fire, measured, rule

pytestmark = pytest.mark.django_db


class Caller:
    """A program with a key of the given scopes."""

    def __init__(self, *scopes: str) -> None:
        row, key = api_keys.issue("/".join(scopes), list(scopes), limit_per_minute=0)
        self.name, self._key, self._client = f"key:{row.pk}", key, Client()

    def get(self, path: str, status: int = 200) -> Any:
        return self._answer(self._client.get(f"/api{path}", headers=self._headers), status)

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        return self._answer(
            self._client.post(f"/api{path}", body or {}, "application/json", headers=self._headers), status
        )

    def patch(self, path: str, body: Any, status: int = 200) -> Any:
        return self._answer(
            self._client.patch(f"/api{path}", body, "application/json", headers=self._headers), status
        )

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"}

    def _answer(self, answer: Any, status: int) -> Any:
        assert answer.status_code == status, answer.content
        if status >= 400:
            assert answer["Content-Type"] == "application/problem+json"
            assert answer.json()["correlation_id"]
        return answer.json()


@pytest.fixture
def program(db: None) -> Caller:
    return Caller("alerts:read", "alerts:work")


def test_incidents_are_listed_worked_and_told_by_whom(program: Caller) -> None:
    first, second = fire("sev1_fault", ago=2 * HOUR), fire("error_rate", "loc-1")
    listed = program.get("/incidents")
    assert [one["id"] for one in listed["incidents"]] == [second.pk, first.pk]
    assert listed["cursor"] is None
    page = program.get("/incidents?limit=1")
    rest = program.get(f"/incidents?limit=1&cursor={page['cursor']}")
    assert [page["incidents"][0]["id"], rest["incidents"][0]["id"]] == [second.pk, first.pk]
    assert program.get("/incidents?severity=SEV1")["incidents"][0]["rule"] == "sev1_fault"
    assert program.get("/incidents?rule=query_time")["incidents"] == []

    path = f"/incidents/{first.pk}"
    done = program.post(f"{path}/acknowledge")
    assert (done["state"], done["acknowledged_by"], done["owner"]) == (
        "acknowledged",
        program.name,
        program.name,
    )
    nora = User.objects.create_user("nora", is_staff=True)
    assert program.post(f"{path}/own", {"user_id": nora.pk})["owner"] == f"staff:{nora.pk}"
    assert program.post(f"{path}/own", {"user_id": None})["owner"] == ""
    noted = program.post(f"{path}/notes", {"words": "Looking"})
    assert noted["timeline"][-1]["words"] == "Looking"
    assert program.post(f"{path}/report", {"is_final": False, "words": "Told"})["first_report_at"]
    ended = program.post(f"{path}/resolve", {"reason": "Restored"})
    assert (ended["state"], ended["resolved_by"]) == ("resolved", program.name)
    assert {one["act"] for one in ended["notifications"]} >= {"trigger", "acknowledge", "resolve"}
    assert [one["id"] for one in program.get("/incidents?state=resolved")["incidents"]] == [first.pk]
    actions = AuditEntry.objects.filter(actor_id=program.name).values_list("action", flat=True)
    assert {"incident.acknowledge", "incident.note", "incident.own", "incident.report"} <= set(actions)


def test_what_cannot_be_done_is_a_problem_with_what_to_do(program: Caller) -> None:
    incident = fire("sev1_fault")
    path = f"/incidents/{incident.pk}"
    assert program.get("/incidents/999999", 404)["code"] == "unknown_incident"
    assert program.get("/incidents?cursor=x", 422)["code"] == "invalid_cursor"
    assert program.get("/incidents?limit=0", 422)["code"] == "invalid_request"
    assert "what was done" in program.post(f"{path}/resolve", {"reason": " "}, 422)["detail"]
    assert program.post(f"{path}/own", {"user_id": 999_999}, 422)["code"] == "unknown_user"
    program.post(f"{path}/report", {"is_final": True, "words": "Told"})
    assert program.post(f"{path}/report", {"is_final": True, "words": "x"}, 409)["code"] == "wrong_state"
    assert program.post(f"{path}/notes", {"words": "x", "more": 1}, 422)["code"] == "invalid_request"
    program.post(f"{path}/resolve", {"reason": "Mended"})
    assert program.post(f"{path}/acknowledge", status=409)["code"] == "wrong_state"


def test_who_may_read_may_not_work() -> None:
    incident = fire("error_rate")
    reader = Caller("alerts:read")
    reader.get(f"/incidents/{incident.pk}")
    reader.get("/alert-rules/error_rate/back-test")
    soon = (timezone.now() + HOUR).isoformat()
    reader.post(f"/incidents/{incident.pk}/acknowledge", status=403)
    reader.post(f"/incidents/{incident.pk}/notes", {"words": "x"}, 403)
    reader.patch("/alert-rules/error_rate", {"threshold": 0.5}, 403)
    reader.post("/silences", {"ends_at": soon, "reason": "x"}, 403)
    stranger = Caller("events:write")
    for path in ("/incidents", "/alert-rules", "/silences"):
        stranger.get(path, 403)
    incident.refresh_from_db()
    assert incident.state == "open"


def test_terms_are_tried_and_changed(program: Caller) -> None:
    rule()
    measured("error_rate", [1.0] * 100 + [7.0] * 60 + [1.0] * 60, until=timezone.now())
    assert len(program.get("/alert-rules")) == AlertRule.objects.count()
    one = program.get("/alert-rules/error_rate")
    assert (one["threshold"], one["unit"], one["states"]) == (0.05, "share", [])
    assert "over 15 minutes" in one["fires"]
    tried = program.get("/alert-rules/error_rate/back-test")
    assert (tried["fired"], len(tried["firings"]), tried["days"]) == (1, 1, 30)
    assert tried["firings"][0]["worst"] == pytest.approx(0.07)
    assert program.get("/alert-rules/error_rate/back-test?threshold=0.1&days=7")["fired"] == 0
    assert program.get("/alert-rules/error_rate/back-test?recovery=0.1", 422)["code"] == "invalid_terms"
    changed = program.patch("/alert-rules/error_rate", {"threshold": 0.1, "channels": ["email"]})
    assert (changed["threshold"], changed["channels"], changed["changed_by"]) == (
        0.1,
        ["email"],
        program.name,
    )
    for wrong in ({"recovery": 0.2}, {"window_minutes": 0}, {"threshold": None}):
        assert program.patch("/alert-rules/error_rate", wrong, 422)["code"] == "invalid_terms"
    assert program.patch("/alert-rules/error_rate", {"code": "x"}, 422)["code"] == "invalid_request"
    assert "0 to 1" in program.patch("/alert-rules/error_rate", {"threshold": 5}, 422)["detail"]
    assert "would be told" in program.patch("/alert-rules/error_rate", {"channels": []}, 422)["detail"]
    program.patch("/alert-rules/forwarder_lag", {"threshold": 1800})
    for wrong, words in (("nan", "finite number"), ("inf", "finite number"), ("5", "0 to 1")):
        told = program.get(f"/alert-rules/error_rate/back-test?threshold={wrong}", 422)
        assert words in str(told)
    program.get("/alert-rules/nothing", 404)
    program.get("/alert-rules/nothing/back-test", 404)


def test_a_silence_is_begun_listed_and_ended(program: Caller) -> None:
    rule()
    until = (timezone.now() + HOUR).isoformat()
    begun = program.post(
        "/silences", {"rule": "error_rate", "ends_at": until, "reason": "Deploying"}, status=201
    )
    assert (begun["rule"], begun["by"]) == ("error_rate", program.name)
    assert [one["id"] for one in program.get("/silences")["silences"]] == [begun["id"]]
    assert program.post(f"/silences/{begun['id']}/end")["changed"] is True
    assert program.post(f"/silences/{begun['id']}/end")["changed"] is False
    assert program.get("/silences")["silences"] == []
    assert program.get("/silences?state=over&limit=1")["silences"][0]["ended_by"] == program.name
    far = (timezone.now() + timedelta(days=40)).isoformat()
    assert (
        "30 days" in program.post("/silences", {"rule": None, "ends_at": far, "reason": "x"}, 422)["detail"]
    )
    assert program.post("/silences", {"rule": "nope", "ends_at": until, "reason": "x"}, 404)["code"]
    program.post("/silences/999999/end", status=404)
    # Every rule is silenced by whoever says so alone.
    assert "rule" in str(program.post("/silences", {"ends_at": until, "reason": "x"}, 422)["errors"])
    assert Silence.objects.count() == 1


def test_every_rule_is_silenced_by_an_explicit_word_and_an_unknown_group_is_told(program: Caller) -> None:
    fire(group="loc-1")
    given = {"ends_at": (timezone.now() + HOUR).isoformat(), "reason": "x"}
    for word in (None, "*"):
        begun = program.post("/silences", given | {"rule": word}, status=201)
        assert (begun["rule"], begun["is_group_known"]) == (None, True)
    for group, is_known in (("loc-1", True), ("loc-l", False)):
        begun = program.post("/silences", given | {"rule": "error_rate", "group": group}, status=201)
        assert begun["is_group_known"] is is_known


def test_every_address_stands_in_the_document(client: Client) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    for path, method in (
        ("/api/incidents", "get"),
        ("/api/incidents/{incident_id}/acknowledge", "post"),
        ("/api/alert-rules/{code}", "patch"),
        ("/api/alert-rules/{code}/back-test", "get"),
        ("/api/silences/{silence_id}/end", "post"),
    ):
        answers = paths[path][method]["responses"]
        assert "application/problem+json" in answers["403"]["content"]
