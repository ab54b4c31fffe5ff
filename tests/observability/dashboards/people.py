"""People and what they did, put where the roll-ups would have put it, for tests of what is counted of it."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from pyroaring import BitMap

from observability.models import DraftedMessage, InboundMessage, PeopleQuarter, Person, TouchedDay
from observability.people_sets import pack, unpack

_versions = count(1)
_ids = count(1)


def at(written: str) -> datetime:
    """A moment in UTC, written as "2026-03-02 14:00"."""
    return datetime.fromisoformat(written).replace(tzinfo=UTC)


def person(distinct_id: str, signed_up: str = "", **fields: Any) -> Person:
    """Somebody who signed up at a moment of UTC, or is only known."""
    return Person.objects.create(
        distinct_id=distinct_id,
        role=distinct_id.split(":")[0],
        signed_up_at=at(signed_up) if signed_up else None,
        **fields,
    )


def did(who: Person, event: str, *moments: str) -> None:
    """Somebody had an event at each of these moments of UTC."""
    for moment in map(at, moments):
        quarter = moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)
        row = PeopleQuarter.objects.filter(quarter=quarter, event=event).first()
        people = (unpack(row.people) if row else BitMap()) | BitMap([who.number])
        PeopleQuarter.objects.update_or_create(
            quarter=quarter, event=event, defaults={"people": pack(people)}
        )
        touch("activity", moment)


def draft(client: str, trainer: str, drafted: str, **fields: Any) -> DraftedMessage:
    """A draft of the agent. Moments among the fields are written as in `at`."""
    times = {name: at(value) if name.endswith("_at") else value for name, value in fields.items()}
    made = DraftedMessage.objects.create(
        draft_id=f"d-{next(_ids)}",
        client_id=client,
        trainer_id=trainer,
        kind="general_reply",
        channel="sms",
        drafted_at=at(drafted),
        **times,
    )
    touch("drafts", at(drafted))
    if made.sent_at:
        touch("replies", made.sent_at)
    return made


def wrote(client: str, *moments: str) -> None:
    """A client has written."""
    for moment in moments:
        InboundMessage.objects.create(client_id=client, received_at=at(moment))


def touch(subject: str, moment: datetime) -> None:
    TouchedDay.objects.update_or_create(
        subject=subject, day=moment.date(), defaults={"version": next(_versions)}
    )
