"""A JSON Schema of properties as a table that needs no knowledge of JSON Schema."""

from dataclasses import dataclass
from typing import Any

_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "object",
}


@dataclass(frozen=True, slots=True)
class Property:
    """A row of the table. kind: what it holds, in words; unit may be empty."""

    name: str
    kind: str
    unit: str
    is_required: bool
    words: str


def properties(schema: Any) -> list[Property]:
    """Return the properties that a schema declares, required ones first; nothing for what is no schema."""
    declared = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(declared, dict):
        return []
    required = schema.get("required")
    needed = set(map(str, required)) if isinstance(required, list) else set()
    rows = [_row(name, inner, name in needed) for name, inner in declared.items()]
    return sorted(rows, key=lambda row: (not row.is_required, row.name))


def _row(name: str, schema: Any, is_required: bool) -> Property:
    outer = schema if isinstance(schema, dict) else {}
    branches = [branch for branch in outer.get("anyOf", ()) if isinstance(branch, dict)]
    # An optional property of the catalog is "this, or null": what matters is this.
    inner = next((branch for branch in branches if branch.get("type") != "null"), outer)
    return Property(
        name=str(name),
        kind=_kind(inner),
        unit=str(inner.get("unit", outer.get("unit", ""))),
        is_required=is_required,
        words=str(outer.get("description", inner.get("description", ""))),
    )


def _kind(schema: dict[str, Any]) -> str:
    if isinstance(choices := schema.get("enum"), list):
        return f"one of {', '.join(map(str, choices))}"
    if "const" in schema:
        return f"always {schema['const']}"
    if schema.get("id") is True:
        return "id"
    if schema.get("format") == "date-time":
        return "time"
    kind = _KINDS.get(str(schema.get("type")), "anything")
    bounds = [
        f"{words} {schema[name]:,}"
        for name, words in (("minimum", "from"), ("maximum", "to"))
        if isinstance(schema.get(name), int | float)
    ]
    return " ".join([kind, *bounds])
