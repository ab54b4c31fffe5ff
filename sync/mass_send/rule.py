"""When messages are too many: the rule, in plain words, and nothing but values.

What counts is what is enqueued, before it is sent; a dead letter that is tried again was counted long ago.
By the clock, of each minute and of each ten minutes, too many is more than a floor and more than three times
the most that there has been in such a span of the last fourteen days:

- of one location in a minute: more than 250, and in ten minutes more than 500;
- of one text at one location in ten minutes, to different contacts: more than 250;
- of one text at all locations together in ten minutes, to different contacts: more than 500.

So a studio's evening of reminders and a digest to two hundred clients never stop anything, not even the
first time. A newsletter to six hundred does, the first time: whoever lets it go says that it was meant, what
was enqueued until then is not counted again, and its size is usual from then on. A location without history
has the floors alone. What is spread over two spans is noticed at twice the limit at the latest. Texts are
equal without regard to case, digits and spaces; one with the reader's name in it is a text of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from trainu.faults import MassSendCode

FACTOR = 3
HISTORY = timedelta(days=14)


class Measure(StrEnum):
    """What is counted together."""

    MINUTE = "minute"
    TEN_MINUTES = "ten_minutes"
    TEXT = "text"
    TEXT_ANYWHERE = "text_anywhere"


FLOORS = {
    Measure.MINUTE: 250,
    Measure.TEN_MINUTES: 500,
    Measure.TEXT: 250,
    Measure.TEXT_ANYWHERE: 500,
}
OF_TEXTS = frozenset({Measure.TEXT, Measure.TEXT_ANYWHERE})


@dataclass(frozen=True, slots=True)
class Level:
    """So many messages in one span. location_id, text_key: empty, and 0, where it is about all.

    usual: the most in a span of the last fourteen days, the one that is looked at left out.
    """

    measure: Measure
    location_id: str
    text_key: int
    messages: int
    usual: int

    @property
    def code(self) -> MassSendCode:
        """What a fault of this is called."""
        return MassSendCode.AUDIENCE_MISMATCH if self.measure in OF_TEXTS else MassSendCode.RATE_EXCEEDED

    def __str__(self) -> str:
        what = "messages" if self.measure not in OF_TEXTS else "contacts were to get the same text"
        where = f"of location {self.location_id}" if self.location_id else "of all locations"
        span = "a minute" if self.measure is Measure.MINUTE else "ten minutes"
        most = limit(self.measure, self.usual)
        return f"{self.messages:,} {what} {where} within {span}; more than {most:,} are not usual."


def limit(measure: Measure, usual: int) -> int:
    """Return up to how many messages are no mass."""
    return max(FLOORS[measure], FACTOR * usual)


def worth_knowing(measure: Measure) -> int:
    """Return the largest level that changes no limit, and so need not be kept."""
    return FLOORS[measure] // FACTOR


def worst(levels: Iterable[Level]) -> Level | None:
    """Return the level that is furthest above its limit; None where none is."""
    beyond = [one for one in levels if one.messages > limit(one.measure, one.usual)]
    return max(beyond, key=lambda one: one.messages / limit(one.measure, one.usual), default=None)
