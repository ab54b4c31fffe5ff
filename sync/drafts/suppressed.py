"""Under which name a contact's refusal of messages is kept once the contact was erased.

The rule: who has said STOP is not written to, erased or not: an app that still knows the contact may ask for
a draft, and the same contact may come back. What is kept is a keyed digest, which leads to nobody.
"""

from django.utils.crypto import salted_hmac

_SALT = "sync.drafts.suppressed"


def kept_as(contact_id: str) -> str:
    """Return what stands for the contact in a consent of somebody who was erased."""
    return f"erased-{salted_hmac(_SALT, contact_id, algorithm='sha256').hexdigest()[:32]}"


def names_of(contact_id: str) -> list[str]:
    """Return under which names consents of a contact are to be looked for."""
    return [contact_id, kept_as(contact_id)]
