"""Finding drafts for an app: a list, newest first, one draft, its attempts.

The rule: every question is bounded in rows and in time. Ids are UUIDv7, so the newest has the highest; a
draft that comes meanwhile shifts no page.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sync.drafts import acting, tabs
from sync.drafts.tabs import Tab
from sync.models import Draft, DraftAttempt
from trainu.bounded_query import bounded

MOST_ROWS = 100
MOST_ATTEMPTS = 50
TIME_LIMIT_MS = 3_000


@dataclass(frozen=True, slots=True)
class Page:
    """Some drafts, newest first, without what the app knows of the client. older: what to go on with."""

    drafts: Sequence[Draft]
    older: UUID | None


def page(
    *,
    now: datetime,
    trainer_id: str = "",
    client_id: str = "",
    kind: str = "",
    state: str = "",
    tab: Tab | None = None,
    older_than: UUID | None = None,
    most: int = MOST_ROWS,
) -> Page:
    """Return a page of drafts. older_than: `older` of the page before. Raises TooBroad."""
    asked = {"trainer_id": trainer_id, "client_id": client_id, "kind": kind, "state": state}
    found = Draft.objects.defer("context", "text", "written_text").filter(
        **{name: value for name, value in asked.items() if value}
    )
    if tab:
        found = found.filter(tabs.of(tab, now))
    if older_than is not None:
        found = found.filter(pk__lt=older_than)
    most = min(most, MOST_ROWS)
    with bounded(TIME_LIMIT_MS):
        drafts = list(found.order_by("-pk")[: most + 1])
    return Page(drafts[:most], drafts[most - 1].pk if len(drafts) > most else None)


def find(draft_id: UUID, *, trainer_id: str = "") -> Draft | None:
    """Return a draft, None where there is none, or it is not this trainer's."""
    found = Draft.objects.select_related("location").filter(pk=draft_id)
    return (found.filter(trainer_id=trainer_id) if trainer_id else found).first()


def known(ids: Collection[UUID]) -> set[UUID]:
    """Return which of these drafts there are, of those that may be decided about now."""
    return set(acting.reached().filter(pk__in=ids).values_list("pk", flat=True))


def attempts(draft: Draft) -> list[DraftAttempt]:
    """Return a draft's newest attempts, newest first."""
    return list(DraftAttempt.objects.filter(draft=draft).order_by("-round", "-number")[:MOST_ATTEMPTS])
