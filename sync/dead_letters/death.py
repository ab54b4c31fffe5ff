"""A death: what is told of a job or webhook in the transaction in which it dies.

The rule: plain values, for `letters.died`. GoHighLevel's own words may be personal; whoever keeps them
redacts them first.
"""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Death:
    """One of job_id and webhook_id is there. location_id: empty where nobody knows.

    subject: the job's operation or the webhook's topic. cause: refused, exhausted, check_by_hand,
    withdrawn. code: of the last try. status: of its HTTP answer. words: GoHighLevel's own, or ours; not
    redacted.
    """

    job_id: UUID | None
    webhook_id: int | None
    location_id: str
    subject: str
    cause: str
    code: str
    status: int | None
    words: str

    def __post_init__(self) -> None:
        if (self.job_id is None) == (self.webhook_id is None):
            raise ValueError("A death is of one job or of one webhook.")
