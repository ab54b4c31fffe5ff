"""Lanes when something of our own breaks or ends: nothing is lost by it, and nothing done twice."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError
from pydantic import SecretStr

from sync import signals
from sync.ghl.request import Request
from sync.ghl.transport import Carrier
from sync.lane import Lane
from sync.models import SyncJob
from sync.signals import AttemptEnded
from tests.sync.working import Studio
from trainu.demo.ghl import Simulator


@pytest.fixture
def studio(transactional_db: None) -> Iterator[Studio]:
    with Simulator(seed=1, limits=False) as simulator:
        yield Studio(simulator)


SMS = {"channel": "SMS", "message": "See you at nine."}


class Broken(Carrier):
    """Fails in our own code, with the request on its way."""

    async def send(self, request: Request, token: SecretStr | None, **options: Any) -> Any:
        raise ZeroDivisionError


@pytest.mark.parametrize(("operation", "is_lookup"), [("message.send", True), ("contact.delete", False)])
def test_when_our_own_code_breaks_what_may_have_been_sent_is_looked_up(
    studio: Studio, operation: str, is_lookup: bool
) -> None:
    contact = studio.contact()
    job = studio.enqueue(operation, SMS | {"contact_id": contact} if is_lookup else {"contact_id": contact})
    lane = Lane(Broken(studio.ghl.url), clock=studio.clock)
    asyncio.run(lane.run(lambda: lane.is_idle))
    assert studio.state(job) == ("waiting", "client_error", 1)
    assert SyncJob.objects.get(pk=job).is_lookup == is_lookup


@pytest.mark.parametrize(
    ("takes_ms", "state", "is_lookup"), [(200, "succeeded", False), (1500, "waiting", True)]
)
def test_a_lane_that_has_to_stop_settles_what_is_under_way(
    studio: Studio, takes_ms: int, state: str, is_lookup: bool
) -> None:
    """What does not end within the second that it has counts as maybe done."""
    contact = studio.contact()
    job = studio.enqueue("message.send", SMS | {"contact_id": contact})
    studio.ghl.fail("slow", ms=takes_ms)
    sent = studio.ghl.ledger.total(studio.id)
    lane = Lane(Carrier(studio.ghl.url), clock=studio.clock)
    asyncio.run(lane.run(lambda: studio.ghl.ledger.total(studio.id) > sent))
    row = SyncJob.objects.get(pk=job)
    assert (row.state, row.is_lookup, row.tries) == (state, is_lookup, 1)


class Counting(Carrier):
    """Counts how many requests are under way at a time."""

    under_way = most = 0

    async def send(self, request: Request, token: SecretStr | None, **options: Any) -> Any:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.01)
        self.under_way -= 1
        return await super().send(request, token, **options)


@pytest.mark.parametrize(("recovers", "most"), [(True, 1), (False, 3)])
def test_what_was_lost_is_tried_one_at_a_time(studio: Studio, recovers: bool, most: int) -> None:
    for number in range(3):
        studio.enqueue("contact.upsert", {"email": f"c{number}@example.org"})
    SyncJob.objects.update(is_suspect=recovers)
    carrier = Counting(studio.ghl.url)
    lane = Lane(carrier, clock=studio.clock, recovers=recovers)
    asyncio.run(lane.run(lambda: lane.is_idle))
    assert (carrier.most, set(SyncJob.objects.values_list("state", flat=True))) == (most, {"succeeded"})


@pytest.fixture
def deaf() -> Iterator[dict[str, list[Exception]]]:
    """Have a listener fail when it is told of a job: by email address, what it raises, one after another."""
    raised: dict[str, list[Exception]] = {}

    def listen(attempts: list[AttemptEnded], **_signal: Any) -> None:
        for one in attempts:
            if errors := raised.get(SyncJob.objects.get(pk=one.job_id).payload["email"]):
                raise errors.pop()

    signals.attempts_ended.connect(listen)
    yield raised
    signals.attempts_ended.disconnect(listen)


def test_an_outcome_that_cannot_be_settled_takes_no_other_with_it(
    studio: Studio, deaf: dict[str, list[Exception]]
) -> None:
    jobs = [studio.enqueue("contact.upsert", {"email": f"c{number}@example.org"}) for number in range(3)]
    deaf["c1@example.org"] = [ZeroDivisionError(), ZeroDivisionError()]
    studio.work()
    assert [studio.state(job)[0] for job in jobs] == ["succeeded", "leased", "succeeded"]


def test_what_has_ended_while_the_database_is_away_is_settled_when_it_is_back(
    studio: Studio, deaf: dict[str, list[Exception]]
) -> None:
    job = studio.enqueue("contact.upsert", {"email": "c1@example.org"})
    deaf["c1@example.org"] = [OperationalError()]
    studio.work()
    assert studio.state(job) == ("succeeded", "ok", 1)
    assert studio.ghl.ledger.total(studio.id) == 1
