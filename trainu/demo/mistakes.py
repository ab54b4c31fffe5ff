"""The demo's wrong events, so that the quarantine has something to show."""

from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from observability import intake, quarantine
from observability.store import Origin

_MISTAKES: tuple[tuple[int, str, dict[str, Any]], ...] = (
    (14, "booking_schedulled", {"booking_id": "b-1", "client_id": "c-1", "trainer_id": "t-1"}),
    (9, "user_logged_in", {"user_id": "c-7", "role": "client", "methode": "google"}),
    (6, "page_load_time", {"duration_ms": "812", "page": "/trainers/{id}"}),
    (4, "referral_shared", {"client_id": "c-3", "channel": "whatsapp"}),
    (2, "file_uploaded", {"file_id": "f-1"}),
)


def make(*, now: datetime, seed: int) -> None:
    """Report the wrong events of the last days; those that are in quarantine already stay once."""
    for count, event, properties in _MISTAKES:
        items = [
            {
                "event": event,
                "distinct_id": f"client:c-{number}",
                "properties": properties,
                "timestamp": (now - timedelta(hours=number * 3)).isoformat(),
                "uuid": str(uuid5(NAMESPACE_URL, f"demo:{seed}:{event}:{number}")),
            }
            for number in range(count)
        ]
        batch = intake.read_items(items, now=now, backfill=False)
        quarantine.keep(batch.refusals, Origin("demo", "demo-mistakes"), now=now)
