"""The last gate before Sentry: an event is made anew from what is known to be harmless, and redacted.

The rule: fail-closed. Fields are let through by name and all others stay here; where this room itself
breaks, a bare event with the code redaction_failed goes out instead: never the raw one, never none.
"""

import re
from collections.abc import Iterable
from typing import Any

from observability.errors import reporting
from observability.errors.classification import Verdict
from observability.redaction import redact
from trainu import known_names

# Keys of the hint by which `sentry.send` hands over what it knows.
VERDICT, TAGS = "trainu.verdict", "trainu.tags"
REDACTION_FAILED = "redaction_failed"

Event = dict[str, Any]

_PLAIN = ("event_id", "timestamp", "platform", "release", "environment", "sdk", "logger", "transaction_info")
_CHECK_IN = (
    "type",
    "event_id",
    "timestamp",
    "monitor_slug",
    "check_in_id",
    "status",
    "duration",
    "environment",
    "release",
    "monitor_config",
)
_FRAME = ("filename", "function", "module", "lineno", "in_app", "context_line", "pre_context", "post_context")
_MECHANISM = ("type", "handled", "exception_id", "parent_id", "is_exception_group", "source")
_HEADERS = {"user-agent", "content-type", "x-request-id"}
_BREADCRUMB = ("type", "category", "level", "timestamp", "message")
_USER_ID = re.compile(r"[0-9a-f]{32}")
_MOST_BREADCRUMBS = 30
_LONGEST_TEXT = 2_000

# What stands quoted in a message is a value, unless it is a plain identifier.
_QUOTED = re.compile(r"(?<!\w)'([^'\n]*)'(?!\w)|\"([^\"\n]*)\"")
_IDENTIFIER = re.compile(r"[\w.\-\[\]:/<>]{0,80}", re.ASCII)
# pydantic quotes what it refuses; libpq and PostgreSQL say after a colon what they could not read.
_INPUT_VALUE = re.compile(r"input_value=.*?(?=, input_type=|\]|$)", re.S)
_DATABASE_VALUE = re.compile(r": \"[^\n]*$|at or near \"[^\n]*$")
_DATABASE_MODULES = ("psycopg", "django.db")


def before_send(event: Event, hint: dict[str, Any]) -> Event | None:
    """Return the event that may leave, or None where another hook has already sent the same exception."""
    verdict: Verdict | None = hint.get(VERDICT)
    try:
        if event.get("type") == "check_in":
            return {key: event[key] for key in _CHECK_IN if key in event}
        if verdict is None:
            verdict = reporting.adopt((hint.get("exc_info") or (None, None, None))[1])
            if verdict is None:
                return None
        return _clean(event, verdict, hint)
    except Exception:  # noqa: BLE001 - whatever it was, the raw event must not get out
        return _bare(event, verdict)


def _clean(event: Event, verdict: Verdict, hint: dict[str, Any]) -> Event:
    names = known_names.current()
    clean: Event = {key: event[key] for key in _PLAIN if event.get(key)}
    clean["level"] = verdict.level
    if verdict.fingerprint is not None:
        clean["fingerprint"] = list(verdict.fingerprint)
    if transaction := event.get("transaction"):
        clean["transaction"] = _path(str(transaction), names)
    if exception := event.get("exception"):
        clean["exception"] = {"values": [_exception(one, names) for one in exception.get("values", [])]}
    if entry := event.get("logentry"):
        clean["logentry"] = {
            key: _text(str(entry[key]), names) for key in ("message", "formatted") if entry.get(key)
        }
    if request := event.get("request"):
        clean["request"] = _request(request, names)
    if crumbs := (event.get("breadcrumbs") or {}).get("values"):
        clean["breadcrumbs"] = {"values": [_breadcrumb(one, names) for one in crumbs[-_MOST_BREADCRUMBS:]]}
    if extra := event.get("extra"):
        clean["extra"] = redact({key: extra[key] for key in extra if key != "sys.argv"}, names)
    if trace := (event.get("contexts") or {}).get("trace"):
        clean["contexts"] = {"trace": {key: trace[key] for key in ("trace_id", "span_id") if key in trace}}
    user_id = (event.get("user") or {}).get("id")
    if isinstance(user_id, str) and _USER_ID.fullmatch(user_id):
        clean["user"] = {"id": user_id}
    tags = redact(_tags(event.get("tags")), names)
    clean["tags"] = tags | {key: str(value)[:200] for key, value in hint.get(TAGS, {}).items() if value}
    clean["tags"] |= {
        "severity": verdict.severity.value,
        "category": verdict.category,
        "code": verdict.code,
    }
    return clean


def _bare(event: Event, verdict: Verdict | None) -> Event:
    """Return what is left where nothing can be trusted: that there was an error, and how bad."""
    return {
        "event_id": event.get("event_id"),
        "timestamp": event.get("timestamp"),
        "platform": "python",
        "level": verdict.level if verdict else "error",
        "logentry": {"message": REDACTION_FAILED},
        "fingerprint": [REDACTION_FAILED],
        "tags": {
            "severity": verdict.severity.value if verdict else "SEV2",
            "category": verdict.category if verdict else "unknown",
            "code": REDACTION_FAILED,
        },
    }


def _exception(one: Event, names: Iterable[str]) -> Event:
    module = str(one.get("module") or "")
    clean: Event = {"type": one.get("type"), "module": one.get("module")}
    text = str(one.get("value") or "")
    if module.startswith(_DATABASE_MODULES):
        # DETAIL, HINT and CONTEXT come on lines of their own, and quote whole rows.
        text = _DATABASE_VALUE.sub(": [value]", text.split("\n", 1)[0])
    clean["value"] = _text(text, names)
    if mechanism := one.get("mechanism"):
        clean["mechanism"] = {key: mechanism[key] for key in _MECHANISM if key in mechanism}
    if frames := (one.get("stacktrace") or {}).get("frames"):
        clean["stacktrace"] = {
            "frames": [{key: frame[key] for key in _FRAME if key in frame} for frame in frames]
        }
    return clean


def _text(text: str, names: Iterable[str]) -> str:
    text = _INPUT_VALUE.sub("input_value=[value]", text[:_LONGEST_TEXT])
    return str(redact(_QUOTED.sub(_quoted, text), names))


def _quoted(match: re.Match[str]) -> str:
    inside = match[1] if match[1] is not None else match[2]
    return match[0] if _IDENTIFIER.fullmatch(inside) else "[value]"


def _request(request: Event, names: Iterable[str]) -> Event:
    headers = request.get("headers") or {}
    return {
        "method": str(request.get("method") or "")[:10],
        "url": _path(str(request.get("url") or ""), names),
        "headers": {
            key: _text(str(value), names) for key, value in headers.items() if key.lower() in _HEADERS
        },
    }


def _path(path: str, names: Iterable[str]) -> str:
    return str(redact(path.split("?", 1)[0], names))


def _breadcrumb(one: Event, names: Iterable[str]) -> Event:
    clean = {key: one[key] for key in _BREADCRUMB if one.get(key) is not None}
    if "message" in clean:
        clean["message"] = _text(str(clean["message"]), names)
    return clean


def _tags(tags: Any) -> dict[str, Any]:
    """Return tags as a dict: scopes keep them so, but the protocol allows pairs as well."""
    return dict(tags) if tags else {}
