"""What the API takes and says of dead letters, their groups and bulk operations: shapes.

The rule: what is taken is closed and bounded, and nothing that is said is personal: words were redacted when
they were stored, payloads are masked.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, StringConstraints

from sync.dead_letters.fixers import Fixer
from sync.dead_letters.letters import MOST
from sync.dead_letters.standing import Standing

Id = Annotated[int, Field(ge=1, lt=2**63)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
LetterState = Literal["open", "redriving", "recovered", "discarded", "superseded"]


def _in_utc(moment: datetime) -> datetime:
    """PostgreSQL refuses offsets that Python takes, so none of them gets there."""
    if not 2000 <= moment.year <= 2100:
        raise ValueError("The year must be between 2000 and 2100.")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Closed(Schema):
    model_config = ConfigDict(extra="forbid")


class Letters(Closed):
    letter_ids: list[Id] = Field(min_length=1, max_length=MOST)


class Redrive(Letters):
    look_first: bool = Field(
        default=True, description="Ask GoHighLevel first whether it is done. Without, it may be done twice."
    )


class Discard(Letters):
    reason: str = Field(description="Up to 300 characters.")


class Restore(Letters):
    reason: str = Field(default="", max_length=300)


class Assign(Letters):
    user_id: Id | None = Field(description="Of a member of staff; null: nobody.")


class Owner(Closed):
    user_id: Id | None = Field(description="Of a member of staff; null: nobody.")


class Note(Closed):
    words: str = Field(description="Up to 2,000 characters.")


class Snooze(Closed):
    until: Moment | None = Field(description="Null: ask again.")


class GroupSnooze(Closed):
    until: Moment | None = None
    to_count: int | None = Field(default=None, ge=0, description="Until more than so many are open.")


class Change(Closed):
    payload: dict[str, Any] = Field(description="As the operation's schema has it; what it is about stays.")
    reason: str = Field(description="Up to 300 characters.")


class RetryWaiting(Closed):
    """One of both: a location, or the code of the last failure."""

    location_id: Word | None = None
    code: Word | None = None
    reason: str = Field(default="", max_length=300)


class Reason(Closed):
    reason: str = Field(default="", max_length=300)


class Why(Closed):
    reason: str = Field(description="Up to 300 characters.")


class NoteLine(Schema):
    words: str
    by: str
    at: datetime


class LetterLine(Schema):
    """A letter. code, status, said: of its last death; said: GoHighLevel's own words, redacted."""

    letter_id: int
    job_id: UUID | None
    webhook_id: int | None
    location_id: str | None
    group_id: int
    subject: str
    cause: str
    code: str
    status: int | None
    state: LetterState
    said: str
    deaths: int
    first_died_at: datetime
    died_at: datetime
    resolved_at: datetime | None
    discard_reason: str
    assigned_to: int | None
    snoozed_until: datetime | None


class LetterList(Schema):
    """cursor: for the next page, null at the end."""

    letters: list[LetterLine]
    cursor: str | None


class Finding(Schema):
    kind: str
    words: str


class LetterDetail(LetterLine):
    """words, next_step: what it means, and what to do. in_the_way: what is known before it is tried again."""

    words: str
    next_step: str
    in_the_way: Finding | None
    payload: dict[str, Any] | None = Field(description="Of its job, masked.")
    notes: list[NoteLine]


class Left(Schema):
    letter_id: int
    why: str


class Outcome(Schema):
    """What became of each letter. superseded: not sent, for something newer was. left: why it was left."""

    done: list[int]
    superseded: list[int]
    left: list[Left]


class Copy(Schema):
    job_id: UUID


class Revealed(Schema):
    """One of both. payload: of the letter's job. body: of its webhook, as it came in. Empty once erased."""

    payload: dict[str, Any] | None
    body: str | None


class Retried(Schema):
    """is_more: others still wait for longer; ask again."""

    jobs: int
    is_more: bool


class GroupLine(Schema):
    """A cause. message: what its letters say, without what differs. total: of all that are kept.

    standing: its state in one word, as people see it. fixer: who can mend it. people, locations, oldest_at:
    of its open letters, counted now and then; null where that takes too long, or has not been done yet.
    """

    group_id: int
    integration: str
    subject: str
    code: str
    cause: str
    message: str
    state: str
    standing: Standing
    fixer: Fixer
    words: str
    next_step: str
    owner: int | None
    open: int
    redriving: int
    recovered: int
    discarded: int
    superseded: int
    total: int
    first_seen_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    snoozed_until: datetime | None
    snoozed_to_count: int | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    people: int | None
    locations: int | None
    oldest_at: datetime | None


class GroupDetail(GroupLine):
    notes: list[NoteLine]


class GroupList(Schema):
    groups: list[GroupLine]
    cursor: str | None
