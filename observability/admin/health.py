"""Health in the admin: every check with its state in words, what it has found, and where to go.

The rule: it shows what the monitor has found, now or seconds ago, and asks nothing itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from observability import health
from observability.admin import check_words
from observability.admin.check_words import STATES, TONES
from observability.health import Finding, Status
from trainu.admin_rendering import pill
from trainu.admin_site import site

# Shown apart, or said by the state already.
_NO_FIGURES = {"wrong", "error"}
_MOST_NAMED = 6
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
    said = [f"{words.trouble[0].upper()}{words.trouble[1:]}."]
    if error := finding.detail.get("error"):
        said.append(f"The check itself did not get through: {error}.")
    said += finding.detail.get("wrong") or ([words.step] if words.step else [])
    return " ".join(said)


def _figures(detail: dict[str, Any]) -> Iterator[str]:
    for name, value in detail.items():
        if name in _NO_FIGURES or value in (None, "", [], {}):
            continue
        label = name.replace("_", " ")
        if isinstance(value, dict):
            parts = list(_figures(value))
            yield f"{label}: {', '.join(parts[:_MOST_NAMED])}{_more(parts)}"
        elif isinstance(value, list):
            parts = [str(one) for one in value]
            yield f"{label}: {', '.join(parts[:_MOST_NAMED])}{_more(parts)}"
        elif label.endswith((" s", " ms")):
            # Durations carry their unit at the end of the name.
            measured, _, unit = label.rpartition(" ")
            yield f"{measured}: {value} {unit}"
        else:
            yield f"{label}: {'yes' if value is True else 'no' if value is False else value}"


def _more(parts: list[str]) -> str:
    more = len(parts) - _MOST_NAMED
    return f" and {more} more" if more > 0 else ""


def _rank(finding: Finding) -> int:
    return -[Status.PASS, Status.WARN, Status.FAIL].index(finding.status)


site.register_view("health/", page, "health", permission="observability.view_event")
