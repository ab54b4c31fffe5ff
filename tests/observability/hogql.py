"""Reads HogQL without a PostHog: PostHog's own parser, and a walk that allows what the catalog and we know.

The parser knows only syntax: tables, columns, functions and properties that do not exist pass it. The rule of
the walk is fail-closed: what it does not know is a problem, so that a new query may have to teach it a word.
"""

import json
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from observability.catalog import CATALOG

Node = dict[str, Any]

EVENT_COLUMNS = {"event", "timestamp", "uuid", "distinct_id"}
FUNCTIONS = {
    *(
        "any",
        "argMax",
        "coalesce",
        "count",
        "countIf",
        "dateDiff",
        "floor",
        "greatest",
        "minIf",
        "now",
        "nullIf",
    ),
    *("quantileIf", "startsWith", "toDateTime", "toIntervalDay", "toIntervalHour", "toStartOfDay"),
    *("toStartOfWeek", "uniqExact", "uniqExactIf"),
}
LEAVES = {"start", "end", "node", "op", "name", "order", "join_type", "constraint_type", "distinct", "alias"}
INNER = {
    *(
        "Alias",
        "And",
        "ArithmeticOperation",
        "Call",
        "CompareOperation",
        "Constant",
        "JoinConstraint",
        "JoinExpr",
    ),
    *("Not", "Or", "OrderExpr", "Tuple"),
}
PARTS = ("select", "where", "group_by", "having", "order_by", "select_from")


def _parser() -> Any:
    """Import PostHog's parser, which at that moment wants one module of PostHog's server to exist."""
    stubs = {name: types.ModuleType(name) for name in ("posthog.hogql", "posthog.hogql.errors")}
    for name in ("BaseHogQLError", "SyntaxError", "ParsingError", "NotImplementedError"):
        setattr(stubs["posthog.hogql.errors"], name, type(name, (Exception,), {}))
    # The package posthog is the real one, which must not be left with a part that it does not have.
    assert not stubs.keys() & sys.modules.keys()
    sys.modules.update(stubs)
    try:
        import hogql_parser
    finally:
        for name in stubs:
            del sys.modules[name]
    return hogql_parser


PARSER = _parser()


@dataclass
class Scope:
    """What names mean in one SELECT. columns: by name, whether it holds names of events. tables: by alias."""

    has_events: bool = False
    columns: dict[str, bool] = field(default_factory=dict)
    tables: dict[str, dict[str, bool]] = field(default_factory=dict)
    properties: set[str] = field(default_factory=set)


def problems(query: str) -> list[str]:
    """Return what is wrong with a query, in words; nothing when it is right."""
    tree = json.loads(PARSER.parse_select_json(query))
    if tree.get("error"):
        return [f"{tree['type']}: {tree['message']}"]
    found: list[str] = []
    _select(tree, found)
    return found


def columns(query: str) -> set[str]:
    """Return the columns that a query has."""
    return set(_select(json.loads(PARSER.parse_select_json(query)), []))


def problems_of_expression(expression: str, events: list[str]) -> list[str]:
    """Return what is wrong with an expression over properties of these events."""
    tree = json.loads(PARSER.parse_expr_json(expression))
    if tree.get("error"):
        return [f"{tree['type']}: {tree['message']}"]
    found: list[str] = []
    _check(tree, Scope(has_events=True, properties=properties_of(events)), found)
    return found


def properties_of(events: list[str]) -> set[str]:
    """Return the properties that these events of the catalog have."""
    return {name for event in events if event in CATALOG for name in CATALOG[event].model_fields}


def known_values(name: str) -> set[str] | None:
    """Return the values that a property can have, or None where any word is one."""
    values: set[str] = set()
    for event in CATALOG.values():
        schema = event.model_json_schema()["properties"].get(name)
        if schema is not None:
            if "enum" not in schema:
                return None
            values |= set(schema["enum"])
    return values


