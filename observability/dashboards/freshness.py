"""Up to when events are in the numbers of dashboards."""

from datetime import datetime, timedelta

from django.db.models import Min

from observability import watermark
from observability.dashboards.question import Question
from observability.models import TouchedDay, Watermark
from observability.rollups import CONSUMER


def counted_at() -> datetime | None:
    """Return when roll-ups last had every stored event; None before the first time."""
    moved_at = Watermark.objects.filter(consumer=CONSUMER).values_list("moved_at", flat=True).first()
    return None if moved_at in (None, watermark.NEVER) else moved_at


def not_recorded_before(question: Question) -> str:
    """Say so where the period before reaches back behind the first thing recorded; otherwise nothing."""
    first = TouchedDay.objects.aggregate(first=Min("day"))["first"]
    if first is None or question.before().first >= first - timedelta(days=1):
        return ""
    return f"Nothing is recorded before {first:%-d %b %Y}: compare with the period before with care."
