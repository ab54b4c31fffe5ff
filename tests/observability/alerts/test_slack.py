"""What is posted to Slack, and what its answers mean: over real HTTP, with faults by script."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.urls import include, path
from hypothesis import given, settings
from hypothesis import strategies as st

from observability.alerts.channels import slack, wording
from observability.alerts.channels.wording import Told
from observability.alerts.outbox import Again, Delivered, Impossible, Outcome
from tests.alert_servers import SlackServer, _is_too_long, _texts
from tests.observability.alerts import made
from tests.servers import Reply, free_port

PAGES = [
    path("incident/<int:pk>/", lambda request, pk: None, name="observability_incident_change"),
    path("runbook/<code>/", lambda request, code: None, name="runbook"),
    path("channels/", lambda request: None, name="observability_channel_changelist"),
]
urlpatterns = [path("admin/", include((PAGES, "admin")))]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def server() -> Iterator[SlackServer]:
    with SlackServer() as running:
        yield running


def post(server: SlackServer, **options: str) -> Outcome:
    return slack.deliver(made.notification(), made.channel("slack", options.get("to", server.webhook)))


def test_it_says_what_happened_what_to_do_and_where(server: SlackServer) -> None:
    assert post(server) == Delivered()
    [body] = server.taken
    header, lines, links, delivery = body["blocks"]
    assert header["text"]["text"] == "SEV1 Data lost: loc-1"
    assert "It began 2026-11-01 03:14 UTC and is open." in lines["text"]["text"]
    assert links["text"]["text"] == (
        "<http://127.0.0.1:8000/admin/incident/41/|Incident> ·"
        " <http://127.0.0.1:8000/admin/runbook/sev1_fault/|What to do>"
    )
    assert delivery["elements"][0]["text"] == "Delivery 7"
    for part in ("SEV1 Data lost: loc-1", "is open", "/admin/incident/41/", "Delivery 7"):
        assert part in body["text"]


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(429, {"Retry-After": "17"}), Again("status_429", timedelta(seconds=17))),
        (Reply(429, {"Retry-After": "999999999999"}), Again("status_429", timedelta(minutes=15))),
        (Reply(429, {"Retry-After": "soon"}), Again("status_429")),
        (Reply(500, body="oops"), Again("status_500")),
        (Reply(503, {"Retry-After": "0"}), Again("status_503", timedelta(seconds=1))),
        (Reply(400, body="invalid_blocks"), Impossible("invalid_blocks")),
        (Reply(403, body="action_prohibited"), Impossible("action_prohibited")),
        (Reply(404, body="no_service"), Impossible("no_service")),
        (Reply(410, body="something of a person"), Impossible("status_410")),
        (Reply(200, body="<html>Log in</html>"), Again("unexpected_answer")),
        (Reply(drop=True, stores=True), Again("connection")),
    ],
)
def test_each_answer_has_its_meaning_and_there_is_one_try(
    server: SlackServer, reply: Reply, outcome: Outcome
) -> None:
    server.script(reply)
    assert post(server) == outcome
    assert len(server.asked) == 1


def test_one_that_hangs_or_is_away_is_tried_again(
    server: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slack, "TIMEOUT_S", 0.1)
    server.script(Reply(hang_s=5))
    assert post(server) == Again("timeout")
    assert post(server, to=f"http://127.0.0.1:{free_port()}/x") == Again("connection")


def test_the_address_is_in_no_log(server: SlackServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        post(server)
        server.script(Reply(drop=True))
        post(server)
    assert "planted" not in caplog.text


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", True),
        ("https://chat.example.com/hooks/x", True),
        ("http://127.0.0.1:9000/x", True),
        ("http://localhost/x", True),
        ("http://[::1]:9000/x", True),
        ("http://hooks.slack.com/services/T0/B0/x", False),
        ("http://127.0.0.1.example.com/x", False),
        ("http://127.0.0.1@example.com/x", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("https://example.com:port/x", False),
        ("https://example.com/a b", False),
        ("https://example.com/x\n", False),
    ],
)
def test_it_posts_by_https_or_to_this_machine(address: str, is_allowed: bool) -> None:
    assert slack.is_address(address) is is_allowed
    if not is_allowed:
        refused = slack.deliver(made.notification(), made.channel("slack", address))
        assert refused == Impossible("bad_address")


def test_without_a_secret_that_opens_it_is_impossible(settings: Any) -> None:
    assert slack.deliver(made.notification(), made.channel("slack")) == Impossible("secret_missing")
    channel = made.channel("slack", "https://hooks.slack.com/x")
    settings.CREDENTIAL_KEYS = "another"
    assert slack.deliver(made.notification(), channel) == Impossible("secret_unreadable")


@given(
    st.text(max_size=9).map(lambda text: text * 700),
    st.lists(st.text(alphabet="<>&a", max_size=5).map(lambda text: text * 600), max_size=9),
)
@settings(max_examples=25)
def test_nothing_is_too_long_and_nothing_is_markup(title: str, lines: list[str]) -> None:
    told = Told(f"t{title}", tuple(lines), (("Incident", "https://x.example/?a=1&b=2"),), "Delivery 7")
    body = slack.message(told)
    assert not any(_is_too_long(block) for block in body["blocks"] if block["type"] != "section")
    assert sum(len(text) for text in (*_texts(body["blocks"]), body["text"])) <= 10_000
    for text in (body["text"], body["blocks"][0]["text"]["text"]):
        left = text.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "")
        assert not set("<>&") & set(left)


PERSONAL = ("nora.planted@example.com", "+49 170 5551234", "xoxb-123456789012-abcdefghijklmnop")


@pytest.mark.parametrize("planted", PERSONAL)
@pytest.mark.parametrize("act", ["trigger", "resolve", "overdue", "report_24h"])
def test_nothing_personal_is_told(planted: str, act: str) -> None:
    about = made.incident(title=f"Lost {planted}", group=planted, owner=planted, acknowledged_by=planted)
    told = wording.of(made.notification(act, about=about, escalated="pagerduty", code=planted))
    assert planted not in told.text


def test_who_is_told_instead_reads_why() -> None:
    about = made.incident(state="resolved", resolved_at=made.OPENED, resolved_by="recovery")
    told = wording.of(made.notification("resolve", about=about, escalated="pagerduty", code="status_404"))
    assert told.lines[0] == "PagerDuty could not be told (status_404); so you are."
    assert "was resolved 2026-11-01 03:14 UTC, by itself" in told.lines[1]


@pytest.mark.parametrize("state", ["acknowledged", "resolved"])
def test_a_beginning_that_comes_late_tells_how_it_began_and_asks_for_nothing(state: str) -> None:
    times = {"acknowledged_at": made.OPENED, "resolved_at": made.OPENED, "value": 9.0}
    told = wording.of(made.notification(about=made.incident(state=state, **times), value=3.0))
    assert "It began 2026-11-01 03:14 UTC. This comes late" in told.text
    assert ": 3; told of any at all" in told.text
    for part in ("Acknowledge it", "sees to it", "resolved", "is open"):
        assert part not in told.text


def test_nobody_is_named_and_numbers_are_not_rounded_away() -> None:
    about = made.incident(rule=made.rule("error_rate"), value=0.005, acknowledged_by="staff:5")
    about.rule.threshold = 0.0004
    told = wording.of(made.notification(about=about, value=0.005)).text.replace("\u00a0", " ")
    assert "0.50 %; told above 0.04 %" in told
    about.resolved_at = made.OPENED
    for act, by, how in (
        ("acknowledge", "staff:5", "somebody of staff sees to it"),
        ("resolve", "staff:5", ", by somebody of staff."),
        ("resolve", "key:3", ", by an API key."),
        ("resolve", "rule switched off", ", because its rule was switched off."),
    ):
        told = wording.of(made.notification(act, about=about, value=0.005, by=by)).text
        assert how in told
        assert "staff:5" not in told
        # The rule may demand something else by now.
        assert "told" not in told


def test_a_fault_leads_to_what_to_do_about_it() -> None:
    told = wording.of(made.notification(about=made.incident(group="rate_exceeded")))
    assert dict(told.links)["What to do"].endswith("/runbook/mass_send/")


def test_each_act_has_words_of_its_own() -> None:
    acts = ("trigger", "acknowledge", "resolve", "repeat", "overdue", "report_24h", "report_72h", "test")
    told = [wording.of(made.notification(act)) for act in acts]
    assert len({one.title for one in told}) == len(acts)
    assert all(one.links for one in told)


@pytest.mark.urls("tests.observability.alerts.test_pagerduty")
def test_an_alert_without_a_page_to_link_to_goes_out_all_the_same() -> None:
    assert wording.of(made.notification()).links == ()
