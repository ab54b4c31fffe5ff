"""GoHighLevel is down for six hours while jobs go on arriving: none dies of it, and the drain is no flood."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db.models import Min
from pydantic import SecretStr

from sync import breaker, credentials, jobs, lane
from sync.models import Breaker, Location, SyncJob
from tests.sync.working import NOW, PATIENT, Studio
from trainu.demo.ghl import Simulator

OUTAGE = timedelta(hours=6)
SECOND = timedelta(seconds=1)
# How many new contacts come at a time. The first location is so busy that its drain takes half a minute.
BUSY = "studio00000000000001"
LOCATIONS = {BUSY: 11, "studio00000000000002": 2, "studio00000000000003": 2}
ROUNDS = 24
BURST = 95
GHL_BURST = 100
# The breaker's questions, ever further apart up to five minutes; and what was in hand when it opened.
MOST_CALLS = OUTAGE / timedelta(seconds=breaker.LONGEST_PAUSE_S) + 5 + BURST * 0.2


@pytest.fixture
def studio(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    # A lane ends here when it has found nothing: it need not wait for what comes.
    monkeypatch.setattr(lane, "POLL_S", 0.005)
    with Simulator(seed=1, limits=True) as simulator:
        # One answer that came too late would, in the drain, hold everything for five minutes more.
        studio = Studio(simulator, BUSY, burst=BURST, timeouts=PATIENT)
        for location_id in LOCATIONS.keys() - {BUSY}:
            simulator.location(location_id, token=f"pit-{location_id}")
            Location.objects.create(pk=location_id, name="Studio", created_at=NOW, burst_limit=BURST)
            credentials.hold_private(location_id, SecretStr(f"pit-{location_id}"), now=NOW)
        yield studio


def go_to(studio: Studio, then: datetime) -> None:
    """Set both clocks: GoHighLevel's window must not profit from the time that the test takes."""
    studio.clock.now = then
    studio.ghl.clock.advance(then.timestamp() - studio.ghl.clock.now())


def arrive(studio: Studio, round_: int, contacts: dict[str, str]) -> None:
    """Let new jobs come, of every kind: what can be repeated, looked up, and neither."""
    for location_id, many in LOCATIONS.items():
        contact = contacts[location_id]
        # The first round opens the breaker everywhere: it takes five failures within a minute.
        new = range(many if round_ else max(many, breaker.OPENS_AFTER))
        given = [("contact.upsert", {"email": f"c{round_}-{number}@example.org"}) for number in new]
        given.append(("note.create", {"contact_id": contact, "body": f"Note {round_}"}))
        if round_:
            # One that was under way when it broke down would be left to a person.
            text = {"channel": "SMS", "contact_id": contact, "message": f"Message {round_}"}
            given.append(("message.send", text))
        for operation, payload in given:
            jobs.enqueue(operation, location_id, payload, now=studio.clock.now)


def settle_in(studio: Studio) -> dict[str, str]:
    """Return a contact of each location."""
    person = {"email": "ada@example.org", "phone": "+12025550143"}
    made = {id: jobs.enqueue("contact.upsert", id, person, now=NOW).job_id for id in LOCATIONS}
    studio.work()
    return {id: str(SyncJob.objects.get(pk=job).result["contact_id"]) for id, job in made.items()}


def arrived(studio: Studio) -> dict[str, int]:
    return {location_id: studio.ghl.ledger.total(location_id) for location_id in LOCATIONS}


def live_through(studio: Studio, contacts: dict[str, str]) -> None:
    """Let the outage pass, from one of the breaker's questions to the next."""
    ends, every = studio.clock.now + OUTAGE, OUTAGE / ROUNDS
    next_round = 0
    while studio.clock.now < ends:
        if studio.clock.now >= ends - OUTAGE + next_round * every:
            arrive(studio, next_round, contacts)
            next_round += 1
        studio.work()
        held = Breaker.objects.filter(state=Breaker.State.OPEN).values_list("probe_at", flat=True)
        assert len(held) == len(LOCATIONS), "the breakers hold"
        go_to(studio, max(studio.clock.now + SECOND, min(at for at in held if at)))
    assert next_round == ROUNDS


def drain(studio: Studio) -> timedelta:
    """Work until everything has ended; return how long that took."""
    began = studio.clock.now
    while (due := SyncJob.objects.filter(state="waiting").aggregate(at=Min("next_at"))["at"]) is not None:
        assert studio.clock.now - began < timedelta(minutes=10), "it does not end"
        go_to(studio, max(due, studio.clock.now + SECOND))
        studio.work()
    return studio.clock.now - began


def test_six_hours_without_gohighlevel_kill_no_job_and_the_drain_stays_below_its_limit(
    studio: Studio,
) -> None:
    ghl = studio.ghl
    contacts = settle_in(studio)
    before = arrived(studio)
    ghl.fail("503")
    live_through(studio, contacts)

    assert set(SyncJob.objects.values_list("state", flat=True)) == {"waiting", "succeeded"}
    assert max(SyncJob.objects.values_list("tries", flat=True)) == 1
    for location_id, calls in arrived(studio).items():
        assert calls - before[location_id] <= MOST_CALLS
    waited = SyncJob.objects.filter(state="waiting", location_id=BUSY).count()
    assert waited > 3 * GHL_BURST, "enough for a flood"

    ghl.heal()
    took = drain(studio)
    assert set(SyncJob.objects.values_list("state", flat=True)) == {"succeeded"}
    assert [429 for _, _, status in ghl.ledger.answers if status == 429] == []
    assert max(ghl.ledger.most_in(location_id) for location_id in LOCATIONS) < GHL_BURST
    # A note that was under way waits a minute more, after it was looked up.
    assert took < timedelta(minutes=2)
    assert not ghl.ledger.doubles()
    assert set(ghl.ledger.creations("note").values()) == {1}
    assert len(ghl.deliveries()) == (ROUNDS - 1) * len(LOCATIONS)
