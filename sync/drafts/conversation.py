"""What was said between a client and the studio lately, from the mirror of GoHighLevel's messages.

The rule: the newest last, and never more than was asked for.
"""

from sync.models import Message


def of(contact_id: str, location_id: str, *, most: int = 20) -> list[Message]:
    """Return the last messages with a contact, newest last."""
    latest = Message.objects.filter(contact_id=contact_id, location_id=location_id).order_by("-at", "-id")
    return list(reversed(latest[:most]))
