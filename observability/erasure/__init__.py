"""Forget one person: look into every declared place, remove or pseudonymise, and keep the proof.

The rule: each part of a place is erased and proven in one transaction, so that a run killed at any line
is gone on with and its figures add up. The id stands in the erasure's row until it is done, no longer.
"""

import time
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from observability.audit.actions import Action
from observability.audit.recording import record
from observability.erasure import mention
from observability.models import Erasure, Forwarder
from observability.redaction import redact
from trainu.personal_data import Place, registered

Progress = Callable[[Place], object]


def forget(
    contact_id: str,
    *,
    by: str,
    reason: str,
    now: datetime,
    dry_run: bool = False,
    progress: Progress = lambda place: None,
) -> Erasure:
    """Erase one person everywhere and return the proof; on a dry run look only, and store nothing.

    contact_id: TrainU's or GoHighLevel's id of the person. by: who, as the audit log names actors.
    progress: called after each part of a place. Raises ValueError for what cannot be an id, and
    without a reason.
    """
    if dry_run:
        return look(contact_id, by=by, reason=reason, now=now, progress=progress)
    return advance(request(contact_id, by=by, reason=reason, now=now), progress=progress)


def look(
    contact_id: str,
    *,
    by: str,
    reason: str,
    now: datetime,
    budget_s: float = float("inf"),
    progress: Progress = lambda place: None,
) -> Erasure:
    """Return what an erasure would find, as a proof that is not stored.

    `finished_at` of the proof is empty where the time was up before every place was looked through.
    Raises ValueError for what cannot be an id.
    """
    ends = time.monotonic() + budget_s
    checked = mention.checked(contact_id)
    proof = Erasure(
        pseudonym=mention.pseudonym(checked),
        requested_at=now,
        requested_by=by,
        reason=reason,
        elsewhere=_elsewhere(),
    )
    for place in registered():
        found = place.find(checked)
        _note(proof, place, found=found, left=found)
        progress(place)
        if time.monotonic() > ends:
            return proof
    proof.finished_at = now
    return proof


@transaction.atomic
def request(contact_id: str, *, by: str, reason: str, now: datetime) -> Erasure:
    """Write down that a person is to be forgotten; `advance` does it. Raises as `forget` does.

    While an erasure of the same person is under way, that one is returned.
    """
    checked = mention.checked(contact_id)
    if not reason.strip():
        raise ValueError("Say why: the proof must name the reason, such as the number of the request.")
    # A reason that names the person would keep the id for as long as the audit log lives.
    shown = redact(mention.without(reason.strip(), checked))[:200]
    erasure, created = Erasure.objects.get_or_create(
        pseudonym=mention.pseudonym(checked),
        finished_at=None,
        defaults={
            "subject": checked,
            "requested_at": now,
            "requested_by": by[:80],
            "reason": shown,
            "elsewhere": _elsewhere(),
        },
    )
    if created:
        record(Action.DATA_FORGET, actor=by, target=erasure, reason=shown)
    return erasure


def advance(
    erasure: Erasure, *, budget_s: float = float("inf"), progress: Progress = lambda place: None
) -> Erasure:
    """Go on with an erasure until it is done or the time is up; return it as it then stands.

    Several processes may be at it: they take turns, a part each.
    """
    ends = time.monotonic() + budget_s
    while True:
        with transaction.atomic():
            erasure = Erasure.objects.select_for_update().get(pk=erasure.pk)
            if erasure.finished_at:
                return erasure
            place = _next(erasure.reached)
            if place is None:
                erasure.subject = ""
                erasure.finished_at = timezone.now()
                erasure.save(update_fields=["subject", "finished_at"])
                return erasure
            _erase(erasure, place)
        progress(place)
        if time.monotonic() > ends:
            return erasure


def unfinished() -> list[Erasure]:
    """Return the erasures that somebody must go on with."""
    return list(Erasure.objects.filter(finished_at=None).order_by("requested_at"))


def _erase(erasure: Erasure, place: Place) -> None:
    found = place.find(erasure.subject)
    erased = place.erase(erasure.subject) if found else 0
    left = place.find(erasure.subject) if found else 0
    _note(erasure, place, found=found, erased=erased, left=left)
    erasure.reached = place.key
    erasure.save(update_fields=["findings", "reached"])


def _next(reached: str) -> Place | None:
    """Return the part behind the one that was done last.

    Where that one is gone, a partition that was dropped, all begins anew: what is erased is not found again.
    """
    places = registered()
    behind = next((i + 1 for i, place in enumerate(places) if place.key == reached), 0)
    return places[behind] if behind < len(places) else None


def _note(erasure: Erasure, place: Place, *, found: int, erased: int = 0, left: int = 0) -> None:
    """Add a part's figures to its place's."""
    figures = erasure.findings.setdefault(
        place.name, {"label": place.label, "found": 0, "erased": 0, "left": 0}
    )
    figures["found"] += found
    figures["erased"] += erased
    figures["left"] += left


def _elsewhere() -> list[str]:
    """Return what an erasure does not reach, for the proof."""
    sentences = [
        "Audit entries cannot be changed. They hold ids only, and go when their time is up.",
        "Backups, and the log stream outside of this database, keep what they had until they are rotated.",
        "Ids that an app has made of the person's id, such as a goal's, are not known to be theirs.",
        "What an app reports about the person from now on is stored like anything else.",
    ]
    sent = Forwarder.objects.filter(sent__gt=0).exists()
    if sent or settings.POSTHOG_API_KEY:
        sentences.insert(
            0,
            "PostHog has events of before. Have the person deleted there too, under each distinct id the "
            "apps use for them, such as client: and the id; this service does not do that.",
        )
    return sentences
