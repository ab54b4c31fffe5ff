"""Drafts as they stand when a test begins: written, waiting for a person; and lanes that send them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sync.drafts import deciding
from sync.models import Draft
from tests.sync.working import NOW, Studio

BOSS = "staff:1"
TEXT = "Well done, and see you on Tuesday."


def draft(contact_id: str = "c-1", location_id: str = "loc-1", **overrides: Any) -> Draft:
    """Write a draft of an SMS that needs review, of a client in the location's zone."""
    text = overrides.pop("text", TEXT)
    given: dict[str, Any] = {
        "trainer_id": "trainer-1",
        "client_id": "client-1",
        "channel": "sms",
        "kind": "weekly_checkin",
        "state": "review",
        "text": text,
        "written_text": text,
        "written_at": NOW,
        "next_at": NOW,
        "based_at": NOW,
        "created_at": NOW,
        "correlation_id": "journey-1",
    }
    return Draft.objects.create(
        id=uuid4(), contact_id=contact_id, location_id=location_id, **(given | overrides)
    )


@dataclass
class Desk:
    """A reviewer of a studio's drafts."""

    studio: Studio

    def draft(self, contact_id: str, **overrides: Any) -> Draft:
        return draft(contact_id, self.studio.id, **({"based_at": self.studio.clock.now} | overrides))

    def approved(self, contact_id: str, **overrides: Any) -> Draft:
        return deciding.approve(self.draft(contact_id, **overrides).pk, by=BOSS, now=self.studio.clock.now)

    def at(self, moment: datetime) -> None:
        """Let time pass until a moment."""
        self.studio.clock.advance(seconds=(moment - self.studio.clock.now).total_seconds())


def again(one: Draft | UUID) -> Draft:
    return Draft.objects.select_related("location", "job").get(pk=one.pk if isinstance(one, Draft) else one)
