"""What is shown in place of a value, kind by kind, and how to tell that it is shown already."""

import re

from observability.redaction import emails
from observability.redaction.keys import Kind
from observability.redaction.placeholders import ANY, EMAIL, NAME, PHONE, REDACTED, SECRET

SHOWN = {
    Kind.EMAIL: EMAIL,
    Kind.PHONE: PHONE,
    Kind.SECRET: SECRET,
    Kind.TOKENS: SECRET,
    Kind.NAME: NAME,
    Kind.PRIVATE: REDACTED,
}
SCHEME = re.compile(r"(?i)(?:bearer|basic|token|digest|apikey|negotiate|sso-key)(?:\s|%20|\+)+")
DONE = re.compile(
    rf"(?:(?:bearer|basic|token|digest|apikey|negotiate|sso-key)[ +])?(?:{ANY.pattern})", re.IGNORECASE
)
NETWORK = re.compile(
    r"(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?(?![\d.])|\[?[0-9a-fA-F]{0,4}:[0-9a-fA-F:]{2,}|https?:|unix:|tcp:|localhost\b|0x"
)
_OF_A_KEY = re.compile(r"[A-Za-z0-9_.~+/=\-]+")
_RUN = re.compile(r"[A-Za-z0-9]{16,}")
# A digit, and a letter that is none of hex.
_MIXED = re.compile(r"(?=[A-Za-z]*[0-9])(?=[0-9a-fA-F]*[g-zG-Z])")
PERSON = re.compile(
    r"[A-Z][a-z'\-]{1,30}"
    r"(?: (?:[A-Z][a-z'\-]+[A-Z]?[a-z]*|[A-Z]\.|van|von|de|der|den|del|la|da)){1,3}(?![\w=:/@])"
)


def is_done(value: str, kind: Kind) -> bool:
    """Tell whether `value` is what is shown of a value of this kind."""
    if DONE.fullmatch(value):
        return True
    return kind is Kind.EMAIL and value == emails.keyed(value)


def is_full_name(value: str) -> bool:
    """Tell whether the whole of `value` is a first and a last name, as in {"client": "Jane Doe"}."""
    return PERSON.fullmatch(value) is not None


def looks_random(value: str) -> bool:
    """Tell whether the whole of `value` is a random key rather than an id, a hash in hex or words."""
    if not 24 <= len(value) <= 2000 or _OF_A_KEY.fullmatch(value) is None:
        return False
    return any(_MIXED.match(run) for run in _RUN.findall(value))


def is_network(value: str) -> bool:
    """Tell whether an "address" is a machine's."""
    return NETWORK.match(value) is not None


def scheme_of(value: str) -> str:
    """Return the scheme that stands before a credential, "Bearer " or the like, or nothing."""
    found = SCHEME.match(value)
    return found[0] if found and found.end() < len(value) else ""
