"""The demo's history, a day at a time: every room tells its part, and what is told becomes events.

The rule: a day is a function of the seed and its date. The same day comes out with the same uuids
whenever it is asked for, so that storing it again is a no-op.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from hashlib import shake_128
from operator import itemgetter
from uuid import UUID

from observability.capture import Occurrence
from trainu.demo import agent, arrivals, bookings, machines, visits
from trainu.demo.rhythm import Happening


def day(on: date, *, seed: int = 7) -> list[Occurrence]:
    """Return all events of one UTC calendar day, ordered by timestamp."""
    told = sorted(_told(seed, on), key=itemgetter(0))
    uuids = identities([at for at, _, _ in told], f"{seed}:{on.isoformat()}")
    return [
        Occurrence(event=event, distinct_id=distinct_id, timestamp=at, uuid=uuid)
        for (at, distinct_id, event), uuid in zip(told, uuids, strict=True)
    ]


def identities(moments: Sequence[datetime], key: str) -> list[UUID]:
    """Return a UUID of version 7 for each moment, the random bits taken from a hash of the key."""
    # One long hash, for one a uuid takes as long as making the event.
    noise = shake_128(key.encode()).digest(10 * len(moments))
    uuids = []
    for number, at in enumerate(moments):
        bits = int.from_bytes(noise[10 * number : 10 * number + 10])
        high, low = bits >> 68, bits & (2**62 - 1)
        time_ms = round(at.timestamp() * 1000)
        uuids.append(UUID(int=time_ms << 80 | 7 << 76 | high << 64 | 2 << 62 | low))
    return uuids


def _told(seed: int, on: date) -> Iterator[Happening]:
    """Tell what happens on the day; rooms may also tell what reaches into the days around it."""
    around = [
        happening
        for room in (arrivals, visits, bookings, agent)
        for happening in room.happenings(seed, on)
        if happening[0].date() == on
    ]
    yield from around
    yield from (echo for echo in machines.happenings(seed, on, around) if echo[0].date() == on)
