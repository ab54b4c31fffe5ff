"""Health in the admin: every check with its state in words, what it has found, and where to go.

The rule: it shows what the monitor has found, now or seconds ago, and asks nothing itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from observability import health
from observability.admin import check_words
from observability.admin.check_words import STATES, TONES
from observability.charts.formatting import write
from observability.health import Finding, Status
from trainu.admin_rendering import pill
from trainu.admin_site import site

# Shown apart, or said by the state already.
_NO_FIGURES = {"wrong", "error"}
_MOST_NAMED = 6
# A page reads better with these than with the names that monitors read.
_LABELS = {
    "age_s": "last looked at",
    "answered_s": "last answer",
    "asked_s": "last asked",
    "beat_age_s": "last sign of life",
    "dead": "given up",
    "failed_s": "last failure",
    "lag_s": "oldest waits for",
    "oldest_s": "oldest",
    "oldest_waiting_s": "oldest waits for",
    "sent_s": "last delivered",
}
# How long ago, and not for how long.
_PAST = {"age_s", "answered_s", "asked_s", "beat_age_s", "failed_s", "sent_s"}
_TAMPERED = "Somebody tampered with it (SEV1). Leave the database as it is; Audit says what to do."


@dataclass(frozen=True, slots=True)
class Row:
    """A check. told: what is wrong and what to do, or that nothing is. figures: what else it has found."""

    title: str
    state: SafeString
    told: str
    figures: str
    url: str


def page(request: HttpRequest) -> HttpResponse:
    """Show every check, those first that are not well."""
    report = health.monitor.report(health.ALL)
    found = sorted(report.findings.items(), key=lambda pair: _rank(pair[1]))
    context = site.each_context(request) | {
        "title": "Health",
        "state": pill(STATES[report.status], TONES[report.status]),
        "wrong": sum(finding.status is not Status.PASS for finding in report.findings.values()),
        "rows": [row(name, finding) for name, finding in found],
        "ready": ", ".join(check_words.of(name).title for name in health.READY),
    }
    return TemplateResponse(request, "observability/health.html", context)


def row(name: str, finding: Finding) -> Row:
    """Return what the page says of a check."""
    words = check_words.of(name)
    is_tampered = name == "audit" and finding.detail.get("findings")
    return Row(
        words.title,
        pill(STATES[finding.status], TONES[finding.status]),
        _TAMPERED if is_tampered else _told(words, finding),
        "; ".join(_figures(finding.detail)),
        words.url,
    )


def _told(words: check_words.Words, finding: Finding) -> str:
    if finding.status is Status.PASS:
        return "Off: nothing is set up for it." if finding.detail.get("state") == "off" else ""
    trouble = f"{words.trouble[0].upper()}{words.trouble[1:]}"
    wrong = finding.detail.get("wrong") or ([words.step] if words.step else [])
    # A sentence that says it more exactly is enough.
    said = [] if any(one.startswith(trouble) for one in wrong) else [f"{trouble}."]
    if error := finding.detail.get("error"):
        said.append(f"The check itself did not get through: {error}.")
    return " ".join(dict.fromkeys([*said, *wrong]))


def _figures(detail: dict[str, Any]) -> Iterator[str]:
    for name, value in detail.items():
        if name in _NO_FIGURES or value in (None, "", [], {}):
            continue
        label = _LABELS.get(name, name.removesuffix("_at").replace("_", " "))
        if isinstance(value, dict):
            # The unit of what is inside stands with its name, where it has none of its own.
            inside = {
                key: one if isinstance(one, dict) else _written(name, one) for key, one in value.items()
            }
            parts = [one.removeprefix("state: ") for one in _figures(inside)]
            yield f"{label}: {', '.join(parts[:_MOST_NAMED])}{_more(parts)}"
        elif isinstance(value, list):
            # Several may have one reason.
            parts = list(dict.fromkeys(str(one) for one in value))
            yield f"{label}: {', '.join(parts[:_MOST_NAMED])}{_more(parts)}"
        elif label.endswith(" ms"):
            yield f"{label.removesuffix(' ms')}: {value} ms"
        else:
            yield f"{label.removesuffix(' s')}: {_written(name, value)}"


def _written(name: str, value: Any) -> Any:
    """Return a value in words, by the unit that its name ends in."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_s") and isinstance(value, int | float):
        return f"{write(round(value), 'seconds')}{' ago' if name in _PAST else ''}"
    if name.endswith("_at") and isinstance(value, str):
        at = datetime.fromisoformat(value).astimezone(UTC)
        return f"{at.day} {at:%b, %H:%M} UTC"
    return value


def _more(parts: list[str]) -> str:
    more = len(parts) - _MOST_NAMED
    return f" and {more} more" if more > 0 else ""


def _rank(finding: Finding) -> int:
    return -[Status.PASS, Status.WARN, Status.FAIL].index(finding.status)


site.register_view("health/", page, "health", permission="observability.view_event")
