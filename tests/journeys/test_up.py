"""One command runs everything: `manage.py up`, as a newcomer starts it, with nothing configured.

One journey, because a start costs seconds: the first run lives through what a day brings and is ended
by TERM; the second one, on the same data, by the Ctrl-C of somebody who does not wait until it is ready.
"""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests import make, servers
from tests.journeys.conftest import ROOT, python_cache
from tests.journeys.database import eventually

STOPPED_WITHIN_S = 9.0


class Up:
    """A running `manage.py up`, seen from outside."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.environment = environment | {"TRAINU_DATA_DIR": str(folder / "data")}
        self.folder = folder
        self.port = servers.free_port()
        self.log = folder / f"up-{self.port}.log"
        with self.log.open("wb") as stderr, (folder / "service.log").open("ab") as stdout:
            # A group of its own, as a shell gives it: Ctrl-C goes to the whole group.
            self.process = subprocess.Popen(
                self.command("up", "--port", str(self.port)),
                cwd=ROOT,
                env=self.environment,
                stdout=stdout,
                stderr=stderr,
                process_group=0,
            )

    @staticmethod
    def command(*words: str) -> list[str]:
        return [sys.executable, "manage.py", *words]

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another command on the same data."""
        return subprocess.run(
            self.command(*words),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def says(self, words: str, seconds: float = 60.0) -> bool:
        """Wait until it says so; fail at once when it ends instead."""
        eventually(lambda: words in self.log.read_text() or self.process.poll() is not None, seconds)
        return words in self.log.read_text()

    def get(self, path: str, key: str = "") -> tuple[int, dict[str, str], str]:
        return self.ask("GET", path, None, key)

    def post(self, body: Any, key: str) -> dict[str, Any]:
        status, _, answer = self.ask("POST", "/api/events", json.dumps(body).encode(), key)
        assert status == 200, answer
        return json.loads(answer)

    def ask(self, method: str, path: str, body: bytes | None, key: str) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read().decode()
        finally:
            connection.close()

    def answers(self) -> bool:
        try:
            return self.get("/api/health/live")[0] == 200
        except OSError:
            return False

    def health(self, key: str = "") -> dict[str, Any]:
        return json.loads(self.get("/api/health", key)[2])

    def web_server(self) -> int:
        """Return the process id of granian's first process."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        [found] = [pid for pid in children if b"granian" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return int(found)

    def left(self) -> list[str]:
        """Return the command lines of all processes that work on this folder, PostgreSQL's among them."""
        wanted = self.environment["TRAINU_DATA_DIR"].encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
                named = wanted in command or wanted in (process / "environ").read_bytes()
            except OSError:
                continue
            if named and int(process.name) != os.getpid():
                found.append(command.replace(b"\0", b" ").decode())
        return found

    def stopped_by(self, stop: Any) -> float:
        """Stop it; return how long it took."""
        began = time.monotonic()
        stop()
        self.process.wait(60)
        return time.monotonic() - began

    def kill(self) -> None:
        """Leave nothing behind, whatever has happened: supervised processes die with their parent."""
        try:
            self.process.terminate()
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()


def test_one_command_runs_everything_and_stops_without_a_trace(tmp_path: Path) -> None:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TRAINU_", "POSTHOG_", "DATABASE_URL", "DJANGO_"))
    }
    with servers.posthog() as posthog:
        configured = {"POSTHOG_API_KEY": "phc_test", "POSTHOG_HOST": posthog.url}
        environment = inherited | python_cache() | configured
        event = make.event()
        up = Up(tmp_path, environment)
        try:
            lives_through_a_day(up, posthog, event)
            took = up.stopped_by(lambda: up.process.send_signal(signal.SIGTERM))
            has_ended_well(up, took)
        finally:
            up.kill()
        again = Up(tmp_path, environment)
        try:
            assert again.says("Starting web server and workers"), again.log.read_text()
            took = again.stopped_by(lambda: os.killpg(again.process.pid, signal.SIGINT))
            has_ended_well(again, took)
        finally:
            again.kill()
        assert posthog.uuids.count(event["uuid"]) == 1


def lives_through_a_day(up: Up, posthog: servers.PostHogServer, event: dict[str, Any]) -> None:
    """Everything that a newcomer tries, and a crash."""
    assert up.says(f"Ready: http://127.0.0.1:{up.port}/"), up.log.read_text()
    assert up.says("Ctrl-C stops everything.", 5)
    assert re.search(r"PostHog\s+on\b", up.log.read_text())
    leads_to_the_admin_and_shows_the_api(up)

    os.kill(up.web_server(), signal.SIGKILL)
    assert up.says("Web server ended with -9; it starts again", 10)
    made = up.manage("create_api_key", "booking-app", "--scopes", "events:write,health:read")
    assert made.returncode == 0, made.stderr
    key = made.stdout.removesuffix("\n")
    assert key.startswith("trainu_")
    assert key == "".join(key.split())
    assert eventually(up.answers, 30)

    assert up.post(event, key) == {"accepted": 1, "duplicates": 0, "rejected": []}
    assert up.post(event, key)["duplicates"] == 1
    assert eventually(lambda: event["uuid"] in posthog.uuids, 30)
    assert eventually(lambda: up.health()["status"] == "pass", 30), up.health(key)
    assert up.health(key)["checks"]["posthog"][0]["state"] == "on"
    assert up.health() == {"status": "pass"}

    second = up.manage("up", "--port", str(up.port))
    assert (second.returncode, second.stdout) == (1, "")
    assert f"Port {up.port} on 127.0.0.1 is taken" in second.stderr
    assert "Traceback" not in second.stderr


def leads_to_the_admin_and_shows_the_api(up: Up) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{up.port}/", timeout=20) as page:
        assert page.url == f"http://127.0.0.1:{up.port}/admin/login/?next=/admin/"
        assert b'type="password"' in page.read()
    status, headers, _ = up.get("/api/docs")
    assert (status, headers["content-type"].partition(";")[0]) == (200, "text/html")
    document = json.loads(up.get("/api/openapi.json")[2])
    assert "/api/events" in document["paths"]


def has_ended_well(up: Up, took: float) -> None:
    said = up.log.read_text()
    assert up.process.returncode == 0, said
    assert re.search(r"^Stopped( before it was ready)?\.$", said.rstrip().splitlines()[-1])
    assert "Traceback" not in said
    assert took < STOPPED_WITHIN_S
    assert up.left() == []
    assert not (Path(up.environment["TRAINU_DATA_DIR"]) / "postgres" / "postmaster.pid").exists()
