"""The demo's PostHog: a process that takes batches, and holds what `posthog_dashboards` brings to it."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.database import eventually
from tests.posthog_app import call
from tests.servers import free_port
from tests.settings import BASE_DIR
from trainu.demo.posthog_project import Project


@pytest.fixture
def url() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "trainu.demo.posthog", str(port)], cwd=BASE_DIR)
    try:
        assert eventually(lambda: answers(f"http://127.0.0.1:{port}/"), 20)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def answers(url: str) -> bool:
    try:
        return bool(asked(url))
    except OSError:
        return False


def asked(url: str, body: Any = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as answer:
        return json.loads(answer.read())


@pytest.mark.django_db
def test_dashboards_can_be_brought_to_it_and_events_still_count(url: str, settings: Any) -> None:
    settings.POSTHOG_PERSONAL_KEY, settings.POSTHOG_PROJECT_ID = "phx_demo", 1
    settings.POSTHOG_APP_HOST = url
    assert "0 as declared" in call("--dry-run")
    call()
    assert "0 to do." in call()
    assert asked(f"{url}/api/projects/1/dashboards/")["count"] == 4
    batch = {"batch": [{"uuid": "a"}, {"uuid": "b"}, {"uuid": "a"}]}
    assert asked(f"{url}/batch/", batch) == {"status": "Ok"}
    assert asked(url) == {"events": 2, "repeated": 1}


def test_it_is_as_strict_and_as_talkative_as_the_real_one() -> None:
    project = Project()
    path = "/api/projects/1/insights/"
    assert project.answer("POST", path, {"name": "x", "description": "y" * 401})[0] == 400
    query = {"kind": "Node", "none": None}
    status, made = project.answer("POST", path, {"name": " x ", "tags": ["a"], "query": query})
    assert (status, made["name"], made["tags"]) == (201, "x", [])
    assert made["query"] == {"kind": "Node", "version": 2}
    assert project.answer("PATCH", f"{path}{made['id']}/", {"deleted": True})[0] == 200
    assert project.answer("GET", f"{path}{made['id']}/")[0] == 404
    assert project.answer("GET", path)[1]["results"] == []
    assert project.answer("GET", "/api/projects/2/insights/")[0] == 404
