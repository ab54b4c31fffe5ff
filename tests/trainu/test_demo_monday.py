"""The demo's Monday: four causes, and what becomes of them when staff try again against the simulator."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from sync.dead_letters import letters
from sync.models import CauseGroup, DeadLetter, SyncAttempt
from tests.sync.working import Studio as Working
from trainu.demo import monday
from trainu.demo.ghl import Simulator
from trainu.demo.studios import Studio

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PARTS = 10


@pytest.fixture
def place(transactional_db: None) -> Iterator[Working]:
    with Simulator(seed=1, limits=False) as simulator:
        yield Working(simulator, id="loc-1")


def weekend(place: Working) -> int:
    contacts = tuple(place.contact(name) for name in ("ada", "mira2", "noraaa"))
    studio = Studio("loc-1", "Studio", SecretStr("pit-loc-1"), contacts, ())
    return monday.make([studio], now=place.clock.now, seed=7, parts=PARTS)


def test_four_causes_stand_there_once_with_what_was_tried(place: Working) -> None:
    assert weekend(place) == DeadLetter.objects.count() == monday.COUNT // PARTS == 120
    assert CauseGroup.objects.filter(state="open").count() == len(monday.TROUBLES) == 4
    for letter in DeadLetter.objects.select_related("job"):
        assert letter.job is not None
        tried = SyncAttempt.objects.filter(job_id=letter.job_id)
        assert tried.count() == letter.job.tries
        assert tried.earliest("started_at").started_at == letter.job.created_at <= letter.died_at
    assert weekend(place) == 0


def test_tried_again_the_outage_is_over_and_the_rest_is_refused_as_before(place: Working) -> None:
    weekend(place)
    tried = {}
    for trouble in monday.TROUBLES:
        group = CauseGroup.objects.get(subject=trouble.operation, code=trouble.code)
        tried[trouble] = DeadLetter.objects.filter(group=group).earliest("pk")
    letters.redrive([letter.pk for letter in tried.values()], by="staff:1", now=place.clock.now)
    for _ in range(3):
        place.work()
        place.clock.advance(minutes=2)
    for letter in tried.values():
        letter.refresh_from_db()
    assert tried[monday.OUTAGE].state == "recovered"
    assert [tried[one].state for one in monday.TROUBLES[1:]] == ["open"] * 3
