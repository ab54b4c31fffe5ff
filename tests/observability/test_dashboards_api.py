"""GET /api/dashboards/{name}: the numbers of the page, for programs."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from observability import api_keys
from observability.charts import tables
from observability.dashboards.definitions import WORDS
from observability.dashboards.panels import Dashboard
from observability.dashboards.question import Question, parse
from tests.observability import made_up_dashboard as made_up
from trainu.bounded_query import TooBroad

pytestmark = pytest.mark.django_db

PATH = "/api/dashboards/made_up"
ASKED = {"from": "2026-11-01", "to": "2026-11-28", "zone": "Asia/Tokyo", "segment": "solo"}


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    cache.clear()
    with made_up.registered():
        yield


@pytest.fixture
def reader(client: Client) -> Any:
    """Ask with a key that may read dashboards."""
    _, key = api_keys.issue("reports", ["dashboards:read"], limit_per_minute=0)

    def ask(path: str = PATH, **parameters: str) -> Any:
        return client.get(path, parameters, headers={"Authorization": f"Bearer {key}"})

    return ask


def test_the_numbers_are_those_of_the_page(reader: Any) -> None:
    body = reader(**ASKED).json()
    wanted = made_up.dashboard(parse(ASKED, now=timezone.now()), now=timezone.now())
    assert [section["title"] for section in body["sections"]] == [one.title for one in wanted.sections]
    for section, answered in zip(wanted.sections, body["sections"], strict=True):
        for figure, one in zip(section.figures, answered["figures"], strict=True):
            for name in (
                "key",
                "label",
                "value",
                "unit",
                "sample",
                "low",
                "high",
                "before",
                "note",
                "verdict",
            ):
                assert one[name] == getattr(figure, name), name
            assert one["definition"] == WORDS[figure.key]
            assert one["url"] == (f"http://testserver{figure.url}" if figure.url else "")
        for chart, one in zip(section.charts, answered["charts"], strict=True):
            table = chart.table()
            assert one["table"]["columns"] == list(table.columns)
            assert one["table"]["rows"] == [list(row) for row in table.rows]
            assert one["table"]["units"] == tables.units(chart)
            assert (one["key"], one["unit"], one["definition"]) == (chart.key, chart.unit, WORDS[chart.key])
    assert body["asked"] == {
        "first": "2026-11-01",
        "last": "2026-11-28",
        "zone": "Asia/Tokyo",
        "trainer": "",
        "segment": "solo",
        "location": "",
        "operation": "",
    }
    target = body["sections"][0]["figures"][0]["target"]
    assert target == {"words": "15 to 25 % above the baseline", "low": 0.79, "high": 0.86}
    assert body["notes"] == list(wanted.notes)
    assert body["counted_at"]


def test_what_is_no_finite_number_is_null(reader: Any) -> None:
    def build(question: Question, *, now: Any) -> Dashboard:
        built = made_up.dashboard(question, now=now)
        figure = made_up.Figure("dau", "Odd", float("nan"), high=float("inf"))
        bars = made_up.Bars(key="score_risers", title="Odd", bars=[("a", float("-inf"))])
        return Dashboard("made_up", built.title, None, [made_up.Section("Odd", [figure], [bars])])

    with made_up.registered(build=build):
        [section] = reader().json()["sections"]
    assert (section["figures"][0]["value"], section["figures"][0]["high"]) == (None, None)
    assert section["charts"][0]["table"]["rows"] == [["a", None]]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"from": "2026-13-01"}, "from"),
        ({"range": "3d"}, "range"),
        ({"zone": "Mars"}, "zone"),
        ({"operation": "x" * 65}, "operation"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_field(reader: Any, asked: dict[str, str], field: str) -> None:
    answer = reader(**asked)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "bad_question"
    assert [one["field"] for one in answer.json()["errors"]] == [field]
    assert answer.json()["errors"][0]["message"] == answer.json()["detail"]


def test_what_is_not_there_or_takes_too_long_is_told_apart(reader: Any) -> None:
    def slow(question: Question, *, now: Any) -> Dashboard:
        raise TooBroad

    assert reader("/api/dashboards/nothing").status_code == 404
    with made_up.registered(build=slow):
        answer = reader()
    assert (answer.status_code, answer.json()["code"]) == (503, "too_broad")


def test_a_key_needs_the_scope(client: Client) -> None:
    assert client.get(PATH).status_code == 401
    _, key = api_keys.issue("other", ["health:read", "sync:read"], limit_per_minute=0)
    answer = client.get(PATH, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 403
    assert "dashboards:read" in answer.json()["detail"]


def test_the_document_says_what_is_asked_and_what_comes(client: Client) -> None:
    document = client.get("/api/openapi.json").json()
    operation = document["paths"]["/api/dashboards/{name}"]["get"]
    asked = {one["name"]: one["in"] for one in operation["parameters"]}
    assert asked == {"name": "path"} | dict.fromkeys(
        ("from", "to", "range", "zone", "trainer", "segment", "location", "operation"), "query"
    )
    assert {"200", "400", "401", "403", "404", "429", "503"} <= set(operation["responses"])
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["$ref"].endswith("/DashboardAnswer")
    assert "FigureAnswer" in document["components"]["schemas"]
