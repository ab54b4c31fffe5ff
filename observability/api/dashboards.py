"""GET /api/dashboards: the numbers of the dashboards, for programs. The same ones as on the pages.

The rule: numbers are raw (shares from 0 to 1) and stand beside the words that say what they mean.
"""

from datetime import date, datetime
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field

from observability.charts import tables
from observability.charts.formatting import known
from observability.dashboards import ahead, days, registry
from observability.dashboards.definitions import WORDS
from observability.dashboards.panels import Chart, Dashboard, Figure, Section, Unit
from observability.dashboards.question import BadQuestion, Question, parse
from observability.models import ApiKey
from trainu import problem
from trainu.bounded_query import TooBroad, given_up_is_too_broad
from trainu.problem import Problem
from trainu.scopes import Scope

router = Router(tags=["dashboards"])

_DAY = {"type": "string", "format": "date"}
_WORD = {"type": "string", "maxLength": 64}
# Described here and read by hand, so that page and API take the same words and refuse the same ones.
_PARAMETERS = [
    ("from", _DAY, "First day of the period, in the zone."),
    ("to", _DAY, "Last day of the period; default: today."),
    ("range", {"type": "string", "enum": ["7d", "28d", "90d", "365d"]}, "So many days, instead of `from`."),
    ("zone", {"type": "string", "default": "UTC"}, "Time zone of the days, such as Europe/Berlin."),
    ("trainer", _WORD, "Only clients of this trainer, by its id."),
    ("segment", _WORD, "Only clients of this segment."),
    ("location", _WORD, "Only this location (sync health)."),
    ("operation", _WORD, "Only this operation (sync health)."),
]
_PROBLEMS = {
    400: "A parameter cannot be answered; `errors` names it and says what to write.",
    401: "No valid key.",
    403: "The key lacks the scope.",
    404: "There is no such dashboard.",
    429: "Over the key's limit.",
    503: "It takes too long to count, or the database cannot be reached.",
}
_DOCUMENTED = {
    "parameters": [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": words}
        for name, schema, words in _PARAMETERS
    ],
    "responses": {
        str(status): {
            "description": words,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, words in _PROBLEMS.items()
    },
}


class Target(Schema):
    words: str
    low: float | None
    high: float | None


class FigureAnswer(Schema):
    key: str
    label: str
    definition: str = Field(description="What the number means.")
    value: float | None = Field(description="Null where it is not known; a share is from 0 to 1.")
    unit: Unit
    sample: int | None = Field(description="Of how many cases it is made.")
    is_small: bool = Field(description="Made of too few cases to be compared with anything.")
    is_rough: bool = Field(description="Counted in a sample of people; low and high hold its error.")
    low: float | None = Field(description="Where its 95 % interval begins.")
    high: float | None = Field(description="Where its 95 % interval ends.")
    before: float | None = Field(description="The same number of the period before.")
    target: Target | None
    verdict: Literal["", "met", "missed"]
    note: str
    url: str = Field(description="Where staff see the rows behind it; empty for none.")


class TableAnswer(Schema):
    columns: list[str]
    units: list[Literal["", "number", "share", "points", "seconds", "milliseconds", "minutes", "score"]] = (
        Field(description="By column; empty for names and words.")
    )
    rows: list[list[str | int | float | None]]


class ChartAnswer(Schema):
    key: str
    title: str
    definition: str = Field(description="What its numbers mean.")
    unit: Unit
    note: str
    table: TableAnswer = Field(description="Everything that the chart shows.")


class SectionAnswer(Schema):
    title: str
    figures: list[FigureAnswer]
    charts: list[ChartAnswer]


class Asked(Schema):
    first: date
    last: date
    zone: str
    trainer: str
    segment: str
    location: str
    operation: str


class DashboardAnswer(Schema):
    name: str
    title: str
    asked: Asked = Field(description="What was understood; filters are empty for all.")
    counted_at: datetime | None = Field(description="Up to when events are in it.")
    notes: list[str]
    sections: list[SectionAnswer]


@router.get(
    "/{name}",
    auth=Scope(ApiKey.Scope.DASHBOARDS_READ),
    response=DashboardAnswer,
    summary="The numbers of a dashboard",
    operation_id="read_dashboard",
    openapi_extra=_DOCUMENTED,
)
def read_dashboard(request: HttpRequest, name: str) -> Any:
    """Return figures and charts of a dashboard: activation, engagement, show_rate, sync_health.

    They are those of its page for the same parameters; a chart is given as its table.
    """
    entry = registry.find(name)
    if entry is None:
        raise Problem(404, "not_found", "There is no such dashboard.")
    now = timezone.now()
    try:
        question = parse(request.GET.dict(), now=now, default_days=entry.default_days)
        ahead.note_asked(question.zone, now=now)
        with given_up_is_too_broad(), days.one_view():
            return _answer(request, entry.build(question, now=now), question)
    except BadQuestion as error:
        return _refused(error)
    except TooBroad:
        raise Problem(503, "too_broad", "It takes too long to count. Ask for fewer days.") from None


def _refused(error: BadQuestion) -> HttpResponse:
    return problem.response(
        400, "bad_question", str(error), errors=[{"field": error.field, "message": str(error)}]
    )


def _answer(request: HttpRequest, dashboard: Dashboard, question: Question) -> dict[str, Any]:
    return {
        "name": dashboard.name,
        "title": dashboard.title,
        "asked": {name: getattr(question, name) for name in Asked.model_fields},
        "counted_at": dashboard.counted_at,
        "notes": list(dashboard.notes),
        "sections": [_section(request, section) for section in dashboard.sections],
    }


def _section(request: HttpRequest, section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "figures": [_figure(request, one) for one in section.figures],
        "charts": [_chart(one) for one in section.charts],
    }


def _figure(request: HttpRequest, figure: Figure) -> dict[str, Any]:
    target = figure.target
    return {
        "key": figure.key,
        "label": figure.label,
        "definition": WORDS[figure.key],
        "value": known(figure.value),
        "unit": figure.unit,
        "sample": figure.sample,
        "is_small": figure.is_small,
        "is_rough": figure.is_rough,
        "low": known(figure.low),
        "high": known(figure.high),
        "before": known(figure.before),
        "target": {"words": target.words, "low": target.low, "high": target.high} if target else None,
        "verdict": figure.verdict,
        "note": figure.note,
        "url": request.build_absolute_uri(figure.url) if figure.url else "",
    }


def _chart(chart: Chart) -> dict[str, Any]:
    return {
        "key": chart.key,
        "title": chart.title,
        "definition": WORDS[chart.key],
        "unit": chart.unit,
        "note": chart.note,
        "table": {
            "columns": list(chart.table().columns),
            "units": tables.units(chart),
            "rows": list(tables.raw(chart)),
        },
    }
