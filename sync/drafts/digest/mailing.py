"""Mail digests to their trainers: claimed under a lease, handed in, settled.

The rules: nobody gets one twice. Where the server may have taken it and its answer, or the worker, got lost,
it is not sent again: it stands in the admin, and says so. What was surely not taken is tried six times, as
jobs are, always under the same Message-ID. No request is made in a transaction.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db.models import Q, QuerySet

from sync import backoff
from sync.drafts.digest import shown
from sync.models import TrainerDigest, TrainerLogin
from trainu import mail
from trainu.mail import Answer, Never, NotNow, Taken
from trainu.transactions import atomic_retry

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=5)
MOST_AT_ONCE = 200
NO_ADDRESS = "no_address"
LOST = "lost"
# Being handed in: who finds it with its lease over cannot tell whether the server has it.
IN_HAND = "in_hand"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Claim:
    """number: of the try, which is the fence too: whoever claims it later counts it up."""

    digest_id: UUID
    number: int


class _Overtaken(Exception):
    """The lease has run out meanwhile: it is somebody else's."""


def mail_due(now: datetime) -> int:
    """Mail what is due; return how many the server has taken."""
    taken = 0
    for _ in range(MOST_AT_ONCE):
        claim = _claim(now)
        if claim is None:
            break
        answer = _deliver(claim)
        if answer is not None and _settle(claim, answer, now=now):
            taken += isinstance(answer, Taken)
    return taken


def message_id(digest_id: UUID) -> str:
    """Return an id that is the same at every try."""
    return f"<digest.{digest_id.hex}@{mail.host_of_ids()}>"


@atomic_retry
def _claim(now: datetime) -> _Claim | None:
    """Take the next that is due under a lease; give up those before it that cannot be tried again."""
    due = TrainerDigest.objects.filter(next_at__lte=now).order_by("next_at", "pk")
    for digest in due.select_for_update(skip_locked=True)[:MOST_AT_ONCE]:
        if digest.code == IN_HAND or digest.tries >= backoff.MOST_TRIES:
            digest.code = UNKNOWN if digest.code == IN_HAND else digest.code or LOST
            digest.next_at = None
            digest.save(update_fields=["code", "next_at"])
            log.warning("digest_given_up", digest=str(digest.pk), code=digest.code)
            continue
        digest.tries, digest.next_at = digest.tries + 1, now + LEASE
        digest.save(update_fields=["tries", "next_at"])
        return _Claim(digest.pk, digest.tries)
    return None


def _deliver(claim: _Claim) -> Answer | None:
    """Hand one in; return the answer, or None where the lease was lost before anything was handed in."""
    digest = TrainerDigest.objects.get(pk=claim.digest_id)
    address = _address(digest.trainer_id)
    if not address:
        return Never(NO_ADDRESS)
    server = mail.configured()
    if isinstance(server, Never):
        return server
    try:
        return mail.send(
            server,
            shown.mail(digest),
            [address],
            message_id=message_id(digest.pk),
            begins=lambda: _begin(claim),
        )
    except _Overtaken:
        return None


def _begin(claim: _Claim) -> None:
    if not _mine(claim).update(code=IN_HAND):
        raise _Overtaken


def _address(trainer_id: str) -> str:
    login = TrainerLogin.objects.filter(trainer_id=trainer_id, user__is_active=True)
    found: str | None = login.values_list("user__email", flat=True).first()
    return (found or "").strip()


def _mine(claim: _Claim) -> QuerySet[TrainerDigest]:
    return TrainerDigest.objects.filter(~Q(next_at=None), pk=claim.digest_id, tries=claim.number)


def _settle(claim: _Claim, answer: Answer, *, now: datetime) -> bool:
    """Write how a try has ended; return whether the lease still held."""
    match answer:
        case Taken(code):
            kept = {"emailed_at": now, "next_at": None, "code": code}
        case NotNow(maybe_taken=True):
            kept = {"next_at": None, "code": UNKNOWN}
        case NotNow(code):
            wait = backoff.delay(claim.number)
            kept = {"next_at": now + wait if wait else None, "code": code}
        case Never(code):
            kept = {"next_at": None, "code": code}
    is_ours = bool(_mine(claim).update(**kept))
    say = log.info if answer == Taken() else log.warning
    say("digest_mailed", digest=str(claim.digest_id), code=kept["code"], ours=is_ours)
    return is_ours
