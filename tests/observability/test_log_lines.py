"""Log lines: five fields on each, one line a request, who asked, and nothing personal on any of them."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.contrib.auth import get_user_model
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client, RequestFactory

from observability.logs import lines
from trainu import correlation, known_names


class Collector(logging.Handler):
    """Keeps each line as the stream would show it."""

    def __init__(self) -> None:
        super().__init__(level=logging.DEBUG)
        formatter = dict(
            lines.configuration(service="tests", style="json", level="DEBUG", stream="stdout")["formatters"][
                "line"
            ]
        )
        self.setFormatter(formatter.pop("()")(**formatter))
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.texts]

    def named(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]


@pytest.fixture
def collected() -> Iterator[Collector]:
    collector = Collector()
    root = logging.getLogger()
    level = root.level
    root.addHandler(collector)
    root.setLevel(logging.INFO)
    yield collector
    root.removeHandler(collector)
    root.setLevel(level)


log = structlog.get_logger("tests")


def test_every_line_has_the_five_fields_whoever_wrote_it(collected: Collector) -> None:
    with correlation.bound("journey-1234"):
        log.info("ours")
        logging.getLogger("foreign").warning("late by %s s", 3)
    for line in collected.lines:
        assert {"timestamp", "level", "service", "correlation_id", "event"} <= set(line)
        assert line["correlation_id"] == "journey-1234"
        assert line["timestamp"].endswith("Z")
    assert [line["level"] for line in collected.lines] == ["info", "warn"]
    assert collected.lines[1]["event"] == "late by 3 s"


def test_no_personal_data_is_on_a_line_wherever_it_was_put(collected: Collector) -> None:
    try:
        secret = "mira.stone@" + "example.org"
        raise ValueError(f"no account {secret} with +44 20 7946 0958")
    except ValueError:
        log.exception("failed", contact={"first_name": "Mira"}, note="call 020 7946 0958")
    logging.getLogger("foreign").error("mail to mira.stone@example.org", extra={"phone": "+442079460958"})
    text = "".join(collected.texts)
    for planted in ("mira.stone", "Mira", "7946", "2079460958"):
        assert planted not in text
    assert "ValueError" in text
    assert "@example.org" in text


def test_known_names_are_taken_out_of_free_text(collected: Collector) -> None:
    with known_names.bound(["Mira Stone", ""]):
        log.info("draft for Mira Stone is late")
    log.info("stone and mortar")
    assert "Mira" not in collected.texts[0]
    assert "Stone" not in collected.texts[0]
    assert collected.lines[1]["event"] == "stone and mortar"


def test_objects_of_a_foreign_line_are_named_and_not_shown(collected: Collector, rf: RequestFactory) -> None:
    request = rf.get("/x", {"email": "mira.stone@example.org"})
    logging.getLogger("foreign").error("failed", extra={"request": request})
    [line] = collected.lines
    assert line["request"] == f"<{WSGIRequest.__name__}>"


def test_a_line_that_cannot_be_redacted_keeps_only_what_is_safe(collected: Collector) -> None:
    # No caller can make redaction fail; so its input is broken from within.
    token = known_names._current.set(None)  # type: ignore[arg-type]
    with correlation.bound("journey-1234"):
        log.info("draft for mira.stone@example.org")
    known_names._current.reset(token)
    [line] = collected.lines
    assert (line["event"], line["correlation_id"]) == ("redaction_failed", "journey-1234")
    assert (line["level"], line["logger"]) == ("info", "tests")
    assert "mira" not in collected.texts[0].lower()


@pytest.mark.django_db
def test_a_page_has_one_line_with_its_reader_and_without_its_query(collected: Collector) -> None:
    staff = get_user_model().objects.create_superuser("operator", password="x")
    client = Client()
    client.force_login(staff)
    client.get("/admin/?q=mira.stone@example.org", headers={"X-Correlation-ID": "journey-1234"})
    [line] = [line for line in collected.lines if line.get("correlation_id") == "journey-1234"]
    assert line["event"] == "request_finished"
    assert (line["request"], line["code"], line["user_id"]) == ("GET /admin/", 200, f"staff:{staff.pk}")
    assert line["duration_ms"] > 0
    assert "ip" not in line


def test_a_failed_task_is_not_told_again_by_the_monitor_of_the_workers(collected: Collector) -> None:
    workers = logging.getLogger("django-q")
    for function in ("monitor", "guard"):
        record = workers.makeRecord(
            "django-q", logging.ERROR, f"/{function}.py", 1, f"{function} says", (), None, func=function
        )
        workers.handle(record)
    assert [line["event"] for line in collected.lines] == ["guard says"]


@pytest.mark.django_db
def test_accepted_events_and_health_write_no_line_but_refusals_do(
    collected: Collector, client: Client, key: str
) -> None:
    client.get("/api/health/live")
    assert collected.texts == []
    client.force_login(get_user_model().objects.create_superuser("otto"))
    assert client.get("/admin/logs/tail/").status_code == 200
    assert collected.named("request_finished") == [], "the live tail would show itself"
    client.post("/api/events", b"{}", "application/json", headers={"X-Correlation-ID": "journey-1234"})
    [line] = collected.named("request_finished")
    assert (line["code"], line["level"], line["correlation_id"]) == (401, "warn", "journey-1234")


@pytest.mark.django_db
def test_nothing_of_one_request_is_on_the_lines_of_the_next(collected: Collector, client: Client) -> None:
    structlog.contextvars.bind_contextvars(left_over="from before")
    client.get("/api/health/live")
    log.info("afterwards")
    assert "left_over" not in collected.lines[-1]
    assert collected.lines[-1]["correlation_id"].startswith("trainu-command-")
