"""Every fault of the taxonomy at a real Sentry server: one issue each, with tags, and nothing personal."""

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
import sentry_sdk
from django.conf import settings as django_settings
from django.db import OperationalError
from django_q.tasks import async_task

from observability.errors import reporting, sentry
from observability.errors.units import unit_of_work
from tests import planted
from tests.journeys import bugsink
from tests.journeys.bugsink import Bugsink, CannotInstall
from tests.observability import failing
from tests.wsgi import ask
from trainu import correlation
from trainu.faults import (
    AuthFault,
    DatabaseFault,
    DataLossFault,
    DegradedFault,
    GHLWebhookFault,
    LLMFault,
    MassSendFault,
    Provider,
    SyncFault,
    UIFault,
)

PLAIN = (DataLossFault, MassSendFault, SyncFault, AuthFault, DatabaseFault, DegradedFault, UIFault)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bugsink]:
    """A Bugsink of this session. Where it cannot be installed the test is skipped, but never in CI."""
    try:
        with bugsink.running(django_settings.SHARED_DIR, tmp_path_factory.mktemp("bugsink")) as running:
            yield running
    except CannotInstall as reason:
        if os.environ.get("CI"):
            pytest.fail(f"Bugsink cannot be installed: {reason}")
        pytest.skip(f"Bugsink cannot be installed: {reason}")


@pytest.fixture
def on(server: Bugsink, settings: Any, transactional_db: None) -> Iterator[Bugsink]:
    settings.SENTRY_DSN = server.dsn
    settings.ROOT_URLCONF = "tests.observability.failing"
    sentry.configure()
    yield server
    sentry_sdk.get_client().close(timeout=5)
    sentry_sdk.get_global_scope().set_client(None)
    failing.PREPARED.clear()


def taxonomy() -> dict[tuple[str, ...], Callable[..., Exception]]:
    """Return how to make each fault, by the fingerprint it is to have."""
    made: dict[tuple[str, ...], Callable[..., Exception]] = {
        (kind.category, str(code)): partial(kind, code) for kind in PLAIN for code in kind.codes
    }
    for code in GHLWebhookFault.codes:
        event_type = "unverified" if code == "bad_signature" else "ContactUpdate"
        made["ghl-webhook", event_type, str(code)] = partial(GHLWebhookFault, "ContactUpdate", code)
    for provider, code in zip([*Provider, *Provider], LLMFault.codes, strict=False):
        made["llm", str(provider), str(code)] = partial(LLMFault, provider, code)
    return made


def unnamed(number: int) -> Exception:
    """Return a broken connection as Django raises it, under an exception of ours."""
    error = OperationalError(f"host '{planted.NAME}' {number}")
    error.__cause__ = psycopg.errors.ConnectionFailure(f"password of {planted.EMAIL}")
    outer = RuntimeError(f"{planted.EMAIL} {number}")
    outer.__cause__ = error
    return outer


def fail(number: int, make: Callable[..., Exception]) -> None:
    """Have one fault happen three times with other ids: in a request, in a task, and in a command."""
    failing.PREPARED[:] = [partial(make, job_id=f"job-{number}-web")]
    ask(
        "/failing-prepared/0/",
        query=f"email={planted.EMAIL}&token={planted.TOKEN}",
        body=json.dumps({"name": planted.NAME, "phone": planted.PHONE}).encode(),
        headers={
            "Cookie": planted.COOKIE,
            "Authorization": planted.TOKEN,
            "X-Correlation-ID": f"web-{number:05}",
        },
    )
    failing.PREPARED[:] = [partial(make, job_id=f"job-{number}-task")]
    with correlation.bound(f"task-{number:05}"), pytest.raises(Exception):  # noqa: B017, PT011
        async_task(
            "tests.observability.failing.prepared_task", 0, planted.EMAIL, name=planted.NAME, sync=True
        )
    with pytest.raises(Exception), unit_of_work("command", "purge", f"command-{number:05}"):  # noqa: B017, PT011
        held = {"email": planted.EMAIL, "name": planted.NAME}
        raise make(job_id=f"job-{number}-command") from KeyError(held["email"])
    sentry_sdk.flush(timeout=20)


def test_every_fault_is_one_issue_however_often_it_happens_and_says_nothing_of_people(on: Bugsink) -> None:
    expected = taxonomy()
    for number, make in enumerate(expected.values()):
        fail(number, make)
    for number in range(3):
        with unit_of_work("command", "purge", f"broken-{number:05}"):
            reporting.report(unnamed(number))
    sentry_sdk.flush(timeout=20)

    issues = {}
    for issue in on.rows("issues/?project=1&sort=last_seen"):
        [grouping] = on.rows(f"issues/{issue['id']}/grouping/")
        issues[tuple(grouping["grouping_key"].split(" ⋄ "))] = issue
    assert set(issues) == set(expected)
    levels = {"SEV1": "fatal", "SEV2": "error", "SEV3": "warning"}
    for number, (fingerprint, make) in enumerate(expected.items()):
        issue = issues[fingerprint]
        extra = 3 if fingerprint == ("db", "connection") else 0
        assert issue["digested_event_count"] == 3 + extra
        fault = make()
        tags: dict[str, set[str]] = {}
        for tag in on.rows(f"issues/{issue['id']}/tags/"):
            tags.setdefault(tag["key"], set()).add(tag["value"])
        assert tags["severity"] == {fault.severity}  # type: ignore[attr-defined]
        assert (tags["category"], tags["code"]) == ({fingerprint[0]}, {fingerprint[-1]})
        assert tags["runtime"] == {"web", "task", "command"}
        ids = {f"{kind}-{number:05}" for kind in ("web", "task", "command")}
        assert ids <= tags["correlation_id"]
        assert len(tags["correlation_id"]) == 3 + extra
        [newest, *_] = on.rows(f"events/?issue={issue['id']}")
        shown = on.get(f"events/{newest['id']}/")
        assert shown["data"]["level"] == levels[fault.severity]  # type: ignore[attr-defined]
        assert planted.found_in(json.dumps(shown, ensure_ascii=False)) == []
    stored = on.stored()
    assert len(stored) == 3 * len(expected) + 3
    assert all("fingerprint" in event for event in stored)
    assert [event for event in stored if planted.found_in(event)] == []
