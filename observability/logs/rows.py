"""A finished line, made to fit into a row: columns, bounds, and no character that PostgreSQL refuses.

The rule: whatever was logged, the row is of bounded size and can be stored; what was cut says so.
"""

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

REST_BYTES = 16 * 1024
EVENT_CHARACTERS = 2_000
WORD_CHARACTERS = 200
# The frames that matter are the last ones, and the first tells where the work began.
EXCEPTION_HEAD, EXCEPTION_TAIL = 2_000, 10_000
_TEXT_CHARACTERS = 4_000
_DEPTH, _ITEMS = 6, 100
_COLUMNS = frozenset({"timestamp", "level", "service", "logger", "event", "correlation_id", "user_id"})
_LEVELS = frozenset({"debug", "info", "warn", "error"})
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
# A clock that is further off would make partitions that nobody expects.
_PAST, _FUTURE = timedelta(days=7), timedelta(days=1)


class Row(NamedTuple):
    """A row of observability_logline but for its id, in the order of the columns."""

    logged_at: datetime
    kind: str
    level: str
    service: str
    logger: str
    event: str
    correlation_id: str
    user_id: str | None
    rest: str


def row_of(line: dict[str, Any], *, now: datetime) -> Row:
    """Return the row of a line. rest: JSON text of at most REST_BYTES.

    A line without a usable timestamp is taken as logged now.
    """
    level = str(line.get("level"))
    level = level if level in _LEVELS else "info"
    user_id = line.get("user_id")
    return Row(
        logged_at=_moment(line.get("timestamp"), now),
        kind="error" if level == "error" else "application",
        level=level,
        service=_word(line.get("service")),
        logger=_word(line.get("logger")),
        event=_cut(_clean(str(line.get("event", ""))), EVENT_CHARACTERS),
        correlation_id=_word(line.get("correlation_id")),
        user_id=None if user_id is None else _word(user_id),
        rest=_rest({str(key): value for key, value in line.items() if key not in _COLUMNS}),
    )


def _moment(raw: object, now: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(str(raw))
    except ValueError:
        return now
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment if now - _PAST < moment < now + _FUTURE else now


def _word(value: object) -> str:
    return _cut(_clean("" if value is None else str(value)), WORD_CHARACTERS)


def _clean(text: str) -> str:
    """Return the text without NUL, and with a mark for each half of a character: UTF-8 has neither."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    return text if text.isascii() else _HALF_CHARACTER.sub("\ufffd", text)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… {len(text) - longest:,} characters more"


def _rest(values: dict[str, Any]) -> str:
    """Return everything else as JSON text; where it is too long, the longest values go first."""
    if not values:
        return "{}"
    exception = values.pop("exception", None)
    shown = _plain(values, _DEPTH)
    if exception is not None:
        shown["exception"] = _middle_out(_clean(str(exception)), EXCEPTION_HEAD, EXCEPTION_TAIL)
    text = _json(shown)
    if _size(text) <= REST_BYTES:
        return text
    sizes = {name: _size(_json(value)) for name, value in shown.items() if name != "exception"}
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        shown[name] = f"{sizes[name]:,} bytes, too long to keep"
        text = _json(shown)
        if _size(text) <= REST_BYTES:
            return text
    # Many long names, or a text of which every character is written as six.
    short = {"exception": _middle_out(shown["exception"], 400, 2_000)} if "exception" in shown else {}
    return _json(short | {"cut": f"{len(sizes):,} more values, too long to keep"})


def _middle_out(text: str, head: int, tail: int) -> str:
    left_out = len(text) - head - tail
    return text if left_out <= 0 else f"{text[:head]}\n… {left_out:,} characters …\n{text[-tail:]}"


def _plain(value: Any, depth: int) -> Any:
    """Return the value as JSON can hold it. What is no JSON is told by its type alone."""
    match value:
        case None | bool():
            return value
        case str():
            return _cut(_clean(value), _TEXT_CHARACTERS)
        case int():
            return value if abs(value) < 1 << 63 else f"{value.bit_length()} bits"
        case float():
            return value if math.isfinite(value) else str(value)
        case datetime():
            return value.isoformat()
        case dict() | list() | tuple() if depth == 0:
            return "too deep"
        case dict():
            return {_word(key): _plain(item, depth - 1) for key, item in list(value.items())[:_ITEMS]}
        case list() | tuple():
            return [_plain(item, depth - 1) for item in value[:_ITEMS]]
        case _:
            return f"<{type(value).__name__}>"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
