"""What the API takes and says of bulk operations: shapes.

The rule: what is taken is closed, and chooses letters as every list does.
"""

from datetime import datetime
from typing import Any, Literal

from ninja import Schema
from pydantic import Field

from sync.api.letter_shapes import Closed, Id, Moment, Word
from sync.dead_letters.chosen import Chosen

ItemState = Literal[
    "pending",
    "sent",
    "recovered",
    "failed_same_cause",
    "failed_new_cause",
    "superseded",
    "skipped",
    "canceled",
    "needs_decision",
    "done",
]
Kind = Literal["redrive", "discard", "restore", "assign"]


class Filter(Closed):
    """Which letters; what is left out chooses nothing in particular."""

    group_id: Id | None = None
    location_id: Word | None = None
    code: Word | None = None
    subject: Word | None = Field(default=None, description="Operation of jobs, or topic of webhooks.")
    died_before: Moment | None = None
    operation_id: Id | None = Field(default=None, description="Letters that were done in that operation.")

    def chosen(self) -> Chosen:
        return Chosen(
            self.group_id,
            self.location_id or "",
            self.code or "",
            self.subject or "",
            self.died_before,
            operation_id=self.operation_id,
        )


class Counting(Closed):
    kind: Kind
    filter: Filter


class NewBulk(Counting):
    reason: str = Field(description="Up to 300 characters.")
    shown_count: int = Field(ge=0, description="What POST /api/bulk-operations/count has answered.")
    confirmed_count: int | None = Field(default=None, description="The same once more, above 1,000.")
    assignee_id: Id | None = Field(default=None, description="For assign: a member of staff.")
    look_first: bool = True


class Counted(Schema):
    count: int


class OperationLine(Schema):
    """A bulk operation. counts: its letters by what became of them. step_size: of the step under way.

    group_id: where all are of one cause. messages: how many of its letters send one; approved_by: the second
    person that many of them take.
    """

    operation_id: int
    kind: Kind
    state: str
    state_reason: str
    filter: dict[str, Any]
    group_id: int | None
    messages: int
    reason: str
    by: str
    approved_by: str
    step: int
    step_size: int
    total: int
    counts: dict[str, int]
    started_at: datetime
    ended_at: datetime | None


class OperationDetail(OperationLine):
    """held: letters under way that wait for their location."""

    percent: int
    held: int


class OperationList(Schema):
    operations: list[OperationLine]
    cursor: str | None


class ItemLine(Schema):
    letter_id: int
    state: str
    words: str
    ended_at: datetime | None


class ItemList(Schema):
    items: list[ItemLine]
    cursor: str | None
