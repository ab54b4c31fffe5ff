"""What is masked about a letter, shown to somebody who says why.

The rule: no entry, no look. Who has seen whose data, and why, is in the audit log before anything is shown.
"""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from sync import signals
from sync.dead_letters import moves, wording
from sync.dead_letters.letters import TARGET_KIND
from sync.dead_letters.refusal import Refused
from sync.models import DeadLetter
from sync.signals import Act


@dataclass(frozen=True, slots=True)
class Revealed:
    """One of both, as it is stored: a job's payload, or the text of a webhook's body. Empty when erased."""

    payload: dict[str, Any] | None = None
    body: str | None = None


@transaction.atomic
def reveal(letter_id: int, reason: str, *, by: str) -> Revealed:
    """Return a letter's data unmasked. Raises Refused: no reason, no such letter."""
    why = wording.reason(reason)
    letter = DeadLetter.objects.select_related("job", "webhook").filter(pk=letter_id).first()
    if letter is None:
        raise Refused("unknown_letter", moves.NO_LETTER)
    signals.acted.send(sender=None, acts=[Act("data.reveal", TARGET_KIND, str(letter.pk), why, by)])
    if letter.job is not None:
        return Revealed(payload=letter.job.payload)
    # Its text, not what a parser makes of it: that would round numbers that are too large for it.
    return Revealed(body=bytes(letter.webhook.body).decode(errors="replace") if letter.webhook else "")
