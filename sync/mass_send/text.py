"""Which messages say the same: a number for a text, from which nobody can tell what it says.

The rule: the text itself is kept nowhere but in its job. The number is keyed with the service's secret, so
that it cannot be found out by trying texts.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from django.utils.crypto import salted_hmac

_DIGITS = re.compile(r"\d+")
_PARTS = ("subject", "message", "html")


def key_of(payload: Mapping[str, Any]) -> int:
    """Return the number of a message's text: the same for texts that differ in case, digits and spaces."""
    said = "\n".join(normalised(part) for name in _PARTS if isinstance(part := payload.get(name), str))
    digest = salted_hmac("sync.mass_send.text", said, algorithm="sha256").digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def normalised(text: str) -> str:
    """Return a text as it is compared."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_DIGITS.sub("#", plain).split())
