"""Locations: held and let go again, what is told of it, and tokens that are checked before they are kept."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pydantic import SecretStr
from pytest_django import Settings

from observability.models import AuditEntry
from sync import connections, credentials, locations
from sync.ghl.oauth import Tokens
from sync.locations import Refused
from sync.models import Breaker, Budget, Credential, Location
from sync.signals import Act, Trouble
from trainu.demo.ghl import Simulator
from trainu.faults import SyncCode

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HERE = "studioOfTheTests00001"
TOKEN = "pit-of-the-tests-0001"
BACK = "https://trainu.example/admin/sync/location/connected/"


@pytest.fixture
def ghl(settings: Settings) -> Iterator[Simulator]:
    with Simulator(seed=7) as simulator:
        settings.GHL_BASE_URL = simulator.url
        settings.GHL_CLIENT_ID, settings.GHL_CLIENT_SECRET = "demo-client", "demo-client-secret"
        simulator.location(HERE, token=TOKEN, name="Studio North", timezone="Europe/Berlin")
        yield simulator


@pytest.fixture
def here() -> Location:
    return locations.add(HERE, "Studio", now=NOW, actor="staff:1")


def state(location_id: str = HERE) -> tuple[str, str, datetime | None]:
    row = Location.objects.get(pk=location_id)
    return row.state, row.state_reason, row.paused_until


def enter(token: str = TOKEN, **options: Any) -> connections.Connected:
    return connections.enter_private_token(HERE, SecretStr(token), now=NOW, **options)


def refused(act: Any, *args: Any, **options: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        act(*args, **options)
    return caught.value


def kept() -> str | None:
    held = credentials.held(HERE)
    return held.access.get_secret_value() if held else None


# Added, held, let go


def test_a_new_location_can_be_worked_for_at_once_and_is_in_the_audit_log(acts: list[Act]) -> None:
    locations.add(HERE, "  Studio ", timezone="Europe/Berlin", now=NOW, actor="staff:1")
    row = Location.objects.get()
    assert (row.name, row.timezone, row.state) == ("Studio", "Europe/Berlin", "active")
    assert Budget.objects.filter(pk=HERE).exists()
    assert Breaker.objects.filter(pk=HERE).exists()
    [act] = acts
    assert (act.action, act.target_kind, act.target_id, act.actor) == (
        "location.add",
        "sync.location",
        HERE,
        "staff:1",
    )


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"location_id": "../x"}, "invalid_location"),
        ({"location_id": ""}, "invalid_location"),
        ({"location_id": "x" * 65}, "invalid_location"),
        ({"name": "  "}, "invalid_name"),
        ({"name": "x" * 121}, "invalid_name"),
        ({"timezone": "Mars/Olympus"}, "invalid_timezone"),
        ({"timezone": "../../etc/passwd"}, "invalid_timezone"),
        ({"timezone": "a\x00b"}, "invalid_timezone"),
        ({"location_id": HERE}, "known_location"),
    ],
)
def test_a_location_that_cannot_be_is_refused(
    here: Location, acts: list[Act], given: dict[str, Any], code: str
) -> None:
    asked = {"location_id": "another", "name": "Another", "now": NOW} | given
    assert refused(locations.add, **asked).code == code
    assert Location.objects.count() == 1
    assert acts == []


def test_a_pause_has_a_reason_and_an_end_and_resuming_clears_both(here: Location, acts: list[Act]) -> None:
    locations.pause(HERE, " They move ", until=NOW + HOUR, now=NOW, actor="staff:1")
    assert state() == ("paused", "They move", NOW + HOUR)
    assert locations.resume(HERE, reason="Moved", actor="staff:2") is True
    assert state() == ("active", "", None)
    assert [(act.action, act.reason, act.actor) for act in acts] == [
        ("location.pause", "They move", "staff:1"),
        ("location.resume", "Moved", "staff:2"),
    ]
    assert acts[0].changes == {"state": ("active", "paused"), "paused_until": (None, NOW + HOUR)}
    assert locations.resume(HERE) is False
    assert len(acts) == 2


def test_a_pause_without_end_lasts_and_can_be_changed(here: Location, acts: list[Act]) -> None:
    locations.pause(HERE, "They move", now=NOW)
    assert locations.is_held(Location.objects.get(), NOW + 1000 * HOUR)
    locations.pause(HERE, "Until noon", until=NOW + HOUR, now=NOW)
    assert state() == ("paused", "Until noon", NOW + HOUR)
    assert acts[-1].changes == {"paused_until": (None, NOW + HOUR)}


@pytest.mark.parametrize(
    ("reason", "until", "code"),
    [
        ("  ", None, "no_reason"),
        ("x" * 301, None, "no_reason"),
        ("a\x00b", None, "no_reason"),
        ("They move", NOW, "invalid_until"),
        ("They move", NOW - HOUR, "invalid_until"),
        ("They move", NOW + timedelta(days=400), "invalid_until"),
    ],
)
def test_a_pause_that_says_nothing_or_never_was_is_refused(
    here: Location, acts: list[Act], reason: str, until: datetime | None, code: str
) -> None:
    assert refused(locations.pause, HERE, reason, until=until, now=NOW).code == code
    assert state() == ("active", "", None)
    assert acts == []


def test_a_refused_token_holds_the_location_and_is_told_once(here: Location, troubles: list[Trouble]) -> None:
    for _ in range(3):
        locations.hold(HERE, SyncCode.UNAUTHORIZED, "The token is refused.", now=NOW)
    assert state() == ("misconfigured", "The token is refused.", None)
    assert troubles == [Trouble("sync", "unauthorized", HERE, "The token is refused.")]
    assert locations.resume(HERE) is True
    assert locations.hold(HERE, SyncCode.UNAUTHORIZED, "Again.", now=NOW) is True
    assert len(troubles) == 2


def test_what_is_paused_stays_paused_until_its_time_is_over(here: Location, troubles: list[Trouble]) -> None:
    locations.pause(HERE, "They move", until=NOW + HOUR, now=NOW)
    assert locations.hold(HERE, SyncCode.UNAUTHORIZED, "Refused.", now=NOW + HOUR / 2) is False
    assert (state()[0], troubles) == ("paused", [])
    assert not locations.is_held(Location.objects.get(), NOW + HOUR)
    assert locations.hold(HERE, SyncCode.UNAUTHORIZED, "Refused.", now=NOW + HOUR) is True
    assert state() == ("misconfigured", "Refused.", None)


def test_a_misconfigured_location_cannot_be_hidden_by_a_pause(here: Location) -> None:
    locations.hold(HERE, SyncCode.UNAUTHORIZED, "Refused.", now=NOW)
    assert refused(locations.pause, HERE, "They move", now=NOW).code == "misconfigured"
    assert state()[0] == "misconfigured"


def test_limits_stay_below_those_of_gohighlevel(here: Location, acts: list[Act]) -> None:
    assert locations.edit_limits(HERE, burst_limit=50, daily_limit=190_000, actor="staff:1") is True
    assert acts[-1].changes == {"burst_limit": (95, 50)}
    assert locations.edit_limits(HERE, burst_limit=50, daily_limit=190_000) is False
    for limits in ({"burst_limit": 101}, {"burst_limit": 0}, {"daily_limit": 0}, {"daily_limit": 200_001}):
        refused(locations.edit_limits, HERE, **{"burst_limit": 50, "daily_limit": 5} | limits)
    assert Location.objects.values_list("burst_limit", "daily_limit").get() == (50, 190_000)
    assert len(acts) == 1


def test_every_verb_says_that_a_location_is_not_there() -> None:
    for act in (
        lambda: locations.pause("nowhere", "They move", now=NOW),
        lambda: locations.resume("nowhere"),
        lambda: locations.hold("nowhere", SyncCode.REFUSED, "No.", now=NOW),
        lambda: locations.edit_limits("nowhere", burst_limit=1, daily_limit=1),
        lambda: connections.enter_private_token("nowhere", SecretStr("pit-1"), now=NOW),
    ):
        assert refused(act).code == "unknown_location"


def test_an_act_that_cannot_be_recorded_does_not_happen(here: Location) -> None:
    def refuse(**_signal: Any) -> None:
        raise RuntimeError("no entry")

    locations.signals.acted.connect(refuse)
    try:
        with pytest.raises(RuntimeError):
            locations.pause(HERE, "They move", now=NOW)
    finally:
        locations.signals.acted.disconnect(refuse)
    assert state()[0] == "active"


# Private tokens


def test_a_token_is_checked_kept_and_lets_a_misconfigured_location_go_on(
    ghl: Simulator, here: Location, acts: list[Act]
) -> None:
    locations.hold(HERE, SyncCode.UNAUTHORIZED, "Refused.", now=NOW)
    enter(f"  {TOKEN}\n", actor="staff:1")
    assert kept() == TOKEN
    assert state() == ("active", "", None)
    assert Location.objects.get().timezone == "Europe/Berlin"
    [act] = acts
    assert (act.action, act.actor) == ("location.connect", "staff:1")
    assert act.changes == {
        "kind": (None, "private"),
        "state": ("misconfigured", "active"),
        "timezone": ("UTC", "Europe/Berlin"),
    }
    assert TOKEN not in repr(acts)


def test_a_token_does_not_end_a_pause(ghl: Simulator, here: Location) -> None:
    locations.pause(HERE, "They move", now=NOW)
    enter()
    assert state() == ("paused", "They move", None)
    assert kept() == TOKEN


def wrong_token(ghl: Simulator) -> str:
    return "pit-nonsense"


def of_another_location(ghl: Simulator) -> str:
    return ghl.location("elsewhere0001")[1]


def without_permission(ghl: Simulator) -> str:
    return ghl.tokens.private(HERE, scopes=frozenset({"contacts.readonly"}))


def unusable(ghl: Simulator) -> str:
    return "pit nonsense\x07"


def empty(ghl: Simulator) -> str:
    return "   "


def while_it_is_down(ghl: Simulator) -> str:
    ghl.fail("503")
    return TOKEN


def while_it_is_away(ghl: Simulator) -> str:
    ghl.refuse_connections()
    return TOKEN


@pytest.mark.parametrize(
    ("prepare", "code", "advice"),
    [
        (wrong_token, "unauthorized", "Copy it again"),
        (of_another_location, "wrong_location", "made in this location"),
        (without_permission, "missing_scope", "View Locations"),
        (unusable, "unusable_token", "Copy it again"),
        (empty, "unusable_token", "Copy it again"),
        (while_it_is_down, "status_503", "Try again."),
        (while_it_is_away, "connection_refused", "Try again."),
    ],
)
def test_a_token_that_cannot_be_checked_is_not_kept_and_the_reason_is_said(
    ghl: Simulator, here: Location, acts: list[Act], prepare: Any, code: str, advice: str
) -> None:
    credentials.hold_private(HERE, SecretStr("pit-the-old-one"), now=NOW)
    token = prepare(ghl)
    refusal = refused(enter, token)
    assert refusal.code == code
    assert advice in str(refusal)
    assert "nothing was stored" in str(refusal).lower()
    assert not token.strip() or token not in str(refusal)
    assert (kept(), acts) == ("pit-the-old-one", [])


def test_a_token_of_a_location_that_gohighlevel_does_not_know_is_refused(ghl: Simulator) -> None:
    locations.add("unknownThere01", "Studio", now=NOW)
    agency = ghl.tokens.pair(None)["access_token"]
    refusal = refused(connections.enter_private_token, "unknownThere01", SecretStr(agency), now=NOW)
    assert refusal.code == "target_gone"


def test_gohighlevel_is_asked_while_no_transaction_is_open(
    transactional_db: None, ghl: Simulator, here: Location
) -> None:
    """Another session looks at ours while GoHighLevel takes its time."""
    ghl.fail("slow", ms=600)
    pids, states = [], []
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        pids.append(cursor.fetchone()[0])

    def look() -> None:
        time.sleep(0.3)
        with connection.cursor() as cursor:
            cursor.execute("select state from pg_stat_activity where pid = %s", pids)
            states.append(cursor.fetchone()[0])
        connection.close()

    watcher = threading.Thread(target=look)
    watcher.start()
    enter()
    watcher.join()
    assert states == ["idle"]


# OAuth


def connect(code: str, **options: Any) -> connections.Connected:
    return connections.connect(SecretStr(code), BACK, now=NOW, **options)


def test_the_address_of_the_consent_names_us_and_what_we_want(ghl: Simulator) -> None:
    url = urlsplit(connections.authorize_url(BACK, "state-1"))
    asked = {name: value for name, [value] in parse_qs(url.query).items()}
    assert f"{url.scheme}://{url.netloc}{url.path}" == (
        "https://marketplace.gohighlevel.com/v2/oauth/chooselocation"
    )
    assert asked.pop("scope").split() == list(connections.SCOPES)
    assert asked == {
        "response_type": "code",
        "client_id": "demo-client",
        "redirect_uri": BACK,
        "state": "state-1",
    }


def test_without_an_app_of_our_own_oauth_is_refused(here: Location) -> None:
    assert not connections.is_configured()
    for act in (lambda: connections.authorize_url(BACK, "s"), lambda: connect("code")):
        assert refused(act).code == "no_app"


def test_an_installation_adds_its_location_with_tokens_that_can_be_renewed(
    ghl: Simulator, acts: list[Act]
) -> None:
    connected = connect(ghl.tokens.code(HERE), actor="staff:1")
    assert connected == connections.Connected(HERE, is_new=True, ends_at=None)
    row = Location.objects.get()
    assert (row.pk, row.name, row.timezone) == (HERE, "Studio North", "Europe/Berlin")
    held = credentials.held(HERE)
    assert held is not None
    assert held.refresh is not None
    assert ghl.tokens.grants[held.access.get_secret_value()].location_id == HERE
    assert [(act.action, act.actor) for act in acts] == [
        ("location.add", "staff:1"),
        ("location.connect", "staff:1"),
    ]
    for secret in (held.access, held.refresh):
        assert secret.get_secret_value() not in repr(acts)


def test_installing_again_renews_the_tokens_and_lets_the_location_go_on(
    ghl: Simulator, here: Location, acts: list[Act]
) -> None:
    credentials.hold_private(HERE, SecretStr("pit-the-old-one"), now=NOW)
    locations.hold(HERE, SyncCode.UNAUTHORIZED, "Refused.", now=NOW)
    assert connect(ghl.tokens.code(HERE), location_id=HERE).is_new is False
    assert state()[0] == "active"
    assert Location.objects.get().name == "Studio"
    assert Credential.objects.get().kind == "oauth"
    assert acts[-1].changes["kind"] == ("private", "oauth")


def test_a_code_works_once(ghl: Simulator) -> None:
    code = ghl.tokens.code(HERE)
    connect(code)
    refusal = refused(connect, code)
    assert refusal.code == "grant_revoked"
    assert "Press Connect again" in str(refusal)
    assert code not in str(refusal)


def test_a_wrong_secret_of_our_app_is_told_apart(ghl: Simulator, settings: Settings) -> None:
    settings.GHL_CLIENT_SECRET = "wrong"
    refusal = refused(connect, ghl.tokens.code(HERE))
    assert refusal.code == "client_refused"
    assert "GHL_CLIENT_SECRET" in str(refusal)
    assert not Location.objects.exists()


def test_an_installation_elsewhere_than_meant_stores_nothing(ghl: Simulator, here: Location) -> None:
    ghl.location("elsewhere0001")
    refusal = refused(connect, ghl.tokens.code("elsewhere0001"), location_id=HERE)
    assert refusal.code == "wrong_location"
    assert not Credential.objects.exists()
    assert Location.objects.count() == 1


def test_an_agencys_installation_buys_the_token_of_the_location_that_is_meant(
    ghl: Simulator, here: Location
) -> None:
    connected = connect(ghl.tokens.code(None), location_id=HERE)
    held = credentials.held(HERE)
    assert held is not None
    assert ghl.tokens.grants[held.access.get_secret_value()].location_id == HERE
    # GoHighLevel gives nothing to renew such a token with, and whoever connects is told.
    assert held.refresh is None
    assert connected.ends_at == held.expires_at


def test_an_agencys_installation_without_a_location_says_what_to_do(ghl: Simulator) -> None:
    refusal = refused(connect, ghl.tokens.code(None))
    assert refusal.code == "installed_for_agency"
    assert "on its own page" in str(refusal)
    assert refused(connect, ghl.tokens.code(None), location_id="unknownThere01").code == "target_gone"
    assert not Location.objects.exists()


def test_tokens_are_kept_also_when_the_location_cannot_be_asked_for_its_name(ghl: Simulator) -> None:
    ghl.fail("503", path="/locations/*")
    connect(ghl.tokens.code(HERE))
    assert Location.objects.get().name == HERE
    assert kept()


# Keys


def test_keys_are_rotated_by_a_command_that_says_how_many(
    here: Location, settings: Settings, acts: list[Act]
) -> None:
    settings.CREDENTIAL_KEYS = "old"
    credentials.hold_oauth(HERE, Tokens(SecretStr("a"), SecretStr("r"), NOW + HOUR), now=NOW)
    settings.CREDENTIAL_KEYS = "new,old"
    out = StringIO()
    call_command("rotate_credentials", stdout=out)
    assert "1 location's tokens encrypted with the first key." in out.getvalue()
    settings.CREDENTIAL_KEYS = "new"
    assert kept() == "a"
    assert acts[-1].changes == {"reencrypted": (None, 1), "unreadable": (None, 0)}


def test_what_no_key_opens_is_named_and_holds_up_nothing_else(here: Location, settings: Settings) -> None:
    locations.add("loc-2", "Other", now=NOW)
    settings.CREDENTIAL_KEYS = "lost"
    credentials.hold_private("loc-2", SecretStr("b"), now=NOW)
    settings.CREDENTIAL_KEYS = "old"
    credentials.hold_private(HERE, SecretStr("a"), now=NOW)
    settings.CREDENTIAL_KEYS = "new,old"
    with pytest.raises(CommandError, match="loc-2"):
        call_command("rotate_credentials", stdout=StringIO())
    settings.CREDENTIAL_KEYS = "new"
    assert kept() == "a"


def test_who_changed_what_is_in_the_audit_log_without_a_token(ghl: Simulator, here: Location) -> None:
    locations.pause(HERE, "They move", now=NOW, actor="staff:1")
    locations.resume(HERE, actor="staff:1")
    locations.edit_limits(HERE, burst_limit=50, daily_limit=9, actor="staff:1")
    enter(actor="staff:1")
    entries = list(AuditEntry.objects.filter(target_id=HERE, actor_id="staff:1"))
    assert {entry.action for entry in entries} == {
        "location.add",
        "location.pause",
        "location.resume",
        "configuration.change",
        "location.connect",
    }
    assert TOKEN not in str([entry.changes for entry in entries])
