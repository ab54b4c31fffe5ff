"""Whether outside services take what we have for them. Passive: none of them is asked by whoever asks us.

The rule: an outage outside only warns, or it would take this service out of its load balancer.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from observability import counters, forwarder
from observability.counters import Counter
from observability.errors import sentry
from observability.health.finding import Finding, Status
from sync.stats import answering
from sync.stats.answering import Answering

FORWARD_LAG = timedelta(minutes=5)
SENTRY_DROPPED_WITHIN = timedelta(minutes=15)
# It is asked every five minutes where there is no traffic.
ASKED_WITHIN = timedelta(minutes=15)


def check_posthog() -> Finding:
    """How long the oldest event has been waiting."""
    if not settings.POSTHOG_API_KEY:
        return Finding(Status.PASS, {"state": "off", "reason": "POSTHOG_API_KEY is not set"})
    state = forwarder.look()
    now = timezone.now()
    lag = now - state.oldest_waiting_at if state.oldest_waiting_at else timedelta(0)
    late = lag > FORWARD_LAG or state.failures > 0 or state.paused_at is not None
    return Finding(
        Status.WARN if late else Status.PASS,
        {
            "state": "paused" if state.paused_at else "failing" if state.failures else "on",
            "lag_s": round(lag.total_seconds(), 1),
            "acknowledged_at": state.acknowledged_at.isoformat() if state.acknowledged_at else None,
            "failures": state.failures,
            "last_error": state.last_error,
            "refused": state.refused,
        },
    )


def check_sentry() -> Finding:
    """What was dropped lately, by any process, and whether this one could send."""
    if not settings.SENTRY_DSN:
        return Finding(Status.PASS, {"state": "off", "reason": "SENTRY_DSN is not set"})
    dropped = counters.total(Counter.SENTRY_EVENT_DROPPED, since=timezone.now() - SENTRY_DROPPED_WITHIN)
    well = not dropped and sentry.is_well()
    return Finding(
        Status.PASS if well else Status.WARN, {"state": "on" if well else "dropping", "dropped": dropped}
    )


def check_ghl() -> Finding:
    """What the engine's attempts have met; for want of these, the scheduler's last question."""
    now = timezone.now()
    seen = answering.look(now=now)
    state = _ghl_state(seen, now)
    detail: dict[str, Any] = {
        "wrong": [_GHL_WRONG[state]] if state in _GHL_WRONG else [],
        "state": state,
        "answered_s": _age_s(seen.answered_at, now),
        "failed_s": _age_s(seen.failed_at, now),
        "failed_code": seen.failed_code,
        "recently_answered": seen.answered,
        "recently_failed": seen.failed,
        "breakers_open": seen.opened,
        "breakers_ramping": seen.ramping,
        "asked_s": _age_s(seen.asked.at, now) if seen.asked else None,
        "asked_code": seen.asked.code if seen.asked else "",
    }
    return Finding(Status.WARN if detail["wrong"] else Status.PASS, detail)


_GHL_WRONG = {
    "does not answer for some locations": "Jobs of those wait, and go out by steps when it answers again.",
    "fails": "More requests fail than are answered. If it lasts, their jobs will wait until it answers.",
    "does not answer": "There is nothing to send, and a question got no answer. What comes will wait.",
    "not asked for too long": "There is nothing to send, and nobody has asked. See whether the workers run.",
}


def _ghl_state(seen: Answering, now: datetime) -> str:
    if seen.opened:
        return "does not answer for some locations"
    if not seen.is_idle(now):
        # One that failed among many is retried, and tells nothing.
        return "fails" if seen.failed > seen.answered else "answers"
    if not seen.can_be_asked:
        return "off"
    if seen.asked is None:
        return "not asked yet"
    if now - seen.asked.at > ASKED_WITHIN:
        return "not asked for too long"
    return "answers" if seen.asked.answers else "does not answer"


def _age_s(at: datetime | None, now: datetime) -> float | None:
    return round((now - at).total_seconds(), 1) if at else None
