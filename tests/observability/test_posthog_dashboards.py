"""`manage.py posthog_dashboards` against a PostHog on loopback: it makes what is declared, and no more."""

import json
from copy import deepcopy
from typing import Any

import pytest
from django.db import Error as DatabaseError

from observability.audit import recording
from observability.management.commands import posthog_dashboards as command
from observability.models import AuditEntry, EventDefinition
from observability.posthog_dashboards import DASHBOARDS, apply, client
from tests.posthog_app import KEY, PostHogApp, call, failing, posthog_app
from tests.servers import Reply, free_port
from trainu.demo.posthog_project import Project

pytestmark = pytest.mark.django_db

INSIGHTS = sum(len(one.insights) for one in DASHBOARDS)
FIRST = DASHBOARDS[0].insights[0]
FIRST_KEY = f"[trainu:activation.{FIRST.key}]"


def made(app: PostHogApp) -> PostHogApp:
    """Run it once, and forget the requests."""
    call()
    app.requests.clear()
    return app


def state(project: Project) -> dict[str, Any]:
    """Return everything that a project holds, as a copy."""
    return deepcopy({"d": project.dashboards, "i": project.insights, "t": project.tiles})


def named(things: dict[int, Any], text: str) -> dict[str, Any]:
    """Return the one thing, still there, whose description ends with a text."""
    [one] = [
        thing for thing in things.values() if thing["description"].endswith(text) and not thing["deleted"]
    ]
    return one


def standing(things: dict[int, Any]) -> list[dict[str, Any]]:
    return [one for one in things.values() if not one["deleted"]]


# --- making, and leaving as it is ---------------------------------------------------------------


def test_the_first_run_makes_four_dashboards_with_texts_and_insights_and_lays_them_out(
    app: PostHogApp,
) -> None:
    said = call()
    project = app.project
    assert "create  dashboard  TrainU: Activation [activation]" in said
    assert [one["name"] for one in project.dashboards.values()] == [one.name for one in DASHBOARDS]
    assert len(project.insights) == INSIGHTS
    for dashboard in DASHBOARDS:
        there = named(project.dashboards, f"[trainu:{dashboard.key}]")
        tiles = [tile for tile in project.tiles.values() if tile["dashboard"] == there["id"]]
        assert [tile["text"]["body"] for tile in tiles if tile["text"]] == [dashboard.text]
        shown = {project.insights[tile["insight"]]["name"] for tile in tiles if tile["insight"]}
        assert shown == {one.name for one in dashboard.insights}
        places = {(tile["layouts"]["sm"]["x"], tile["layouts"]["sm"]["y"]) for tile in tiles}
        assert len(places) == len(tiles)
    first = named(project.insights, FIRST_KEY)
    assert first["query"]["source"]["series"][0]["event"] == "user_registered"


def test_the_second_run_asks_to_change_nothing(app: PostHogApp) -> None:
    made(app)
    said = call()
    assert app.writes == []
    assert f"{INSIGHTS + 8} as declared, 0 to do." in said


def test_a_project_of_many_pages_is_read_to_its_end(app: PostHogApp) -> None:
    app.project.page = 3
    made(app)
    call()
    assert app.writes == []
    assert sum("offset=" in path for _, path, _ in app.requests) >= INSIGHTS // 3


def test_a_dry_run_tells_the_plan_and_writes_nothing(app: PostHogApp) -> None:
    said = call("--dry-run")
    assert f"0 as declared, {INSIGHTS + 12} to do." in said
    assert "Nothing was changed." in said
    assert app.writes == []
    assert not AuditEntry.objects.exists()


