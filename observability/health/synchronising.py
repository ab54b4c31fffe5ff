"""Whether sync gets on with its work, drafts among it, and somebody with what has died of it. Passive."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from observability import sync_health
from observability.health.finding import Finding, Status
from observability.models import AlertRule
from sync.stats import dead_letters, drafts, neglected

# As the rules are seeded; where staff have set other thresholds, those hold here too.
OLDEST = timedelta(hours=24)
GROWN = 20
# Three tries with what a provider asks to wait between them are over by then.
DRAFTS_LATE = timedelta(minutes=10)
LEASES_RUN_OUT = timedelta(minutes=3)
_AGE_RULE, _GROWTH_RULE = "dead_letter_age", "dead_letters_growing"


def check_sync() -> Finding:
    """Whether what could go to GoHighLevel, or came from there, is worked off."""
    wrong, detail = sync_health.look(now=timezone.now())
    return Finding(Status.WARN if wrong else Status.PASS, detail)


def check_dead_letters() -> Finding:
    """Whether dead letters wait for too long, but for those that were put off, or grow too fast."""
    now = timezone.now()
    thresholds = {_AGE_RULE: OLDEST.total_seconds(), _GROWTH_RULE: float(GROWN)}
    thresholds |= dict(AlertRule.objects.filter(code__in=thresholds).values_list("code", "threshold"))
    letters, waiting = dead_letters.letters(), neglected.look(now=now)
    oldest_s = (now - waiting.oldest_at).total_seconds() if waiting.oldest_at else 0.0
    wrong = []
    if oldest_s > thresholds[_AGE_RULE]:
        wrong.append("Dead letters wait for somebody for too long. Redrive, discard or snooze them.")
    if waiting.grown.number > thresholds[_GROWTH_RULE]:
        wrong.append("Many jobs or webhooks have died within an hour. See which cause they share.")
    detail: dict[str, Any] = {
        "wrong": wrong,
        "open": letters.open,
        "causes": letters.groups,
        "oldest_s": round(oldest_s),
        "grown_in_an_hour": str(waiting.grown),
    }
    return Finding(Status.WARN if wrong else Status.PASS, detail)


def check_drafts() -> Finding:
    """Whether drafts are written that could be; off where no model is set up, and they wait."""
    now = timezone.now()
    found = drafts.look(now=now)
    late, lost = (now - since if since else timedelta(0) for since in (found.late_since, found.lost_since))
    wrong = []
    if found.is_on and late > DRAFTS_LATE:
        wrong.append("Drafts wait that could be written. See whether the workers run, and keep up.")
    if found.is_on and lost > LEASES_RUN_OUT:
        wrong.append("Drafts of workers that died are not taken back. See whether the workers run.")
    detail: dict[str, Any] = {
        "wrong": wrong,
        "state": "on" if found.is_on else "off",
        "waiting": str(found.waiting),
        "oldest_waiting_s": max(0, round(late.total_seconds())),
        "lost": str(found.lost),
        "failed": str(found.failed),
        "needs_review": str(found.review),
        "scheduled": str(found.scheduled),
        "undelivered": str(found.undelivered),
    }
    return Finding(Status.WARN if wrong else Status.PASS, detail)
