"""A cluster's pulse: what is a standstill and what is not, and settings under which a busy one is none."""

import pytest
from django.conf import settings
from django_q.conf import Conf
from django_q.signing import SignedPackage
from django_q.tasks import async_task
from hypothesis import given
from hypothesis import strategies as st

from observability.models import Heartbeat
from trainu import lanes, pulse, schedules
from trainu.pulse import Part, PingingBroker, Watch

# The guard gives a task so long after its time limit.
GRACE_S = 3


def looks(watch: Watch, *, seconds: int, moving: set[Part], every_s: float = 1.0) -> Part | None:
    """Look for a while at a cluster some of whose parts move; return what the last look found."""
    found = None
    for number in range(int(seconds / every_s) + 1):
        now = 1_000.0 + number * every_s
        found = watch.look({part: now if part in moving else 5.0 for part in Part}, now=now)
    return found


def test_a_cluster_whose_parts_all_move_stands_not_still() -> None:
    assert looks(Watch(silent_s=120), seconds=1_000, moving=set(Part)) is None


@pytest.mark.parametrize("silent", Part)
def test_one_part_that_does_not_move_is_a_standstill_and_has_its_name(silent: Part) -> None:
    moving = set(Part) - {silent}
    assert looks(Watch(silent_s=120), seconds=120, moving=moving) is None
    assert looks(Watch(silent_s=120), seconds=122, moving=moving) is silent


def test_a_cluster_that_was_asleep_as_a_whole_was_not_silent() -> None:
    watch = Watch(silent_s=120)
    assert watch.look(dict.fromkeys(Part, 5.0), now=10) is None
    # Ctrl-Z, a suspended virtual machine: nobody has looked for hours.
    assert watch.look(dict.fromkeys(Part, 5.0), now=50_000) is None
    assert watch.look(dict.fromkeys(Part, 50_001.0), now=50_001) is None


@given(st.lists(st.tuples(st.sampled_from([*Part, None]), st.floats(0.1, 4.0)), max_size=300))
def test_whoever_gave_a_sign_within_the_time_is_never_named(steps: list[tuple[Part | None, float]]) -> None:
    watch, now = Watch(silent_s=10), 0.0
    signs = dict.fromkeys(Part, 0.0)
    for part, seconds in steps:
        now += seconds
        if part:
            signs[part] = now
        found = watch.look(signs, now=now)
        assert found is None or now - signs[found] > 10


def test_a_ping_goes_first_and_then_what_waits_in_the_queue(db: None) -> None:
    async_task("math.sqrt", 4)
    broker = PingingBroker(ping_every_s=1_000)
    [(row, package)] = broker.dequeue()
    assert row is None
    assert pulse.is_ping(SignedPackage.loads(package))
    [(row, package)] = broker.dequeue()
    assert row is not None
    assert not pulse.is_ping(SignedPackage.loads(package))


def test_a_ping_writes_a_sign_of_life_under_the_name_of_its_cluster(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for host in ("worker-1", "a-host-with-a-name-" * 10):
        monkeypatch.setattr(lanes, "cluster", f"{host}:17")
        pulse.ping()
    names = list(Heartbeat.objects.values_list("name", flat=True))
    assert "cluster worker-1:17" in names
    assert len(names) == 2


def test_a_busy_cluster_moves_before_it_is_taken_for_standing_still() -> None:
    assert pulse.SILENT_S > Conf.TIMEOUT + GRACE_S


def test_a_task_that_waits_in_memory_is_not_given_out_a_second_time() -> None:
    in_memory = Conf.QUEUE_LIMIT + Conf.BULK
    # So each of them finds a worker as soon as the tasks now running have ended.
    assert in_memory <= 4 <= settings.Q_CLUSTER["workers"]
    assert Conf.RETRY >= 2 * (Conf.TIMEOUT + GRACE_S) + 10


def test_there_are_workers_for_each_lane_beside_its_successor_and_some_for_the_rest() -> None:
    assert settings.Q_CLUSTER["workers"] >= 2 * len(schedules.lanes()) + 6
