"""The sync engine's rows, one noun a file. Whatever the database can hold as a constraint stands in Meta."""

from sync.models.attempt import SyncAttempt
from sync.models.budget import Budget
from sync.models.credential import Credential
from sync.models.job import SyncJob
from sync.models.location import Location

__all__ = ["Budget", "Credential", "Location", "SyncAttempt", "SyncJob"]
