"""What a held message says, shown to somebody who says why.

The rule: no entry, no look. Who has seen which message, and why, is in the audit log before it is shown.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from sync import kill_switch, signals
from sync.dead_letters import wording
from sync.dead_letters.refusal import Refused
from sync.held_messages.chosen import Chosen
from sync.signals import Act


@dataclass(frozen=True, slots=True)
class Revealed:
    """The oldest of a set, as it is stored. Empty payload: erased."""

    job_id: UUID
    payload: dict[str, Any]


@transaction.atomic
def reveal(chosen: Chosen, reason: str, *, by: str) -> Revealed:
    """Return the oldest of the chosen messages unmasked. Raises Refused: no reason, nothing is held."""
    why = wording.reason(reason)
    switch = kill_switch.state()
    if not switch.is_on or switch.since is None:
        raise Refused("not_on", "The kill switch is off, so nothing is held: messages go by themselves.")
    found = chosen.page(switch.since, after=0, most=1)
    if not found:
        raise Refused("nothing_chosen", "None of these is held any more. Look again.")
    job = found[0]
    signals.acted.send(sender=None, acts=[Act("data.reveal", "sync.syncjob", str(job.pk), why, by)])
    return Revealed(job.pk, job.payload)