def _select(node: Node, found: list[str]) -> dict[str, bool]:
    """Check a SELECT; return its columns by name, and whether they hold names of events."""
    if node["node"] != "SelectQuery":
        found.append(f"{node['node']} is not known")
        return {}
    known = {*PARTS, "limit", "node", "start", "end"}
    found += [f"{name} is not known" for name in node if name not in known and node[name] is not None]
    scope = Scope()
    join = node["select_from"]
    while join:
        _source(join, scope, found)
        join = join.get("next_join")
    parts = [node.get(name) for name in PARTS]
    if scope.has_events:
        scope.properties = properties_of(list(_events_named(parts)))
    for one in node["select"]:
        if one["node"] == "Alias":
            scope.columns[one["alias"]] = _holds_events(one["expr"], scope)
    for part in parts:
        _check(part, scope, found)
    if node.get("limit") is None:
        found.append("without LIMIT, PostHog shows 100 rows and does not say so")
    return {one["alias"]: scope.columns[one["alias"]] for one in node["select"] if one["node"] == "Alias"}


def _source(join: Node, scope: Scope, found: list[str]) -> None:
    table = join["table"]
    if table["node"] == "Field":
        if table["chain"] != ["events"]:
            found.append(f"table {'.'.join(table['chain'])} is not known")
        scope.has_events = True
        return
    inner: list[str] = []
    columns = _select(table, inner)
    # Only the outermost SELECT is what people see rows of.
    found += [one for one in inner if not one.startswith("without LIMIT")]
    scope.columns |= columns
    if alias := join.get("alias"):
        scope.tables[alias] = columns


def _check(node: Any, scope: Scope, found: list[str]) -> None:
    if isinstance(node, list):
        for one in node:
            _check(one, scope, found)
    if not isinstance(node, dict) or node.get("node") == "SelectQuery":
        return
    kind = node.get("node")
    if kind == "Field":
        if not _is_known(node["chain"], scope) and node["chain"] != ["events"]:
            found.append(f"field {'.'.join(map(str, node['chain']))} is not known")
        return
    if kind not in INNER:
        found.append(f"{kind} is not known")
    if kind == "Call" and node["name"] not in FUNCTIONS:
        found.append(f"function {node['name']} is not known")
    if kind == "CompareOperation":
        _compare(node, scope, found)
    for name, value in node.items():
        if name not in LEAVES:
            _check(value, scope, found)


def _is_known(chain: list[Any], scope: Scope) -> bool:
    if len(chain) == 1:
        return chain[0] in scope.columns or (scope.has_events and chain[0] in EVENT_COLUMNS)
    if chain[0] == "properties" and len(chain) == 2:
        return scope.has_events and chain[1] in scope.properties
    return len(chain) == 2 and chain[1] in scope.tables.get(chain[0], {})


def _compare(node: Node, scope: Scope, found: list[str]) -> None:
    """Check the words that an event or a property is compared with."""
    words = list(_words(node["right"]))
    if _holds_events(node["left"], scope):
        found += [f"event {word} is not in the catalog" for word in words if word not in CATALOG]
    chain = node["left"].get("chain", [])
    if len(chain) == 2 and chain[0] == "properties":
        values = known_values(chain[1])
        if values is not None:
            found += [f"{chain[1]} is never {word}" for word in words if word not in values]


def _holds_events(node: Node, scope: Scope) -> bool:
    """Whether an expression gives the name of an event: the column, what is taken from it, or an alias."""
    if node["node"] == "Call" and node["name"] in {"argMax", "any"}:
        return _holds_events(node["args"][0], scope)
    if node["node"] != "Field":
        return False
    *table, name = node["chain"]
    if table:
        return bool(scope.tables.get(table[0], {}).get(name))
    return bool(scope.columns.get(name)) or (name == "event" and scope.has_events)


def _events_named(node: Any) -> Iterator[str]:
    """Return the events that a SELECT itself compares `event` with."""
    if isinstance(node, list):
        for one in node:
            yield from _events_named(one)
    elif isinstance(node, dict) and node.get("node") != "SelectQuery":
        if node.get("node") == "CompareOperation" and node["left"].get("chain") == ["event"]:
            yield from _words(node["right"])
        for value in node.values():
            yield from _events_named(value)


def _words(node: Node) -> Iterator[str]:
    if node["node"] == "Constant" and isinstance(node["value"], str):
        yield node["value"]
    for one in node.get("exprs", []) if node["node"] == "Tuple" else []:
        yield from _words(one)
