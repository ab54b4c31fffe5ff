"""What sync tells of drafts, insights and digests, as events of the catalog: pure, as `sync_events`.

The rule: an event's uuid is made of what happened: a draft is written once a round, approved once an
approval, sent once. What is about somebody who was erased meanwhile is no event.
"""

from typing import Any
from uuid import UUID

from observability.capture import Occurrence
from observability.catalog import Event
from observability.catalog.agent import (
    InsightCreated,
    MessageDrafted,
    MessageSent,
    TrainerApproved,
    WeeklyDigestViewed,
)
from observability.sync_events import event_uuid, hashed, milliseconds, word
from sync.signals import DigestOpened, DraftApproved, DraftMoved, DraftSent, DraftWritten, InsightAdded


def of_written(one: DraftWritten) -> Occurrence | None:
    """Return message_drafted: one a round, whoever tells it."""
    if not one.client_id:
        return None
    # Behind a gateway a model's name is a path: the provider first.
    model = word(one.model.rpartition("/")[2])
    event = MessageDrafted(**_shared(one), duration_ms=milliseconds(one.duration_ms), model=model)
    return _of_client(one, event, f"drafted {one.draft_id} {one.round}")


def of_approved(one: DraftApproved) -> Occurrence | None:
    """Return trainer_approved: what the trainer does, whoever has pressed the button."""
    if not one.client_id:
        return None
    event = TrainerApproved(**_shared(one), edited=one.edited)
    uuid = _uuid(one.draft_id, f"approved {one.draft_id} {one.approval}")
    return Occurrence(event, f"trainer:{one.trainer_id}", one.at, uuid, one.correlation_id or None)


def of_sent(one: DraftSent) -> Occurrence | None:
    """Return message_sent: once for a draft, for it is sent once."""
    if not one.client_id:
        return None
    event = MessageSent(**_shared(one), job_id=str(one.job_id), location_id=one.location_id)
    return _of_client(one, event, f"sent {one.draft_id}")


def of_insight(one: InsightAdded) -> Occurrence:
    """Return insight_created."""
    event = InsightCreated(
        insight_id=str(one.insight_id), client_id=one.client_id, trainer_id=one.trainer_id, kind=one.kind
    )
    uuid = _uuid(one.insight_id, f"insight {one.insight_id}")
    return Occurrence(event, f"client:{one.client_id}", one.at, uuid, one.correlation_id or None)


def of_opened(one: DigestOpened) -> Occurrence:
    """Return weekly_digest_viewed; every opening counts, so it is one by its moment."""
    event = WeeklyDigestViewed(digest_id=str(one.digest_id), trainer_id=one.trainer_id, surface=one.surface)
    uuid = _uuid(one.digest_id, f"opened {one.digest_id} {one.surface} {one.at.timestamp()}")
    return Occurrence(event, f"trainer:{one.trainer_id}", one.at, uuid)


def _shared(one: DraftMoved) -> dict[str, Any]:
    return {
        "draft_id": str(one.draft_id),
        "client_id": one.client_id,
        "trainer_id": one.trainer_id,
        "kind": one.kind,
        "channel": one.channel,
    }


def _of_client(one: DraftMoved, event: Event, what: str) -> Occurrence:
    uuid = _uuid(one.draft_id, what)
    return Occurrence(event, f"client:{one.client_id}", one.at, uuid, one.correlation_id or None)


def _uuid(of: UUID, what: str) -> UUID:
    # Such ids begin with their time, and so do the uuids of what happens to them.
    return UUID(int=of.int >> 80 << 80 | event_uuid(None, int.from_bytes(hashed(what, 10))).int)
