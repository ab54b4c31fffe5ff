"""The supervisor brings back what dies, ever more slowly, and takes everything along when it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journeys.database import eventually
from trainu import supervisor
from trainu.supervisor import Service, Supervisor

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervise(tmp_path: Path, said: list[str]) -> Iterator[Callable[[str], Supervisor]]:
    """Make a supervisor of shell scripts; whatever is left of them in the end is killed."""
    made: list[Supervisor] = []

    def of(*scripts: str) -> Supervisor:
        services = [
            Service(f"service {number}", ["/bin/sh", "-c", script], {"FOLDER": str(tmp_path)})
            for number, script in enumerate(scripts)
        ]
        made.append(Supervisor(services, folder=tmp_path, say=said.append))
        return made[-1]

    yield of
    for one in made:
        one.shut_down()


def pid(service: Service) -> int:
    assert service.process is not None
    return service.process.pid


def runs(number: int) -> bool:
    """Tell whether a process is there and not a zombie."""
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def written(path: Path) -> int:
    """Return the process id that a script writes into a file, once it is there."""
    assert eventually(lambda: path.exists() and path.read_text().strip() != "")
    return int(path.read_text())


def test_what_dies_is_started_again_after_a_pause_that_grows(
    supervise: Callable[[str], Supervisor], said: list[str]
) -> None:
    one = supervise("exit 3")
    [service] = one.services
    one.start()

    def pause_after_death() -> int:
        one.watch(until=lambda: service.start_again_at is not None)
        assert service.start_again_at is not None
        return round(service.start_again_at - time.monotonic())

    pauses = []
    for _ in range(3):
        pauses.append(pause_after_death())
        dead = service.process
        one.watch(until=iter([False, True]).__next__)
        assert service.process is dead, "it was started before its time"
        service.start_again_at = time.monotonic()
        one.watch(until=iter([False, True]).__next__)
        assert service.process is not dead
    assert pauses == [1, 2, 4]
    service.deaths = 20
    assert pause_after_death() == 30
    assert said[0] == "service 0 ended with 3; it starts again in 1 s."


def test_what_ran_for_a_while_before_it_died_starts_again_soon(
    supervise: Callable[[str], Supervisor],
) -> None:
    one = supervise("sleep 60")
    [service] = one.services
    one.start()
    service.deaths = 5
    service.started_at -= supervisor.WELL_AFTER_S
    os.kill(pid(service), signal.SIGKILL)
    one.watch(until=lambda: service.start_again_at is not None)
    assert service.start_again_at is not None
    assert service.start_again_at - time.monotonic() <= 1


def test_one_death_does_not_touch_the_others(supervise: Callable[..., Supervisor]) -> None:
    one = supervise("sleep 60", "sleep 60")
    one.start()
    first, second = map(pid, one.services)
    os.kill(first, signal.SIGKILL)
    one.watch(until=lambda: one.services[0].start_again_at is not None)
    assert (runs(first), runs(second)) == (False, True)


def test_what_a_dead_process_leaves_behind_is_ended_before_its_successor_starts(
    supervise: Callable[[str], Supervisor], tmp_path: Path
) -> None:
    one = supervise('sleep 60 & echo $! > "$FOLDER/child"; wait')
    [service] = one.services
    one.start()
    orphan = written(tmp_path / "child")
    os.kill(pid(service), signal.SIGKILL)
    one.watch(until=lambda: service.start_again_at is not None)
    assert eventually(lambda: not runs(orphan), 2)


def test_the_end_takes_along_what_died_unnoticed(
    supervise: Callable[[str], Supervisor], tmp_path: Path
) -> None:
    one = supervise('sleep 60 & echo $! > "$FOLDER/child"; wait')
    one.start()
    orphan = written(tmp_path / "child")
    leader = pid(one.services[0])
    os.kill(leader, signal.SIGKILL)
    assert eventually(lambda: not runs(leader), 2)
    one.shut_down()
    assert eventually(lambda: not runs(orphan), 2)


def test_a_process_that_does_not_stop_is_ended_with_its_children(
    supervise: Callable[[str], Supervisor],
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "STOP_S", 0.3)
    one = supervise('trap "" TERM; sleep 60 & echo $! > "$FOLDER/child"; while true; do sleep 60; done')
    one.start()
    child = written(tmp_path / "child")
    leader = pid(one.services[0])
    one.shut_down()
    assert not runs(leader)
    assert eventually(lambda: not runs(child), 2)
    assert said == ["service 0 did not stop in 0 s and was ended."]


def test_only_the_leader_is_asked_to_stop_so_its_helpers_finish_their_work(
    supervise: Callable[[str], Supervisor], tmp_path: Path
) -> None:
    one = supervise(
        '(echo 1 > "$FOLDER/started"; sleep 0.5; echo done > "$FOLDER/work") & trap "wait; exit 0" TERM; wait'
    )
    one.start()
    written(tmp_path / "started")
    one.shut_down()
    assert (tmp_path / "work").read_text() == "done\n"
    assert one.services[0].process is not None
    assert one.services[0].process.returncode == 0


def test_processes_do_not_outlive_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from trainu.supervisor import *\n"
        "one = Supervisor([Service('s', ['/bin/sh', '-c', 'echo $$ > child; exec sleep 60'], {})],"
        f" folder=Path({str(tmp_path)!r}), say=print)\n"
        "one.start(); one.watch()"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    child = written(tmp_path / "child")
    assert runs(child)
    process.kill()
    process.wait(10)
    assert eventually(lambda: not runs(child), 5)
