"""Whatever state a PostHog is in: one run makes ours as declared, and leaves the rest byte for byte."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from observability.posthog_dashboards import apply, found, plan, queries
from observability.posthog_dashboards.client import Client
from observability.posthog_dashboards.declared import Dashboard, Insight, key_of, marked
from tests.posthog_app import KEY, PostHogApp, posthog_app
from trainu.demo.posthog_project import Project

QUERY = queries.trends(queries.event("sync_ok"), interval="day")
DECLARED = (
    Dashboard(
        "red", "Red", "Red things.", (Insight("a", "A", "Of a.", QUERY), Insight("b", "B", "Of b.", QUERY))
    ),
    Dashboard("blue", "Blue", "Blue things.", (Insight("c", "C", "Of c.", queries.sql("select 1")),)),
)
KEYS = {"red.a", "red.b", "blue.c"}
Step = tuple[str, int, int]
STEPS = [
    *("foreign dashboard", "foreign insight", "foreign tile", "foreign text", "rename", "describe", "query"),
    *("unmark", "mark in the middle", "copy", "delete", "move away", "add to another", "lose places"),
    *("old insight", "old dashboard", "old text", "text changed", "text removed"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[PostHogApp]:
    with posthog_app() as app:
        yield app


def run(app: PostHogApp, *, stop_after: int | None = None) -> plan.Plan:
    """Read, plan and apply once; return the plan. stop_after: die ahead of the action of this number."""
    client = Client(KEY, 1, app.url)
    made = plan.make(DECLARED, found.read(client))
    left = iter(range(10_000))

    def before() -> None:
        if next(left) == stop_after:
            raise KeyboardInterrupt

    try:
        outcome = apply.carry_out(made, DECLARED, client, before=before)
    except KeyboardInterrupt:
        return made
    assert outcome.failed == []
    return made


def picked(things: dict[int, Any], number: int) -> Any:
    there = [one for one in things.values() if not one["deleted"]]
    return there[number % len(there)] if there else None


def happen(project: Project, step: Step) -> None:
    """Let a person or another tool do something to a project; to what, the numbers say."""
    what, one, other = step
    board, insight = picked(project.dashboards, one), picked(project.insights, one)
    thing = picked(project.dashboards if other % 3 == 0 else project.insights, one)
    tile = picked({key: tile for key, tile in project.tiles.items() if tile["text"]}, one)
    base = "/api/projects/1/"
    match what:
        case "foreign dashboard":
            project.answer("POST", f"{base}dashboards/", {"name": "Red", "description": "Red things."})
        case "foreign insight":
            body = {"name": "A", "query": QUERY, "dashboards": [board["id"]] if board else []}
            project.answer("POST", f"{base}insights/", body)
        case "foreign tile" if board and insight:
            project.tile(board["id"], insight=insight["id"])
        case "foreign text" if board:
            project.tile(board["id"], text="Mine")["layouts"] = {"sm": {"x": 1}}
        case "rename" if thing:
            thing["name"] = f"Renamed {other}"
        case "describe" if thing:
            key = key_of(thing["description"])
            thing["description"] = marked(f"Other words {other}", key) if key else f"Words {other}"
        case "query" if insight and insight["query"]:
            insight["query"] = insight["query"] | {
                "source": {"kind": "HogQLQuery", "query": f"select {other}"}
            }
        case "unmark" if thing:
            thing["description"] = ""
        case "mark in the middle" if thing:
            thing["description"] += " and more"
        case "copy" if thing:
            kind = "dashboards" if thing["id"] in project.dashboards else "insights"
            body = {name: thing[name] for name in ("name", "description")} | {"query": thing.get("query")}
            project.answer("POST", f"{base}{kind}/", body)
        case "delete" if thing:
            kind = "dashboards" if thing["id"] in project.dashboards else "insights"
            project.answer("PATCH", f"{base}{kind}/{thing['id']}/", {"deleted": True})
        case "move away" if insight and board:
            project.answer("PATCH", f"{base}insights/{insight['id']}/", {"dashboards": [board["id"]]})
        case "add to another" if insight and board:
            project.tile(board["id"], insight=insight["id"])
        case "old insight":
            body = {"name": "Old", "description": f"Old. [trainu:red.old{other % 2}]"}
            project.answer("POST", f"{base}insights/", body)
        case "old dashboard":
            body = {"name": "Old", "description": f"Old. [trainu:old{other % 2}]"}
            project.answer("POST", f"{base}dashboards/", body)
        case "old text" if board:
            project.tile(board["id"], text="Old. [trainu:red.texts]")
        case "text changed" if tile:
            tile["text"]["body"] = f"Changed {other}. {tile['text']['body'][-26:]}"
        case "text removed" if tile:
            tile["deleted"] = True
        case "lose places":
            for one_tile in project.tiles.values():
                one_tile["layouts"] = {}


def ours(project: Project, things: dict[int, Any]) -> dict[str, Any]:
    """Return by key the things that are ours: marked at the end, there, and the oldest of their key."""
    oldest: dict[str, Any] = {}
    for one in sorted(things.values(), key=lambda one: one["created_at"]):
        key = key_of(one["description"])
        if key and not one["deleted"]:
            oldest.setdefault(key, one)
    return oldest


def theirs(project: Project) -> str:
    """Return everything that is not ours, as text: things, and tiles of theirs wherever they stand."""
    boards = {one["id"] for one in ours(project, project.dashboards).values()}
    insights = {one["id"] for one in ours(project, project.insights).values()}
    tiles = []
    for tile in project.tiles.values():
        is_ours = (
            tile["insight"] in insights
            if tile["insight"]
            # What carries a marker on a dashboard that is not ours is a copy of somebody's.
            else key_of(tile["text"]["body"]) and tile["dashboard"] in boards
        )
        if not tile["deleted"] and not is_ours:
            tiles.append(tile)
    things = [one for one in project.dashboards.values() if one["id"] not in boards and not one["deleted"]]
    things += [one for one in project.insights.values() if one["id"] not in insights and not one["deleted"]]
    return json.dumps([things, tiles], sort_keys=True)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    early=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.integers(0, 9)), max_size=5),
    has_run=st.booleans(),
    late=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.integers(0, 9)), max_size=12),
    stops_after=st.integers(0, 12),
    page=st.sampled_from([1, 2, 100]),
)
def test_one_run_is_enough_and_touches_nothing_of_anybody_else(
    server: PostHogApp, early: list[Step], has_run: bool, late: list[Step], stops_after: int, page: int
) -> None:
    project = server.project = Project(url=server.url, page=page)
    for step in early:
        happen(project, step)
    if has_run:
        run(server)
    for step in late:
        happen(project, step)
    before = theirs(project)
    run(server, stop_after=stops_after)
    assert theirs(project) == before
    run(server)
    server.requests.clear()
    again = run(server)
    assert again.actions == ()
    assert server.writes == []
    assert again.as_declared == 7
    assert theirs(project) == before
    boards, insights = ours(project, project.dashboards), ours(project, project.insights)
    assert {boards[one.key]["name"] for one in DECLARED} == {"Red", "Blue"}
    assert insights.keys() >= KEYS


def test_a_copy_of_ours_on_our_dashboard_stands_where_somebody_wants_it(server: PostHogApp) -> None:
    project = server.project = Project(url=server.url, page=100)
    run(server)
    board = ours(project, project.dashboards)["red"]
    original = next(iter(ours(project, project.insights).values()))
    copy = {name: original[name] for name in ("name", "description", "query")}
    made = project.answer("POST", "/api/projects/1/insights/", copy | {"dashboards": [board["id"]]})
    assert made
    for tile in project.tiles.values():
        tile["layouts"] = {}
    before = theirs(project)
    run(server)
    assert theirs(project) == before
    placed = {tile["insight"] for tile in project.tiles.values() if tile["layouts"] and tile["insight"]}
    assert original["id"] in placed
