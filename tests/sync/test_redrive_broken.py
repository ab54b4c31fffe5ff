"""Ten thousand dead letters sent again into a GoHighLevel that is still broken: a handful of calls."""

from collections.abc import Iterator

import pytest
from django.db import transaction

from sync.dead_letters import bulk, ramp
from sync.dead_letters.chosen import Chosen
from sync.models import BulkItem, BulkOperation, DeadLetter, SyncJob
from tests.sync import dying
from tests.sync.working import Studio
from trainu.demo.ghl import Simulator

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def studio(transactional_db: None) -> Iterator[Studio]:
    with Simulator(seed=1, limits=False) as simulator:
        yield Studio(simulator, id="loc-1")


def run(studio: Studio, operation: BulkOperation, *, rounds: int) -> None:
    """Let the dead letter lane and a sync lane work in turns."""
    for _ in range(rounds):
        ramp.step(now=studio.clock.now)
        studio.work()
        studio.clock.advance(seconds=2)
    operation.refresh_from_db()


# Ten thousand once; the limit on calls is the same for the others.
@pytest.mark.parametrize(
    ("fault", "look_first", "count"),
    [
        ("422", True, 400),
        ("422", False, 400),
        ("503", True, 400),
        ("503", False, 10_000),
        ("down", True, 400),
        ("down", False, 400),
    ],
)
def test_a_cause_that_is_still_there_stops_the_redrive_after_a_handful_of_calls(
    studio: Studio, fault: str, look_first: bool, count: int
) -> None:
    with transaction.atomic():
        dying.dead_letters(count)
    studio.ghl.fail(fault)
    operation = bulk.start(
        "redrive",
        Chosen(),
        by="staff:1",
        reason="GoHighLevel says it is mended",
        shown_count=count,
        confirmed_count=count,
        now=studio.clock.now,
        look_first=look_first,
    )
    run(studio, operation, rounds=6)
    assert 1 <= studio.ghl.ledger.total(studio.id) <= 11
    assert operation.state == "stopped"
    assert BulkItem.objects.filter(operation=operation, state="pending").count() >= count - 11
    assert DeadLetter.objects.filter(state="open").count() == count


def test_once_the_cause_is_gone_it_resumes_and_all_recover(studio: Studio) -> None:
    contact = studio.contact()
    with transaction.atomic():
        ids = dying.dead_letters(40)
    with_contact(contact)
    studio.ghl.fail("422")
    operation = bulk.start(
        "redrive", Chosen(), by="staff:1", reason="Again", shown_count=len(ids), now=studio.clock.now
    )
    run(studio, operation, rounds=3)
    assert operation.state == "stopped"
    studio.ghl.heal()
    bulk.resume(operation.pk, by="staff:1")
    run(studio, operation, rounds=12)
    assert operation.state == "done"
    assert DeadLetter.objects.filter(state="recovered").count() == len(ids) - 1


def with_contact(contact: str) -> None:
    """Let the dead jobs be about somebody who exists."""
    SyncJob.objects.filter(state="dead").update(payload={"contact_id": contact, "first_name": "Mira"})
