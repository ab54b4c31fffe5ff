"""Promise 1: a 200 means committed. The web server is killed outright in the middle of a storm."""

import http.client
import json
import os
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from observability import api_keys
from tests import make
from tests.journeys.database import eventually
from trainu.supervisor import Supervisor

CLIENTS = 6
BATCH = 20


@dataclass(eq=False)
class Client(threading.Thread):
    """An app that sends batch after batch, and repeats one, with the same uuids, until it is answered 200."""

    port: int
    key: str
    stop: threading.Event
    acknowledged: list[str] = field(default_factory=list)
    broken: int = 0
    resent: int = 0
    strange: list[tuple[int, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def run(self) -> None:
        while not self.stop.is_set():
            events = [event | {"timestamp": timezone.now().isoformat()} for event in make.events(BATCH)]
            body = json.dumps({"batch": events}).encode()
            while not self.send(body):
                self.broken += 1
                time.sleep(0.02)
            self.acknowledged += [event["uuid"] for event in events]

    def send(self, body: bytes) -> bool:
        """Send a body over a new connection; tell whether it was answered with 200."""
        caller = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            caller.request("POST", "/api/events", body, headers)
            response = caller.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            caller.close()
        if response.status != 200:
            self.strange.append((response.status, answer))
            return False
        counts = json.loads(answer)
        assert counts["accepted"] + counts["duplicates"] == BATCH
        self.resent += counts["duplicates"]
        return True


def kill_workers(leader: int) -> int:
    """Kill the processes that serve, and leave the one that guards them."""
    children = children_of(leader)
    for child in children:
        os.kill(child, signal.SIGKILL)
    return len(children)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill_group(leader: int) -> int:
    """Kill everything that belongs to the web server at once."""
    os.killpg(leader, signal.SIGKILL)
    return 1


def test_a_web_server_that_is_still_starting_stops_at_once(web: tuple[int, Supervisor]) -> None:
    """A worker that lost the TERM while it loads would keep everybody waiting until granian kills it."""
    leader = web[1].services[0].process
    assert leader is not None
    assert eventually(lambda: len(children_of(leader.pid)) == 2)
    assert eventually(lambda: not any(map(catches_term, children_of(leader.pid))), 5)
    began = time.monotonic()
    leader.terminate()
    leader.wait(20)
    assert time.monotonic() - began < 5


def catches_term(pid: int) -> bool:
    """Tell whether a process handles TERM itself: with Python's means, or granian's, but not by ending."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught & 1 << signal.SIGTERM - 1)


@pytest.mark.parametrize("kill", [kill_workers, kill_group])
def test_every_200_of_a_storm_is_stored_once_when_the_web_server_is_killed(
    web: tuple[int, Supervisor], kill: object
) -> None:
    port, supervisor = web
    _, key = api_keys.issue("storm", ["events:write"], limit_per_minute=0)
    stop = threading.Event()
    clients = [Client(port, key, stop) for _ in range(CLIENTS)]

    def more_than(each: list[int], batches: int) -> bool:
        return all(
            len(client.acknowledged) >= had + batches * BATCH
            for client, had in zip(clients, each, strict=True)
        )

    def go_on(batches: int) -> None:
        """Let the storm go on until each client has that many more batches answered."""
        had = [len(client.acknowledged) for client in clients]
        deadline = time.monotonic() + 30
        supervisor.watch(until=lambda: more_than(had, batches) or time.monotonic() > deadline)
        assert more_than(had, batches), "the web server did not come back"

    for client in clients:
        client.start()
    go_on(5)
    broken = sum(client.broken for client in clients)
    leader = supervisor.services[0].process
    assert leader is not None
    assert kill(leader.pid)
    go_on(5)
    stop.set()
    for client in clients:
        client.join(20)
        assert not client.is_alive()

    assert sum(client.broken for client in clients) > broken, "the kill hit no client"
    assert [client.strange for client in clients if client.strange] == []
    acknowledged = Counter(uuid for client in clients for uuid in client.acknowledged)
    with connection.cursor() as cursor:
        cursor.execute("select uuid::text from observability_event")
        stored = Counter(uuid for (uuid,) in cursor.fetchall())
    assert stored == acknowledged
    assert set(stored.values()) == {1}
