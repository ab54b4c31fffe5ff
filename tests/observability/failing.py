"""Views and tasks that fail with something personal in hand, for tests of what leaves the service."""

import os
import signal
import time
from collections.abc import Callable

import sentry_sdk
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from tests import planted
from trainu.faults import DegradedFault, SyncFault
from trainu.urls import urlpatterns as real


def view(request: HttpRequest, who: str) -> HttpResponse:
    """Fail as a view of ours would: with the request's data in local variables and in the message."""
    body = request.body.decode() + who
    contact = {"email": planted.EMAIL, "name": planted.NAME}
    sentry_sdk.add_breadcrumb(message=f"asked by {planted.EMAIL}", category="query", data=contact)
    sentry_sdk.set_tag("contact", planted.EMAIL)
    sentry_sdk.set_user({"id": "42", "email": planted.EMAIL, "username": planted.NAME})
    sentry_sdk.set_context("contact", contact)
    sentry_sdk.set_extra("contact", contact)
    raise ValueError(f"no trainer for '{planted.NAME}' <{planted.EMAIL}>, {planted.PHONE}: {len(body)}")


# What the next request or task raises, by number; a test puts it here.
PREPARED: list[Callable[[], Exception]] = []


def prepared_view(request: HttpRequest, number: int) -> HttpResponse:
    """Raise what a test has prepared, from an exception that quotes the request."""
    contact = f"{planted.EMAIL} {planted.PHONE} {request.body.decode()}"
    raise PREPARED[number]() from LookupError(f"no contact '{planted.NAME}' {contact}")


def prepared_task(number: int, email: str, **named: str) -> None:
    """Raise what a test has prepared, from what PostgreSQL says about a row."""
    try:
        sql_task(email)
    except IntegrityError as error:
        raise PREPARED[number]() from error


def sql_view(_request: HttpRequest) -> HttpResponse:
    """Fail in PostgreSQL, whose message quotes the row."""
    sql_task(planted.EMAIL)
    return HttpResponse()


def sql_task(email: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "create temporary table person (email text, name text check (name = '')) on commit drop"
        )
        cursor.execute("insert into person values (%s, %s)", [email, planted.NAME])


def task(number: int, marks: bool, email: str, **_named: str) -> None:
    """Fail after leaving a mark on Sentry's scopes, or without one."""
    if marks:
        sentry_sdk.set_tag("mark", str(number))
        sentry_sdk.add_breadcrumb(message=f"mark {number}")
        sentry_sdk.get_current_scope().set_transaction_name(f"mark-{number}")
    raise SyncFault("unavailable", job_id=f"job-{number}", contact_email=email) from LookupError(email)


def slow_task(email: str) -> None:
    """Take longer than django-q2 allows."""
    held = [email]
    time.sleep(60)
    held.clear()


def killed() -> None:
    """Die as a process does that uses too much memory: at once, with a task in hand."""
    os.kill(os.getpid(), signal.SIGKILL)


def late() -> None:
    raise DegradedFault("queue_late")


urlpatterns = [
    path("failing-prepared/<int:number>/", csrf_exempt(prepared_view)),
    path("failing/<str:who>/", csrf_exempt(view)),
    path("failing-sql/", sql_view),
    *real,
]
