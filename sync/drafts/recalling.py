"""Taking an approved draft back while nothing of it has left: by a person, or because the client has acted.

The rule: a job that was ever in a lane's hand with its request begun is not taken back, whatever came of it.
"""

from datetime import datetime

from sync.drafts.states import ACTS, Act
from sync.models import Draft, SyncJob
from sync.transitions import State

RECALLED = "recalled"
# What taking back changes in a draft.
CHANGES = ("state", "job", "send_at", "held_by", "sent_on", "approved_by", "approved_at")
TARGET = "sync.draft"


def is_untouched(job: SyncJob) -> bool:
    """Whether nothing of a job can have left. What was held back has cost no try."""
    return job.state == State.WAITING and job.tries == 0 and not job.is_lookup


def take_back(draft: Draft, job: SyncJob, *, now: datetime) -> None:
    """End the untouched job of a draft, to be reviewed again. Both are locked; saved is the job alone.

    Nobody has approved it any more: who did, and when, is in the audit log. CHANGES: what is to be saved.
    """
    job.state, job.code, job.settled_at = State.SUPERSEDED, RECALLED, now
    job.is_redrive = job.is_suspect = False
    job.fence += 1
    job.save(update_fields=["state", "code", "settled_at", "is_redrive", "is_suspect", "fence"])
    draft.job, draft.send_at, draft.held_by, draft.sent_on = None, None, "", None
    draft.approved_by, draft.approved_at = "", None
    state = ACTS[Act.RECALL][1]
    assert state is not None
    draft.state = state
