"""Which letters are meant: the filter of lists and of bulk operations, the same for both.

The rule: what was shown is what is worked on, so there is one way from a filter to rows.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from sync.models import BulkItem, CauseGroup, DeadLetter
from trainu.personal_data import redacted


@dataclass(frozen=True, slots=True)
class Chosen:
    """Empty texts and None choose nothing in particular. subject: operation of jobs, topic of webhooks.

    code, subject: of the letter's group. died_before, died_after: the last death. status: of HTTP.
    assignee_id: 0 for nobody. died_times: at least so often. payload_name, payload_value: of its job.
    operation_id: of a bulk operation, for the letters that were done in it.
    """

    group_id: int | None = None
    location_id: str = ""
    code: str = ""
    subject: str = ""
    died_before: datetime | None = None
    died_after: datetime | None = None
    status: int | None = None
    assignee_id: int | None = None
    died_times: int | None = None
    payload_name: str = ""
    payload_value: str = ""
    operation_id: int | None = None

    def rows(self) -> Q:
        """Return the condition on letters."""
        where = Q()
        if self.group_id is not None:
            where &= Q(group=self.group_id)
        if self.location_id:
            where &= Q(location=self.location_id)
        # There are few groups: their ids lead to the letters' index, a join would not.
        groups = {name: value for name, value in (("code", self.code), ("subject", self.subject)) if value}
        if groups:
            where &= Q(group__in=CauseGroup.objects.filter(**groups).values("pk"))
        if self.died_before is not None:
            where &= Q(died_at__lt=self.died_before)
        if self.died_after is not None:
            where &= Q(died_at__gte=self.died_after)
        if self.status is not None:
            where &= Q(status=self.status)
        if self.assignee_id is not None:
            where &= Q(assigned_to=self.assignee_id or None)
        if self.died_times is not None:
            # `deaths > 1`, which follows, leads to the index of those.
            where &= Q(deaths__gte=self.died_times) & (Q(deaths__gt=1) if self.died_times > 1 else Q())
        if self.payload_name:
            where &= self._payload()
        if self.operation_id is not None:
            done = BulkItem.objects.filter(operation=self.operation_id, state=BulkItem.State.DONE)
            where &= Q(pk__in=done.order_by().values("letter"))
        return where

    def _payload(self) -> Q:
        """Only what is dead is found: its index holds nothing else. A number is one, and may be a text."""
        wanted = Q(job__payload__contains={self.payload_name: self.payload_value})
        try:
            typed = json.loads(self.payload_value)
        except ValueError:
            typed = self.payload_value
        if typed != self.payload_value and not isinstance(typed, dict | list):
            wanted |= Q(job__payload__contains={self.payload_name: typed})
        return Q(job__state="dead") & wanted

    def count(self, states: tuple[str, ...], most: int) -> int:
        """Return how many letters in these states are chosen, counted no further than most."""
        return int(DeadLetter.objects.filter(self.rows(), state__in=states).order_by()[:most].count())

    def document(self) -> dict[str, Any]:
        """Return it as JSON, without what is empty; a value of a payload may be personal, and is redacted."""
        given = {name: value for name, value in asdict(self).items() if value not in ("", None)}
        if self.payload_value:
            given["payload_value"] = redacted(self.payload_value)
        times = {name: value.isoformat() for name, value in given.items() if isinstance(value, datetime)}
        return given | times

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.document().items()) or "all letters"
