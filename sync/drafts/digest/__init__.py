"""The weekly digest of a trainer: who is at risk, what was sent, what worked; by email and in the admin.

The rule: what is kept of it are ids, kinds and figures, as they were; names are looked up when it is shown.
"""

from sync.drafts.digest.mailing import mail_due
from sync.drafts.digest.making import make_due

__all__ = ["mail_due", "make_due"]
