"""Contacts looked for: by filters and pages, by the old list, by email or phone.

The rule: a list is bounded and its order is total, so that paging neither repeats nor skips.
"""

from datetime import datetime
from typing import Any

from trainu.demo.ghl.access import of_location
from trainu.demo.ghl.call import Call, Document, Refused
from trainu.demo.ghl.contacts import VERSION, normal
from trainu.demo.ghl.route import Route
from trainu.demo.ghl.state import World

_MOST_PAGED = 10_000
_LARGEST_PAGE = 500


def _search(world: World, call: Call) -> tuple[int, Document]:
    body = call.json()
    location = of_location(world, call, body.get("locationId"))
    size = body.get("pageLimit", 20)
    if not isinstance(size, int) or not 1 <= size <= _LARGEST_PAGE:
        raise Refused(422, [f"pageLimit must be between 1 and {_LARGEST_PAGE}"])
    [order] = body.get("sort") or [{"field": "dateAdded", "direction": "desc"}]
    name, downwards = order.get("field", "dateAdded"), order.get("direction", "desc") == "desc"
    if name not in {"dateAdded", "dateUpdated"}:
        raise Refused(400, f"sort by {name} is not supported")
    found = [one for one in location.contacts.values() if _fits(one, body)]
    found.sort(key=lambda one: (one[name], one["id"]), reverse=downwards)
    start = 0
    if after := body.get("searchAfter"):
        start = sum(1 for one in found if not _beyond(_cursor(one, name), after, downwards))
    elif page := body.get("page"):
        start = (page - 1) * size
        if start + size > _MOST_PAGED:
            raise Refused(400, f"page * pageLimit must not exceed {_MOST_PAGED}; use searchAfter")
    shown = [one | {"searchAfter": _cursor(one, name)} for one in found[start : start + size]]
    return 200, {"contacts": shown, "total": len(found)}


def _cursor(contact: Document, name: str) -> list[Any]:
    return [round(datetime.fromisoformat(contact[name]).timestamp() * 1000), contact["id"]]


def _beyond(cursor: list[Any], after: list[Any], downwards: bool) -> bool:
    return cursor < after if downwards else cursor > after


def _fits(contact: Document, body: Document) -> bool:
    query = str(body.get("query") or "").lower()
    if query and not any(query in str(contact.get(name, "")).lower() for name in ("name", "email", "phone")):
        return False
    return all(_passes(contact, one) for one in body.get("filters") or ())


def _passes(contact: Document, one: Document) -> bool:
    if "filters" in one:
        join = any if one.get("group") == "OR" else all
        return join(_passes(contact, inner) for inner in one["filters"])
    have, want = contact.get(one.get("field", "")), one.get("value")
    match one.get("operator"):
        case "eq":
            return want in have if isinstance(have, list) else have == want
        case "not_eq":
            return want not in have if isinstance(have, list) else have != want
        case "contains":
            return have is not None and str(want).lower() in str(have).lower()
        case "exists":
            return bool(have)
        case "not_exists":
            return not have
        case "range":
            return have is not None and _within(have, want or {})
        case operator:
            raise Refused(400, f"filter operator {operator} is not supported")


def _within(have: str, bounds: Document) -> bool:
    moment = datetime.fromisoformat(have).timestamp()
    edges = {name: _seconds(value) for name, value in bounds.items()}
    return (
        moment > edges.get("gt", float("-inf"))
        and moment >= edges.get("gte", float("-inf"))
        and moment < edges.get("lt", float("inf"))
        and moment <= edges.get("lte", float("inf"))
    )


def _seconds(value: Any) -> float:
    if isinstance(value, int | float):
        return value / 1000
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        raise Refused(422, ["a bound of a range must be a date"]) from None


def _list(world: World, call: Call) -> tuple[int, Document]:
    query = call.query
    location = of_location(world, call, query.get("locationId"))
    size = call.number("limit", 20, most=100)
    found = [one for one in location.contacts.values() if _fits(one, {"query": query.get("query")})]
    found.sort(key=lambda one: (one["dateAdded"], one["id"]), reverse=True)
    if (at := query.get("startAfter")) and (after_id := query.get("startAfterId")):
        found_after = [one for one in found if _cursor(one, "dateAdded") < [int(at), after_id]]
    else:
        found_after = found
    shown = found_after[:size]
    meta: Document = {"total": len(found), "currentPage": 1, "nextPage": None, "prevPage": None}
    if len(found_after) > size:
        meta["startAfter"], meta["startAfterId"] = _cursor(shown[-1], "dateAdded")
        meta["nextPage"] = 2
    return 200, {"contacts": shown, "count": len(found), "meta": meta}


def _duplicate(world: World, call: Call) -> tuple[int, Document]:
    query = call.query
    location = of_location(world, call, query.get("locationId"))
    for name, value in (("email", query.get("email")), ("phone", query.get("number"))):
        if value:
            for contact_id in location.known_by.get((name, normal(name, value)), ()):
                return 200, {"contact": location.contacts[contact_id]}
    return 200, {"contact": None}


ROUTES = [
    Route("POST", "/contacts/search", "contacts.readonly", _search, VERSION),
    Route("GET", "/contacts/", "contacts.readonly", _list, VERSION),
    Route("GET", "/contacts/search/duplicate", "contacts.readonly", _duplicate, VERSION),
]
