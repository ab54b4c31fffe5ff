"""The part of a simulated PostHog that people see: dashboards, tiles and insights, over its private API.

The rule: it behaves as the real one where that can hurt whoever writes dashboards as code. It adds fields of
its own to whatever it stores, ignores tags without a word, cuts blanks, pages its lists, refuses what is too
long, and deletes softly: a dashboard with all its tiles. Nothing here opens a socket.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]

LONGEST = {"name": 400, "description": 400, "body": 4_000}
_PATH = re.compile(r"/api/projects/(?P<project>\d+)/(?P<kind>dashboards|insights)/(?:(?P<id>\d+)/)?")
_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Project:
    """One project. url: the server's own address, for `next`. page: entries of a page at most."""

    number: int = 1
    url: str = ""
    page: int = 100
    dashboards: dict[int, Json] = field(default_factory=dict)
    insights: dict[int, Json] = field(default_factory=dict)
    tiles: dict[int, Json] = field(default_factory=dict)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(101))

    def answer(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """Return status and document for a request. path: with its query."""
        parts = urlsplit(path)
        match = _PATH.fullmatch(parts.path)
        if match is None or int(match["project"]) != self.number:
            return 404, _error("not_found", "Not found.")
        store = self.dashboards if match["kind"] == "dashboards" else self.insights
        if match["id"] is None:
            if method == "POST":
                return self._made(match["kind"], body or {})
            return 200, self._listed(match["kind"], parts.path, parse_qs(parts.query))
        thing = store.get(int(match["id"]))
        if thing is None or thing["deleted"]:
            return 404, _error("not_found", "Not found.")
        if method == "PATCH":
            return self._changed(match["kind"], thing, body or {})
        return 200, self._whole(match["kind"], thing)

    def tile(self, dashboard: int, **content: Any) -> Json:
        """Put something on a dashboard; content: insight (an id) or text (a body)."""
        tile: Json = {"id": next(self._ids), "dashboard": dashboard, "deleted": False, "color": None}
        tile |= {"layouts": {}, "insight": content.get("insight"), "text": None}
        if "text" in content:
            tile["text"] = {"id": next(self._ids), "body": content["text"], "last_modified_at": None}
        self.tiles[tile["id"]] = tile
        return tile

    def _made(self, kind: str, body: Json) -> tuple[int, Json]:
        refused = _refused(body)
        if refused:
            return 400, refused
        number = next(self._ids)
        made: Json = {
            "id": number,
            "name": "",
            "description": "",
            "created_at": (_START + timedelta(seconds=number)).isoformat(),
            "deleted": False,
            "tags": [],
            "user_access_level": "editor",
        }
        (self.dashboards if kind == "dashboards" else self.insights)[number] = made
        if kind == "insights":
            made |= {"query": None, "short_id": f"i{number}", "last_refresh": None, "is_sample": False}
        self._set(kind, made, body)
        return 201, self._whole(kind, made)

    def _changed(self, kind: str, thing: Json, body: Json) -> tuple[int, Json]:
        refused = _refused(body) or next(
            filter(None, (_refused(tile.get("text") or {}) for tile in body.get("tiles") or [])), None
        )
        if refused:
            return 400, refused
        self._set(kind, thing, body)
        return 200, self._whole(kind, thing)

    def _set(self, kind: str, thing: Json, body: Json) -> None:
        for name in ("name", "description"):
            if name in body:
                thing[name] = str(body[name]).strip()
        if body.get("deleted"):
            thing["deleted"] = True
            side = "dashboard" if kind == "dashboards" else "insight"
            for tile in self.tiles.values():
                tile["deleted"] = tile["deleted"] or tile[side] == thing["id"]
        if kind == "insights":
            if "query" in body:
                thing["query"] = _completed(body["query"])
            if "dashboards" in body:
                self._put_on(thing["id"], set(body["dashboards"]))
        else:
            for tile in body.get("tiles") or []:
                self._set_tile(thing["id"], tile)

    def _put_on(self, insight: int, dashboards: set[int]) -> None:
        standing = {tile["dashboard"]: tile for tile in self._standing() if tile["insight"] == insight}
        for dashboard, tile in standing.items():
            tile["deleted"] = dashboard not in dashboards
        for dashboard in dashboards - standing.keys():
            self.tile(dashboard, insight=insight)

    def _set_tile(self, dashboard: int, wanted: Json) -> None:
        tile = self.tiles.get(wanted.get("id", 0))
        if tile is None:
            tile = self.tile(dashboard, text="")
        for name in ("layouts", "color", "deleted"):
            if name in wanted:
                tile[name] = wanted[name]
        if "text" in wanted:
            tile["text"]["body"] = wanted["text"]["body"].strip()

    def _standing(self) -> list[Json]:
        return [tile for tile in self.tiles.values() if not tile["deleted"]]

    def _whole(self, kind: str, thing: Json) -> Json:
        if kind == "dashboards":
            tiles = [
                tile | {"insight": self.insights.get(tile["insight"]), "is_cached": False}
                for tile in self._standing()
                if tile["dashboard"] == thing["id"]
            ]
            return thing | {"tiles": tiles, "filters": {}}
        on = [tile["dashboard"] for tile in self._standing() if tile["insight"] == thing["id"]]
        return thing | {"dashboards": on, "result": None, "is_cached": False}

    def _listed(self, kind: str, path: str, query: dict[str, list[str]]) -> Json:
        store = self.dashboards if kind == "dashboards" else self.insights
        there = [self._whole(kind, one) for one in store.values() if not one["deleted"]]
        limit = min(int(query.get("limit", ["100"])[0]), self.page)
        offset = int(query.get("offset", ["0"])[0])
        end = offset + limit
        following = f"{self.url}{path}?limit={limit}&offset={end}" if end < len(there) else None
        page = there[offset:end]
        if kind == "dashboards":
            page = [{name: one[name] for name in one if name not in ("tiles", "filters")} for one in page]
        return {"count": len(there), "next": following, "previous": None, "results": page}


def _completed(query: Any) -> Any:
    """Return a query as PostHog keeps it: with what it adds to nodes, and without what is null."""
    if isinstance(query, list):
        return [_completed(one) for one in query]
    if not isinstance(query, dict):
        return query
    kept = {name: _completed(value) for name, value in query.items() if value is not None}
    return kept | ({"version": 2} if "kind" in kept else {})


def _refused(body: Json) -> Json | None:
    for name, longest in LONGEST.items():
        if len(str(body.get(name) or "")) > longest:
            said = f"Ensure this field has no more than {longest} characters."
            return _error("max_length", said, attr=name)
    return None


def _error(code: str, detail: str, attr: str | None = None) -> Json:
    return {"type": "validation_error", "code": code, "detail": detail, "attr": attr}
