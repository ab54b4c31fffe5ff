"""Up to when events are in the numbers of dashboards."""

from datetime import datetime

from observability import watermark
from observability.models import Watermark
from observability.rollups import CONSUMER


def counted_at() -> datetime | None:
    """Return when roll-ups last had every stored event; None before the first time."""
    moved_at = Watermark.objects.filter(consumer=CONSUMER).values_list("moved_at", flat=True).first()
    return None if moved_at in (None, watermark.NEVER) else moved_at
