"""The arithmetic of the chain: what an entry hashes to, and how a checkpoint is signed.

The rule: computed here, not by the database's own functions, which whoever rewrites the log could
rewrite too. The bytes are those of `observability_audit_digest` in migration 0005.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.utils.crypto import salted_hmac

from observability.models import AuditCheckpoint

# What stands before the first link.
GENESIS = bytes(32)
_VERSION = "1"
_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)


def digest(seq: int, previous: bytes, entry_id: str, recorded_at: datetime, columns: Sequence[str]) -> bytes:
    """Return the hash of a link. columns: the entry's other columns as texts, in the table's order."""
    parts = (_VERSION, str(seq), previous.hex(), entry_id, str(micros(recorded_at)), *columns)
    found = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        # Each with its length, so that no two rows can read the same.
        found.update(b"%d:%b," % (len(raw), raw))
    return found.digest()


def micros(moment: datetime) -> int:
    """Return a time in whole microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def sign(checkpoint: AuditCheckpoint) -> bytes:
    """Return the HMAC of a checkpoint, under a key that the database does not hold."""
    before = checkpoint.entries_before
    words = (
        str(checkpoint.number),
        str(micros(checkpoint.created_at)),
        checkpoint.reason,
        str(checkpoint.seq),
        bytes(checkpoint.hash).hex(),
        str(micros(before)) if before else "",
    )
    return salted_hmac(
        "observability.audit.checkpoint", "|".join(words), secret=settings.AUDIT_KEY, algorithm="sha256"
    ).digest()


def is_ours(checkpoint: AuditCheckpoint) -> bool:
    """Tell whether a checkpoint was signed with our key, as it stands."""
    return hmac.compare_digest(bytes(checkpoint.hmac), sign(checkpoint))
