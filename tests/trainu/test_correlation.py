"""One id through a request and its tasks; a harmful one never gets in."""

import pytest
import structlog
from django.test import Client
from django_q.models import OrmQ
from django_q.signing import SignedPackage
from django_q.tasks import async_task
from hypothesis import given
from hypothesis import strategies as st

from observability import task_context
from observability.audit import actor
from trainu import correlation

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def answered(client: Client, **headers: str) -> str:
    return str(client.get("/api/health/live", headers=headers)["X-Correlation-ID"])


def test_a_sane_id_is_kept(client: Client) -> None:
    assert answered(client, **{"X-Correlation-ID": "journey-1234"}) == "journey-1234"
    assert answered(client, **{"X-Request-ID": "request-1234"}) == "request-1234"


def test_the_trace_id_of_a_traceparent_is_kept(client: Client) -> None:
    assert answered(client, traceparent=f"00-{TRACE}-00f067aa0ba902b7-01") == TRACE
    assert answered(client, traceparent=f"00-{'0' * 32}-00f067aa0ba902b7-01") != "0" * 32


@pytest.mark.parametrize(
    "evil", ["short", "x" * 65, 'a"}\n{"level":"error', "has space in it", "someone@example.org", "é" * 10]
)
def test_an_insane_id_is_replaced(client: Client, evil: str) -> None:
    kept = answered(client, **{"X-Correlation-ID": evil})
    assert kept != evil
    assert len(kept) == 32


@given(st.text(max_size=80))
def test_only_harmless_characters_are_ever_accepted(candidate: str) -> None:
    accepted = correlation.accept(candidate)
    assert accepted is None or (accepted.isascii() and accepted.replace("_", "a").isprintable())


def test_an_error_answer_carries_it_too(client: Client) -> None:
    answer = client.get("/api/nowhere", headers={"X-Correlation-ID": "journey-1234"})
    assert (answer.status_code, answer.json()["correlation_id"]) == (404, "journey-1234")


def test_it_does_not_leak_into_the_next_request(client: Client) -> None:
    first = answered(client)
    assert answered(client) != first
    assert correlation.current() == ""


@pytest.mark.django_db
def test_a_task_inherits_the_id_of_what_enqueued_it() -> None:
    with correlation.bound("journey-1234"):
        async_task("observability.tasks.keep_partitions")
    package = SignedPackage.loads(OrmQ.objects.get().payload)
    task_context.on_start(task=package, func=None)
    assert correlation.current() == "journey-1234"
    task_context.on_end(task=package | {"success": True})
    assert correlation.current() == ""


@pytest.mark.django_db
def test_a_task_knows_who_asked_for_it_and_the_next_one_does_not() -> None:
    with structlog.contextvars.bound_contextvars(user_id="staff:7"):
        async_task("observability.tasks.keep_partitions")
    package = SignedPackage.loads(OrmQ.objects.get().payload)
    task_context.on_start(task=package, func=None)
    assert structlog.contextvars.get_contextvars()["user_id"] == "staff:7"
    assert actor.current() == "staff:7"
    task_context.on_end(task=package | {"success": True})
    task_context.on_start(task={"func": "x"}, func=None)
    assert "user_id" not in structlog.contextvars.get_contextvars()
    assert actor.current() == "system"
    task_context.on_end(task={"func": "x", "success": True})