def test_a_rename_by_hand_is_undone_by_one_request_and_said(app: PostHogApp) -> None:
    made(app)
    named(app.project.insights, FIRST_KEY)["name"] = "My chart"
    assert "name was “My chart”" in call("--dry-run")
    assert "1 to do" in call()
    [(method, _, body)] = app.writes
    assert (method, body) == ("PATCH", {"name": FIRST.name})
    app.requests.clear()
    call()
    assert app.writes == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("source", "series", 0, "event"), "user_logged_in"),
        (
            ("source", "properties"),
            [{"key": "role", "value": ["staff"], "operator": "exact", "type": "event"}],
        ),
        (("source", "dateRange", "date_from"), "-7d"),
        (("source", "filterTestAccounts"), True),
        (("source", "breakdownFilter"), {"breakdown": "method", "breakdown_type": "event"}),
        (("source", "interval"), "day"),
    ],
)
def test_whatever_would_change_a_number_is_put_back(
    app: PostHogApp, path: tuple[Any, ...], value: Any
) -> None:
    made(app)
    before = state(app.project)
    place = named(app.project.insights, FIRST_KEY)["query"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert "query was changed" in call()
    assert len(app.writes) == 1
    assert state(app.project) == before


def test_what_posthog_or_a_person_adds_beside_our_fields_is_no_difference(app: PostHogApp) -> None:
    made(app)
    insight = named(app.project.insights, FIRST_KEY)
    insight["query"]["source"]["trendsFilter"]["showLegend"] = True
    insight["query"]["full"] = True
    insight["favorited"] = True
    insight["tags"] = ["quarterly"]
    named(app.project.dashboards, "[trainu:activation]")["pinned"] = True
    call()
    assert app.writes == []


def test_places_of_tiles_are_peoples_once_they_have_one(app: PostHogApp) -> None:
    made(app)
    for tile in app.project.tiles.values():
        tile["layouts"] = {"sm": {"x": 0, "y": 99, "w": 12, "h": 9}}
    call()
    assert app.writes == []


def test_what_was_taken_off_its_dashboard_is_put_back_and_stays_on_others(app: PostHogApp) -> None:
    made(app)
    insight = named(app.project.insights, FIRST_KEY)
    _, theirs = app.project.answer("POST", "/api/projects/1/dashboards/", {"name": "Board of the board"})
    app.project.answer("PATCH", f"/api/projects/1/insights/{insight['id']}/", {"dashboards": [theirs["id"]]})
    assert "is not on its dashboard" in call()
    on = {tile["dashboard"] for tile in standing(app.project.tiles) if tile["insight"] == insight["id"]}
    assert on == {theirs["id"], named(app.project.dashboards, "[trainu:activation]")["id"]}


def test_a_dashboard_removed_by_hand_is_made_anew_around_the_insights_that_are_left(app: PostHogApp) -> None:
    made(app)
    old = named(app.project.dashboards, "[trainu:activation]")
    app.project.answer("PATCH", f"/api/projects/1/dashboards/{old['id']}/", {"deleted": True})
    call()
    assert len(standing(app.project.dashboards)) == 4
    assert len(app.project.insights) == INSIGHTS
    app.requests.clear()
    call()
    assert app.writes == []


def test_a_text_changed_by_hand_is_put_back_in_place(app: PostHogApp) -> None:
    made(app)
    before = state(app.project)
    [text] = [
        tile["text"] for tile in app.project.tiles.values() if "show_rate.definitions" in str(tile["text"])
    ]
    text["body"] = "All lies. [trainu:show_rate.definitions]"
    call()
    assert len(app.writes) == 1
    assert state(app.project) == before


# --- what is not ours ---------------------------------------------------------------------------


def foreign(project: Project) -> dict[str, Any]:
    """Put things of people and other tools into a project; return them as they are."""
    _, board = project.answer("POST", "/api/projects/1/dashboards/", {"name": "TrainU: Activation"})
    _, chart = project.answer(
        "POST",
        "/api/projects/1/insights/",
        {
            "name": FIRST.name,
            "description": "As [trainu:activation.sign_ups] but better",
            "query": {"kind": "Node"},
        },
    )
    _, managed = project.answer(
        "POST", "/api/projects/1/insights/", {"name": "x", "description": "[managed:growth.wau]"}
    )
    tiles = [project.tile(board["id"], insight=chart["id"]), project.tile(board["id"], text="Hello")]
    ours = [one for one in standing(project.dashboards) if "[trainu:activation]" in one["description"]]
    tiles += [project.tile(one["id"], insight=managed["id"]) for one in ours]
    tiles += [project.tile(one["id"], text="A note of mine") for one in ours]
    return deepcopy(
        {
            "board": project.dashboards[board["id"]],
            "charts": [project.insights[chart["id"]], project.insights[managed["id"]]],
            "tiles": [project.tiles[one["id"]] for one in tiles],
        }
    )


def still(project: Project, before: dict[str, Any]) -> bool:
    """Whether things are, byte for byte, as they were."""
    now = {
        "board": project.dashboards[before["board"]["id"]],
        "charts": [project.insights[one["id"]] for one in before["charts"]],
        "tiles": [project.tiles[one["id"]] for one in before["tiles"]],
    }
    return json.dumps(now) == json.dumps(before)


@pytest.mark.parametrize("first", [True, False])
def test_what_people_and_other_tools_have_made_is_left_byte_for_byte(app: PostHogApp, first: bool) -> None:
    before = foreign(app.project) if first else None
    made(app)
    before = before or foreign(app.project)
    for one in DASHBOARDS:
        named(app.project.dashboards, f"[trainu:{one.key}]")["name"] = "Renamed"
    said = call()
    assert still(app.project, before)
    assert "has a marker that is not at its end" in said
    touched = {before["board"]["id"], *(one["id"] for one in before["charts"])}
    assert not [path for _, path, _ in app.writes if any(f"/{id}/" in path for id in touched)]


def test_of_two_with_one_marker_the_older_is_kept_and_the_younger_reported(app: PostHogApp) -> None:
    made(app)
    ours = named(app.project.insights, FIRST_KEY)
    copy = {"name": "Sign-ups (copy)", "description": ours["description"], "query": {"kind": "Mine"}}
    _, younger = app.project.answer("POST", "/api/projects/1/insights/", copy)
    before = deepcopy(app.project.insights[younger["id"]])
    said = call()
    assert f"insight {younger['id']} has the same marker as insight {ours['id']}" in said
    assert app.writes == []
    assert app.project.insights[younger["id"]] == before


def test_who_takes_the_marker_away_has_taken_the_thing_over(app: PostHogApp) -> None:
    made(app)
    theirs = named(app.project.insights, FIRST_KEY)
    theirs |= {"description": "Mine now.", "name": "My sign-ups"}
    before = deepcopy(theirs)
    call()
    assert theirs == before
    assert named(app.project.insights, FIRST_KEY)["id"] != theirs["id"]


# --- what is no longer declared -----------------------------------------------------------------


def test_an_insight_that_is_no_longer_declared_is_removed_and_only_it(
    app: PostHogApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(app)
    before = foreign(app.project)
    gone = named(app.project.insights, FIRST_KEY)
    less = (type(DASHBOARDS[0])(*_without_first()), *DASHBOARDS[1:])
    monkeypatch.setattr(command, "DASHBOARDS", less)
    said = call()
    assert (
        "remove  insight    Sign-ups [activation.sign_ups]: no longer declared; stands on 1 dashboard\n"
        in said
    )
    assert gone["deleted"]
    assert len(standing(app.project.insights)) == INSIGHTS - 1 + 2
    assert still(app.project, before)
    app.requests.clear()
    call()
    assert app.writes == []


def _without_first() -> tuple[Any, ...]:
    first = DASHBOARDS[0]
    return first.key, first.name, first.means, first.insights[1:]


def test_a_dashboard_that_is_no_longer_declared_goes_unless_somebody_has_put_something_on_it(
    app: PostHogApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(app)
    before = foreign(app.project)
    monkeypatch.setattr(command, "DASHBOARDS", DASHBOARDS[2:])
    said = call()
    left = {
        one["description"].rsplit("[", 1)[1] for one in standing(app.project.dashboards) if one["description"]
    }
    assert left == {"trainu:activation]", "trainu:show_rate]", "trainu:sync_health]"}
    assert "no longer declared, but has 2 tiles of somebody's own" in said
    assert still(app.project, before)
    app.requests.clear()
    call()
    assert app.writes == []


def test_of_several_with_a_marker_that_is_not_declared_none_is_removed(app: PostHogApp) -> None:
    for name in ("Old", "Old (copy)"):
        body = {"name": name, "description": "Words. [trainu:activation.gone]"}
        app.project.answer("POST", "/api/projects/1/insights/", body)
    call()
    assert len(standing(app.project.insights)) == INSIGHTS + 2


# --- when something goes wrong ------------------------------------------------------------------


def test_an_answer_that_got_lost_makes_no_second_thing(app: PostHogApp) -> None:
    app.fail(Reply(drop=True, stores=True), method="POST", path="dashboards")
    app.fail(Reply(drop=True, stores=True), method="POST", path="insights")
    said = failing()
    assert "not done: create dashboard [activation]. PostHog does not answer (ConnectionError)." in said
    assert "not done: create insight [activation.sign_ups]. Its dashboard is not there." in said
    call()
    assert len(app.project.dashboards) == 4
    assert len(app.project.insights) == INSIGHTS
    app.requests.clear()
    call()
    assert app.writes == []


def test_one_thing_that_fails_does_not_stop_the_others(app: PostHogApp) -> None:
    app.fail(Reply(500, body=b"<h1>Server Error</h1>"), method="POST", path="insights")
    said = failing()
    assert "not done: create insight [activation.sign_ups]. HTTP 500. PostHog says: nothing" in said
    assert f"{INSIGHTS + 11} of {INSIGHTS + 12} done." in said
    assert len(app.project.insights) == INSIGHTS - 1
    assert f"{INSIGHTS + 7} as declared, 2 to do." in call()
    assert len(app.project.insights) == INSIGHTS


@pytest.mark.parametrize("done", [0, 1, 2, 7, 20])
def test_a_run_that_was_killed_is_completed_by_the_next(
    app: PostHogApp, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    class Killed(BaseException):
        pass

    real = client.Client._ask
    count = iter(range(10_000))

    def ask(self: Any, method: str, *rest: Any, **named: Any) -> Any:
        if method != "GET" and next(count) == done:
            raise Killed
        return real(self, method, *rest, **named)

    with monkeypatch.context() as patched:
        patched.setattr(client.Client, "_ask", ask)
        with pytest.raises(Killed):
            call()
    assert len(app.writes) == done
    call()
    assert len(app.project.dashboards) == 4
    assert len(app.project.insights) == INSIGHTS
    app.requests.clear()
    call()
    assert app.writes == []


def test_too_many_requests_are_waited_out_as_long_as_posthog_says(
    app: PostHogApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(client.Client.__init__, "__kwdefaults__", {"wait": waited.append})
    app.fail(Reply(429, headers={"Retry-After": "7"}), method="GET")
    app.fail(Reply(429, headers={"Retry-After": "soon"}), method="POST")
    call()
    assert waited == [7.0, client.WAIT_S]
    assert len(app.project.dashboards) == 4


@pytest.mark.parametrize(("after", "requests"), [("5", client.MOST_WAITS + 1), ("3600", 1)])
def test_too_many_requests_for_too_long_end_the_run(
    app: PostHogApp, monkeypatch: pytest.MonkeyPatch, after: str, requests: int
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(client.Client.__init__, "__kwdefaults__", {"wait": waited.append})
    for _ in range(100):
        app.fail(Reply(429, headers={"Retry-After": after}), method="POST")
    said = failing()
    assert "PostHog takes no more requests for now (429). Run it again later." in said
    assert f"0 of {INSIGHTS + 12} done." in said
    assert len(app.writes) == requests
    assert sum(waited) <= client.MOST_WAITS * client.LONGEST_WAIT_S


def test_a_posthog_that_falls_silent_is_not_asked_forty_times(app: PostHogApp) -> None:
    for _ in range(100):
        app.fail(Reply(drop=True), method="P")
    assert "Not tried: PostHog has stopped answering." in failing()
    assert len(app.writes) == apply.MOST_SILENCES


def test_a_key_that_posthog_does_not_know_is_said_to_be_wrong(app: PostHogApp, settings: Any) -> None:
    settings.POSTHOG_PERSONAL_KEY = "phx_another"
    said = failing()
    assert "PostHog does not know the key (401). Check POSTHOG_PERSONAL_KEY." in said
    assert "phx_another" not in said
    assert app.writes == []


def test_a_missing_scope_is_named_and_the_rest_is_done(app: PostHogApp) -> None:
    app.scopes = {"dashboard:write"}
    said = failing()
    assert "The key lacks the scope insight:write (403); it needs dashboard:write, insight:write." in said
    assert len(app.project.dashboards) == 4
    assert app.project.insights == {}


def test_a_project_that_is_not_there_is_said(app: PostHogApp, settings: Any) -> None:
    settings.POSTHOG_PROJECT_ID = 77
    assert "no project 77 that this key may see (404). Check POSTHOG_PROJECT_ID." in failing()


def test_a_posthog_that_is_not_there_is_said(app: PostHogApp, settings: Any) -> None:
    settings.POSTHOG_APP_HOST = f"http://127.0.0.1:{free_port()}"
    assert "PostHog does not answer (ConnectionError). Check POSTHOG_APP_HOST." in failing()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(200, body=b"<html>Welcome</html>"), "HTTP 200"),
        (Reply(302, headers={"Location": "/login"}), "The answer is not PostHog's (HTTP 302)"),
        (Reply(200, body={"ok": True}), "The answer is no list of PostHog's"),
        (Reply(200, body={"results": [{"id": 1, "name": "x"}]}), "says no descriptions"),
        (Reply(400, body={"attr": "limit", "detail": f"Bad {KEY}"}), "HTTP 400. PostHog says: limit Bad …"),
    ],
)
def test_an_answer_that_is_no_list_of_posthogs_stops_the_run(
    app: PostHogApp, reply: Reply, said: str
) -> None:
    app.fail(reply, method="GET")
    assert said in failing()
    assert app.writes == []


def test_the_key_does_not_follow_a_next_page_to_another_host(app: PostHogApp) -> None:
    with posthog_app() as elsewhere:
        page = {"results": [], "next": f"{elsewhere.url}/api/projects/1/dashboards/?offset=100"}
        app.fail(Reply(200, body=page), method="GET")
        assert "lies on another host, which must not see the key" in failing()
        assert elsewhere.requests == []


def test_a_list_that_turns_in_a_circle_ends(app: PostHogApp) -> None:
    page = {"results": [], "next": f"{app.url}/api/projects/1/dashboards/?offset=0"}
    for _ in range(3):
        app.fail(Reply(200, body=page), method="GET")
    assert "has no end" in failing()


def test_what_netrc_says_of_the_host_does_not_replace_the_key(
    app: PostHogApp, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    call()
    assert app.keys == {f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("eu.posthog.com", "must be an address such as https://eu.posthog.com"),
        ("https://eu.i.posthog.com", "names the ingestion host"),
        ("https://me:secret@eu.posthog.com", "must be an address such as"),
    ],
)
def test_a_host_that_cannot_be_the_app_is_refused(settings: Any, host: str, said: str) -> None:
    settings.POSTHOG_PERSONAL_KEY, settings.POSTHOG_PROJECT_ID = KEY, 1
    settings.POSTHOG_APP_HOST = host
    assert said in failing()


def test_what_is_not_configured_is_said_with_what_to_set() -> None:
    said = failing()
    assert (
        "Set POSTHOG_PERSONAL_KEY (a personal API key with the scopes dashboard:write, insight:write)" in said
    )
    assert "and POSTHOG_PROJECT_ID (the project's number" in said


# --- written down ----------------------------------------------------------------------------


def test_a_run_that_changes_something_is_in_the_audit_log_once_and_says_what(app: PostHogApp) -> None:
    made(app)
    named(app.project.insights, FIRST_KEY)["name"] = "My chart"
    call()
    call()
    first, second = AuditEntry.objects.order_by("recorded_at")
    assert (first.action, first.actor_id) == ("posthog.provision", "command:posthog_dashboards")
    assert (first.target_type, first.target_id) == ("posthog.project", "1")
    assert "dashboard activation" in first.changes["create"][1]
    assert second.changes == {"update": [None, ["insight activation.sign_ups"]]}


def test_without_an_entry_nothing_is_changed(app: PostHogApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def unwritable(entry: AuditEntry) -> None:
        raise DatabaseError("no")

    monkeypatch.setattr(recording, "_insert", unwritable)
    with pytest.raises(DatabaseError):
        call()
    assert app.writes == []


def test_an_event_that_is_not_forwarded_is_noted(app: PostHogApp) -> None:
    assert "is not forwarded" not in call("--dry-run")
    EventDefinition.objects.filter(name="sync_ok").update(forwarded=False)
    assert "note: sync_ok is not forwarded to PostHog: what is made of it there stays empty." in call(
        "--dry-run"
    )
