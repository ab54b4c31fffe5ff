"""What stands in PostHog now: read, and reduced to what a plan needs to know.

The rule: reading changes nothing, and what cannot be told apart is not guessed: a list that leaves out
descriptions would make everything of ours look missing, and stops the run.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from observability.posthog_dashboards.client import Client, Failed, Hopeless, Missing, NoAnswer
from observability.posthog_dashboards.declared import Json, key_of


@dataclass(frozen=True, slots=True)
class FoundTile:
    """A tile of a dashboard of ours. body: of a text tile, else None. has_place: whether it was laid out."""

    id: int
    insight_id: int | None
    text_id: int | None
    body: str | None
    has_place: bool


@dataclass(frozen=True, slots=True)
class FoundDashboard:
    """tiles: empty where the dashboard is not ours; theirs are nobody's business."""

    id: int
    name: str
    description: str
    created_at: str
    tiles: tuple[FoundTile, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundInsight:
    """dashboards: ids of those it stands on."""

    id: int
    name: str
    description: str
    created_at: str
    query: Any
    dashboards: frozenset[int]


@dataclass(frozen=True, slots=True)
class Found:
    dashboards: tuple[FoundDashboard, ...]
    insights: tuple[FoundInsight, ...]


def read(client: Client) -> Found:
    """Return what the project holds. Raises Hopeless where it cannot be read whole."""
    try:
        dashboards = [_dashboard(client, one) for one in _described(client, "dashboards/")]
        # By age: PostHog's default order is none, and pages of it could leave something out.
        insights = _described(client, "insights/", basic="true", order="created_at")
        return Found(tuple(dashboards), tuple(_insight(one) for one in insights))
    except Missing:
        raise Hopeless(
            f"PostHog has no project {client.project} that this key may see (404). Check POSTHOG_PROJECT_ID."
        ) from None
    except NoAnswer as failed:
        raise Hopeless(f"{failed} Check POSTHOG_APP_HOST.") from None
    except Failed as failed:
        raise Hopeless(f"PostHog cannot be read. {failed}") from None


def read_tiles(client: Client, dashboard_id: int) -> tuple[FoundTile, ...]:
    """Return the tiles of one dashboard. Raises Failed or Hopeless."""
    tiles = client.get(f"dashboards/{dashboard_id}/").get("tiles") or []
    return tuple(_tile(one) for one in tiles if not one.get("deleted"))


def _described(client: Client, path: str, **query: str) -> Iterable[Json]:
    for one in client.all(path, **query):
        if "description" not in one or not isinstance(one.get("id"), int):
            raise Hopeless(
                f"PostHog's list of {path.strip('/')} says no descriptions: this PostHog is too old."
            )
        if not one.get("deleted"):
            yield one


def _dashboard(client: Client, one: Json) -> FoundDashboard:
    description = str(one["description"] or "")
    tiles = read_tiles(client, one["id"]) if key_of(description) else ()
    return FoundDashboard(
        one["id"], str(one.get("name") or ""), description, str(one.get("created_at") or ""), tiles
    )


def _insight(one: Json) -> FoundInsight:
    return FoundInsight(
        one["id"],
        str(one.get("name") or ""),
        str(one["description"] or ""),
        str(one.get("created_at") or ""),
        one.get("query"),
        frozenset(one.get("dashboards") or ()),
    )


def _tile(one: Json) -> FoundTile:
    text, insight = one.get("text") or {}, one.get("insight") or {}
    return FoundTile(
        one["id"], insight.get("id"), text.get("id"), text.get("body"), has_place=bool(one.get("layouts"))
    )
