"""What is due of an incident of SEV1: to be acknowledged within four hours, reported within a day and three.

The rule: reports are due from when it was opened first, acknowledgement from when it came back last. A clock
stops when that is done.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from observability.models import Incident

ACKNOWLEDGED_WITHIN = timedelta(hours=4)
FIRST_REPORT_WITHIN = timedelta(hours=24)
FINAL_REPORT_WITHIN = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Clock:
    """kind: what is to be done. done_at: when that was done; None: it is still to be."""

    kind: Literal["acknowledge", "first report", "final report"]
    due_at: datetime
    done_at: datetime | None

    @property
    def words(self) -> str:
        return {
            "acknowledge": "Acknowledgement",
            "first report": "First report",
            "final report": "Final report",
        }[self.kind]

    def is_late(self, now: datetime) -> bool:
        """Whether it was, or is being, done too late."""
        return (self.done_at or now) > self.due_at


def clocks(incident: Incident, *, begun_at: datetime | None = None) -> list[Clock]:
    """Return the clocks of an incident, in the order in which they run out; none but of SEV1.

    begun_at: when it came back last; without, when it was opened.
    """
    if incident.severity != "SEV1":
        return []
    opened_at = incident.opened_at
    seen_at = incident.acknowledged_at or incident.resolved_at
    return [
        Clock("acknowledge", (begun_at or opened_at) + ACKNOWLEDGED_WITHIN, seen_at),
        Clock("first report", opened_at + FIRST_REPORT_WITHIN, incident.first_report_at),
        Clock("final report", opened_at + FINAL_REPORT_WITHIN, incident.final_report_at),
    ]
