"""Sync in the admin, one noun a file. Pages parse, call one verb, and render."""

from sync.admin import (
    connecting,
    flight,
    held,
    held_messages,
    job,
    kill_switch,
    location,
    read_back,
    workflow_address,
)
from sync.dead_letters import admin as dead_letters
from sync.drafts import admin as drafts
from sync.drafts.digest import admin as digests
from sync.mirror import admin as mirror
from sync.reconciliation import admin as reconciliation
from sync.webhooks import admin as webhook

__all__ = [
    "connecting",
    "dead_letters",
    "digests",
    "drafts",
    "flight",
    "held",
    "held_messages",
    "job",
    "kill_switch",
    "location",
    "mirror",
    "read_back",
    "reconciliation",
    "webhook",
    "workflow_address",
]
