"""What must be done so that PostHog holds what is declared. Pure: declared and found in, actions out.

The rule: only fields that we own are compared (name, description, query, being on our dashboard; body of the
text), for PostHog adds fields of its own to whatever it stores. What has no marker of ours is not in a plan.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from observability.posthog_dashboards.declared import Dashboard, Insight, Json, key_of, marked, mentions_key
from observability.posthog_dashboards.found import Found, FoundDashboard, FoundInsight, FoundTile

Verb = Literal["create", "update", "remove"]
Kind = Literal["dashboard", "insight", "text", "layout"]
# Columns of PostHog's grid, and what a tile takes of it.
TEXT_HEIGHT, INSIGHT_WIDTH, INSIGHT_HEIGHT = 5, 6, 5


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do. id: of what is there already. dashboard: key of the one it belongs to.

    fields: what to set. why: for people. text_id: of a text tile. boards: ids of dashboards that an insight
    stands on and shall stay on.
    """

    verb: Verb
    kind: Kind
    key: str
    name: str
    id: int | None = None
    dashboard: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    text_id: int | None = None
    boards: frozenset[int] = frozenset()

    def __str__(self) -> str:
        return (
            f"{self.verb:<6}  {self.kind:<9}  {self.name} [{self.key}]{f': {self.why}' if self.why else ''}"
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """actions: in the order they can be done in. notes: what a person should look at. as_declared: things
    that are right. ids, insight_ids: dashboards and insights of ours that are there, by key."""

    actions: tuple[Action, ...]
    notes: tuple[str, ...]
    as_declared: int
    ids: Mapping[str, int]
    insight_ids: Mapping[str, int]


Marked = TypeVar("Marked", FoundDashboard, FoundInsight)


def make(declared: Sequence[Dashboard], found: Found) -> Plan:
    """Return the plan. Its actions are empty when everything is as declared."""
    notes: list[str] = []
    boards, lone_boards = _by_key("dashboard", found.dashboards, notes)
    insights, lone_insights = _by_key("insight", found.insights, notes)
    actions: list[Action] = []
    checked = 0
    for dashboard in declared:
        board = boards.get(dashboard.key)
        actions += _dashboard(dashboard, board)
        actions += _text(dashboard, board, notes)
        for insight in dashboard.insights:
            actions += _insight(dashboard, insight, insights.get(dashboard.insight_key(insight)), board)
        actions += _layout(dashboard, board, insights)
        checked += 2 + len(dashboard.insights)
    keys = {one.insight_key(insight) for one in declared for insight in one.insights}
    gone = [one for key, one in lone_insights.items() if key not in keys]
    actions += [_removed_insight(one) for one in gone]
    for key in sorted(lone_boards.keys() - {one.key for one in declared}):
        actions += _removed_dashboard(lone_boards[key], insights, notes)
    differing = {(one.kind, one.key) for one in actions if one.verb != "remove" and one.kind != "layout"}
    ids = {key: board.id for key, board in boards.items()}
    insight_ids = {key: insight.id for key, insight in insights.items()}
    return Plan(tuple(actions), tuple(notes), checked - len(differing), ids, insight_ids)


def layouts(dashboard: Dashboard) -> dict[str, Json]:
    """Return by key where text and insights of a dashboard stand: two in a row, below the text."""
    places = {dashboard.text_key: {"x": 0, "y": 0, "w": 2 * INSIGHT_WIDTH, "h": TEXT_HEIGHT}}
    for number, insight in enumerate(dashboard.insights):
        row, column = divmod(number, 2)
        places[dashboard.insight_key(insight)] = {
            "x": column * INSIGHT_WIDTH,
            "y": TEXT_HEIGHT + row * INSIGHT_HEIGHT,
            "w": INSIGHT_WIDTH,
            "h": INSIGHT_HEIGHT,
        }
    return {key: {"sm": place} for key, place in places.items()}


def says(declared: Any, found: Any) -> bool:
    """Whether what was found says what is declared; what PostHog has added to an object is not looked at.

    Nothing (null, false, empty, absent) is declared as nothing, and then must be nothing.
    """
    if _is_nothing(declared):
        return _is_nothing(found)
    if isinstance(declared, Mapping):
        return isinstance(found, Mapping) and all(
            says(value, found.get(key)) for key, value in declared.items()
        )
    if isinstance(declared, list | tuple):
        return (
            isinstance(found, list | tuple)
            and len(found) == len(declared)
            and all(says(one, other) for one, other in zip(declared, found, strict=True))
        )
    return bool(declared == found)


def _is_nothing(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_nothing(one) for one in value.values())
    return value is None or value is False or value in ("", [], ())


def _by_key(
    kind: str, things: Iterable[Marked], notes: list[str]
) -> tuple[dict[str, Marked], dict[str, Marked]]:
    """Return the oldest thing of each key, and again without those that there are several of."""
    groups: dict[str, list[Marked]] = defaultdict(list)
    for thing in things:
        key = key_of(thing.description)
        if key is not None:
            groups[key].append(thing)
        elif mentions_key(thing.description):
            notes.append(f"{kind} {thing.id} has a marker that is not at its end: taken for somebody's own.")
    for key, group in groups.items():
        group.sort(key=lambda thing: (thing.created_at, thing.id))
        for other in group[1:]:
            notes.append(
                f"{kind} {other.id} has the same marker as {kind} {group[0].id}, [trainu:{key}]: it is"
                " younger and left alone. Remove it, or take its marker away."
            )
    oldest = {key: group[0] for key, group in groups.items()}
    return oldest, {key: group[0] for key, group in groups.items() if len(group) == 1}


def _dashboard(declared: Dashboard, found: FoundDashboard | None) -> list[Action]:
    wanted = {"name": declared.name, "description": marked(declared.means, declared.key)}
    if found is None:
        return [Action("create", "dashboard", declared.key, declared.name, fields=wanted)]
    wrong = {
        name: value
        for name, value in wanted.items()
        if value != {"name": found.name, "description": found.description}[name].strip()
    }
    if not wrong:
        return []
    why = _differences(wrong, found.name)
    return [Action("update", "dashboard", declared.key, declared.name, found.id, fields=wrong, why=why)]


def _text(declared: Dashboard, board: FoundDashboard | None, notes: list[str]) -> list[Action]:
    fields = {"body": declared.text}
    title = f"{declared.name}, definitions"
    create = Action("create", "text", declared.text_key, title, dashboard=declared.key, fields=fields)
    if board is None:
        return [create]
    texts = sorted((tile for tile in board.tiles if key_of(tile.body)), key=lambda tile: tile.id)
    ours = [tile for tile in texts if key_of(tile.body) == declared.text_key]
    actions = [
        Action("remove", "text", str(key_of(tile.body)), f"text {tile.id}", tile.id, declared.key)
        for tile in texts
        if tile not in ours
    ]
    notes += [
        f"text {tile.id} on {declared.name} is a copy of text {ours[0].id}; left alone." for tile in ours[1:]
    ]
    if not ours:
        return [*actions, create]
    if (ours[0].body or "").strip() != declared.text:
        actions.append(
            Action(
                "update",
                "text",
                declared.text_key,
                title,
                ours[0].id,
                declared.key,
                fields,
                why="body",
                text_id=ours[0].text_id,
            )
        )
    return actions


def _insight(
    dashboard: Dashboard, declared: Insight, found: FoundInsight | None, board: FoundDashboard | None
) -> list[Action]:
    key = dashboard.insight_key(declared)
    wanted = {
        "name": declared.name,
        "description": marked(declared.means, key),
        "query": dict(declared.query),
    }
    if found is None:
        return [Action("create", "insight", key, declared.name, dashboard=dashboard.key, fields=wanted)]
    wrong: dict[str, Any] = {}
    if found.name.strip() != wanted["name"]:
        wrong["name"] = wanted["name"]
    if found.description.strip() != wanted["description"]:
        wrong["description"] = wanted["description"]
    if not says(wanted["query"], found.query):
        wrong["query"] = wanted["query"]
    if board is None or board.id not in found.dashboards:
        # Which dashboards, only applying knows: ours may have to be made first.
        wrong["dashboards"] = None
    if not wrong:
        return []
    why = _differences(wrong, found.name)
    return [
        Action(
            "update",
            "insight",
            key,
            declared.name,
            found.id,
            dashboard.key,
            wrong,
            why,
            boards=found.dashboards,
        )
    ]


def _layout(
    declared: Dashboard, board: FoundDashboard | None, insights: Mapping[str, FoundInsight]
) -> list[Action]:
    """Lay out what has no place yet. Places are people's from then on: they are not compared."""
    if board is not None:
        placed = {_tile_key(tile, insights) for tile in board.tiles if tile.has_place}
        if placed >= layouts(declared).keys():
            return []
    return [Action("update", "layout", declared.key, declared.name, dashboard=declared.key, why="new tiles")]


def _tile_key(tile: FoundTile, insights: Mapping[str, FoundInsight]) -> str | None:
    if tile.insight_id is None:
        return key_of(tile.body)
    return next((key for key, one in insights.items() if one.id == tile.insight_id), None)


def _removed_insight(found: FoundInsight) -> Action:
    boards = len(found.dashboards)
    why = f"no longer declared; stands on {boards} dashboard{'' if boards == 1 else 's'}"
    key = str(key_of(found.description))
    return Action("remove", "insight", key, found.name, found.id, fields={"deleted": True}, why=why)


def _removed_dashboard(
    found: FoundDashboard, insights: Mapping[str, FoundInsight], notes: list[str]
) -> list[Action]:
    """PostHog removes a dashboard with all its tiles: where some are a person's, it stays."""
    key = str(key_of(found.description))
    foreign = [tile for tile in found.tiles if _tile_key(tile, insights) is None]
    if foreign:
        notes.append(
            f"dashboard {found.id} [trainu:{key}] is no longer declared, but has {len(foreign)} tiles of"
            " somebody's own: left alone. Remove it by hand, or take its marker away."
        )
        return []
    fields = {"deleted": True}
    return [Action("remove", "dashboard", key, found.name, found.id, fields=fields, why="no longer declared")]


def _differences(wrong: Mapping[str, Any], name_found: str) -> str:
    said = {"name": f"name was “{name_found}”", "dashboards": "is not on its dashboard"}
    return ", ".join(said.get(name, f"{name} was changed") for name in wrong)
