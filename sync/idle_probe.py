"""The question whether GoHighLevel answers, asked where no attempt has told for a while.

The rules: one read that changes nothing, within two seconds and outside of any transaction. It refreshes no
token: an answer that came too late would have used up the only one that can. A token that has run out is
refused, and that is an answer.
"""

import asyncio
import time
from datetime import datetime

from django.conf import settings
from pydantic import SecretStr

from sync import breaker, credentials
from sync.ghl import reads
from sync.ghl.errors import READ, Verdict, classify
from sync.ghl.transport import Carrier, Timeouts
from sync.models import Credential, IdleProbe
from sync.stats import answering
from trainu.encryption import Unreadable

LIMITS = Timeouts(pool_s=1.0, connect_s=1.0, read_s=2.0, total_s=2.0)


def ask(*, now: datetime) -> bool | None:
    """Ask, and write whether there was an answer; None where nobody needs to, or nobody can."""
    seen = answering.look(now=now)
    if not (seen.can_be_asked and seen.is_idle(now)):
        return None
    location_id = _location(now)
    if location_id is None:
        return None
    started = time.perf_counter()
    verdict = asyncio.run(_send(location_id, _token(location_id), now))
    answers = breaker.seen(verdict).answered > 0
    IdleProbe.objects.update_or_create(
        pk=1,
        defaults={
            "asked_at": now,
            "answers": answers,
            "code": "" if answers else verdict.code.value,
            "took_ms": round((time.perf_counter() - started) * 1e3, 1),
        },
    )
    return answers


def _location(now: datetime) -> str | None:
    """Return a location that works and has a token: the same one each time, for one says enough."""
    working = Credential.objects.filter(location__state="active")
    over = Credential.objects.filter(location__state="paused", location__paused_until__lte=now)
    return (working | over).order_by("location_id").values_list("location_id", flat=True).first()


def _token(location_id: str) -> SecretStr | None:
    try:
        held = credentials.held(location_id)
    except Unreadable:
        return None
    return held.access if held else None


async def _send(location_id: str, token: SecretStr | None, now: datetime) -> Verdict:
    async with Carrier(settings.GHL_BASE_URL, timeouts=LIMITS, connections=1) as carrier:
        return classify(READ, await carrier.send(reads.location(location_id), token), now=now)
