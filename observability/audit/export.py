"""The audit log as a file: CSV for spreadsheets, or a JSON document a line.

The rule: no cell of a CSV can be a formula, whoever wrote its text; and a file never grows in memory.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

from observability.models import AuditEntry

MOST = 50_000
FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
FIELDS = (
    "recorded_at",
    "id",
    "actor_kind",
    "actor_id",
    "action",
    "target_type",
    "target_id",
    "reason",
    "correlation_id",
    "changes",
)
# With these a spreadsheet begins a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Line:
    """What csv.writer takes for a file: hands each line back."""

    def write(self, line: str) -> str:
        return line


def lines(entries: Iterable[AuditEntry], kind: str) -> Iterator[str]:
    """Yield the file's lines. kind: csv or jsonl."""
    if kind == "jsonl":
        for entry in entries:
            yield json.dumps(_row(entry), ensure_ascii=False) + "\n"
        return
    writer = csv.writer(_Line())
    yield writer.writerow(FIELDS)
    for entry in entries:
        row = _row(entry) | {"changes": json.dumps(entry.changes, ensure_ascii=False)}
        yield writer.writerow([safe_cell(str(row[name])) for name in FIELDS])


def safe_cell(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _row(entry: AuditEntry) -> dict[str, Any]:
    values = {name: getattr(entry, name) for name in FIELDS}
    return values | {"recorded_at": entry.recorded_at.isoformat(), "id": str(entry.id)}
