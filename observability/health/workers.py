"""Whether workers do what they are there for: lanes give signs of life, and counts keep up."""

from datetime import timedelta

from django.utils import timezone

from observability.health.finding import Finding, Status
from observability.models import Heartbeat, Watermark
from trainu import schedules

LANE_SILENT = timedelta(seconds=120)
ROLLUP_LAG = timedelta(minutes=2)


def check_workers() -> Finding:
    """Every lane must have given a sign of life within two minutes, on any host. Clusters come and go."""
    now = timezone.now()
    beats = Heartbeat.objects.filter(beat_at__gt=now - LANE_SILENT)
    ages = {beat.name: round((now - beat.beat_at).total_seconds(), 1) for beat in beats}
    silent = [name for name in schedules.lanes() if name not in ages]
    return Finding(Status.WARN if silent else Status.PASS, {"silent": silent, "beat_age_s": ages})


def check_rollups() -> Finding:
    moved = Watermark.objects.filter(consumer="rollups").values_list("moved_at", flat=True).first()
    age = timezone.now() - moved if moved else None
    late = age is None or age > ROLLUP_LAG
    return Finding(
        Status.WARN if late else Status.PASS, {"age_s": round(age.total_seconds(), 1) if age else None}
    )
