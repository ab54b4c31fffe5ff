"""PostgreSQL goes away under a running web server: 503 meanwhile, nothing half done, well again after."""

import http.client
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import make, servers
from tests.journeys.conftest import ROOT, python_cache
from tests.journeys.database import eventually
from trainu.processes import web_command
from trainu.supervisor import Service, Supervisor


@pytest.fixture
def service(own_server: tuple[str, Any]) -> Any:
    """The web server on it: how to post an event, with the status and headers of the answer."""
    url, _ = own_server
    environment = python_cache() | {
        "DATABASE_URL": url,
        "TRAINU_SECRET_KEY": "only-for-this-journey-0123456789abcdefghijklmnopqr",
        "DJANGO_SETTINGS_MODULE": "trainu.settings",
        "TRAINU_LOG_LEVEL": "CRITICAL",
        "TRAINU_PROCESS": "web",
    }

    def manage(*arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        own = {**environment, "TRAINU_PROCESS": "command", "PATH": str(Path(sys.executable).parent)}
        return subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=True).stdout

    key = manage("create_api_key", "journey", "--scopes", "events:write").strip()
    port = servers.free_port()
    supervisor = Supervisor(
        [Service("Web server", web_command(port, workers=1, threads=4), environment)],
        folder=ROOT,
        say=lambda line: None,
    )
    supervisor.start()

    def post(event: dict[str, Any], *, with_key: str = key) -> tuple[int, dict[str, str], dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            headers = {"Authorization": f"Bearer {with_key}", "Content-Type": "application/json"}
            connection.request("POST", "/api/events", json.dumps(event), headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), json.loads(answer.read())
        except OSError:
            return 0, {}, {}
        finally:
            connection.close()

    yield post
    supervisor.shut_down()


def test_503_while_it_is_away_and_well_again_within_seconds(
    own_server: tuple[str, Any], service: Callable[..., Any]
) -> None:
    _, server = own_server
    first, second = make.event(), make.event()
    assert eventually(lambda: service(first)[0] == 200)
    server.stop()
    for attempt in (service(second), service(second, with_key="trainu_unknown_key")):
        status, headers, body = attempt
        assert (status, body["code"]) == (503, "database_unavailable")
        assert headers["content-type"] == "application/problem+json"
        assert int(headers["retry-after"]) >= 1
        assert body["correlation_id"] == headers["x-correlation-id"]
    server.start()
    answers: list[dict[str, Any]] = []

    def accepted() -> bool:
        status, _, body = service(second)
        answers.append(body)
        return bool(status == 200)

    assert eventually(accepted, 5)
    # The tries that were answered 503 have stored nothing; the first 200 stored it.
    stored = next(body for body in answers if "accepted" in body)
    assert stored == {"accepted": 1, "duplicates": 0, "rejected": []}
    assert service(first)[2]["duplicates"] == 1
