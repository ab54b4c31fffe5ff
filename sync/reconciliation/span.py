"""How far back: 24h, 7d, 90m, or a moment, as people write it.

The rule: what cannot be read is refused with an example.
"""

import re
from datetime import UTC, datetime, timedelta

from sync.reconciliation.runs import Refused

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_LENGTH = re.compile(r"([0-9]{1,5})\s*([mhd])", re.ASCII)


def since(text: str, *, now: datetime) -> datetime:
    """Return the moment a text means, in UTC; without an offset it is UTC. Raises Refused."""
    length = _LENGTH.fullmatch(text.strip().lower())
    if length:
        return now - timedelta(**{_UNITS[length[2]]: int(length[1])})
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(
            "invalid_since", "Say how far back as 24h, 7d or 90m, or as a moment: 2026-11-23T08:00Z."
        ) from None
