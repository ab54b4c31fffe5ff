"""Which letters are meant: the filter of lists and of bulk operations, the same for both.

The rule: what was shown is what is worked on, so there is one way from a filter to rows.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from sync.models import CauseGroup, DeadLetter


@dataclass(frozen=True, slots=True)
class Chosen:
    """Empty texts and None choose nothing in particular. subject: operation of jobs, topic of webhooks.

    code, subject: of the letter's group. died_before: the last death.
    """

    group_id: int | None = None
    location_id: str = ""
    code: str = ""
    subject: str = ""
    died_before: datetime | None = None

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
        return where

    def count(self, states: tuple[str, ...], most: int) -> int:
        """Return how many letters in these states are chosen, counted no further than most."""
        return int(DeadLetter.objects.filter(self.rows(), state__in=states).order_by()[:most].count())

    def document(self) -> dict[str, Any]:
        """Return it as JSON, without what is empty."""
        given = {name: value for name, value in asdict(self).items() if value not in ("", None)}
        if self.died_before is not None:
            given["died_before"] = self.died_before.isoformat()
        return given

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.document().items()) or "all letters"
