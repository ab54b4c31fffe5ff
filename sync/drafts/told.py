"""What is told of a draft to whoever listens: what all such payloads share.

The rule: ids, words and times; never a text.
"""

from datetime import datetime
from typing import Any

from sync.models import Draft


def of(draft: Draft, *, at: datetime) -> dict[str, Any]:
    """Return the fields of `signals.DraftMoved`."""
    return {
        "draft_id": draft.pk,
        "trainer_id": draft.trainer_id,
        "client_id": draft.client_id,
        "kind": draft.kind,
        "channel": draft.channel,
        "at": at,
        "correlation_id": draft.correlation_id,
    }
