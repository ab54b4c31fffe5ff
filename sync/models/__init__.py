"""The sync engine's rows, one noun a file. Whatever the database can hold as a constraint stands in Meta."""

from sync.models.appointment import AppointmentState
from sync.models.attempt import SyncAttempt
from sync.models.breaker import Breaker
from sync.models.budget import Budget
from sync.models.bulk_operation import BulkItem, BulkOperation
from sync.models.contact import ContactState
from sync.models.credential import Credential
from sync.models.dead_letter import CauseGroup, CauseHour, DeadLetter, GroupNote, LedgerCheck, LetterNote
from sync.models.draft import Draft, DraftAttempt
from sync.models.idle_probe import IdleProbe
from sync.models.job import SyncJob
from sync.models.kill_switch import KillSwitch
from sync.models.location import Location
from sync.models.mass_send import MessageLevel, MessageWatch
from sync.models.message import Consent, Message
from sync.models.reconciliation import Reconciliation, Silence
from sync.models.saved_view import SavedView
from sync.models.trainer import Insight, TrainerDigest, TrainerLogin
from sync.models.webhook import Webhook
from sync.models.workflow_address import WorkflowAddress

__all__ = [
    "AppointmentState",
    "Breaker",
    "Budget",
    "BulkItem",
    "BulkOperation",
    "CauseGroup",
    "CauseHour",
    "Consent",
    "ContactState",
    "Credential",
    "DeadLetter",
    "Draft",
    "DraftAttempt",
    "GroupNote",
    "IdleProbe",
    "Insight",
    "KillSwitch",
    "LedgerCheck",
    "LetterNote",
    "Location",
    "Message",
    "MessageLevel",
    "MessageWatch",
    "Reconciliation",
    "SavedView",
    "Silence",
    "SyncAttempt",
    "SyncJob",
    "TrainerDigest",
    "TrainerLogin",
    "Webhook",
    "WorkflowAddress",
]
