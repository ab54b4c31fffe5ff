"""How a person's id is recognised in a text, and what takes its place.

The rule: the id counts as mentioned where it stands by itself or behind a prefix (`client:c-1`), never
inside a longer id (`c-10`, `abc-1`). The same pattern is read by PostgreSQL and by Python.
"""

import re
from typing import Any

from django.utils.crypto import salted_hmac

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{2,63}", re.ASCII)
_SALT = "observability.erasure"


def checked(contact_id: str) -> str:
    """Return the id without blanks around it; raises ValueError for what cannot be a person's id."""
    word = contact_id.strip()
    if not _ID.fullmatch(word):
        raise ValueError(
            "An id has 3 to 64 letters, digits, dots, dashes, colons and underscores. Names, addresses and"
            " numbers of people are not searched for: they are not stored."
        )
    if word.isalpha() and word.islower():
        raise ValueError("This is a word rather than an id: it would be found in other people's data too.")
    return word


def pseudonym(contact_id: str) -> str:
    """Return the word by which the proof knows the person: keyed, so that it cannot be looked up."""
    return _keyed("proof", contact_id)


def token(contact_id: str) -> str:
    """Return what stands in place of the id: the same for one person, so that counts stay right.

    Another key than the proof's, so that the two cannot be brought together either.
    """
    return f"erased-{_keyed('token', contact_id)}"


def pattern(contact_id: str) -> str:
    """Return the regular expression that finds the id where it stands by itself."""
    word = re.escape(contact_id)
    return rf"(?<![A-Za-z0-9_-])(?<![A-Za-z0-9][.]){word}(?![A-Za-z0-9_-]|[.:][A-Za-z0-9])"


def without(value: Any, contact_id: str) -> Any:
    """Return a text, or a JSON document, with the token where the id was mentioned.

    Numbers stay what they are: an id is a text.
    """
    return _replaced(value, re.compile(pattern(contact_id)), token(contact_id))


def _replaced(value: Any, found: re.Pattern[str], by: str) -> Any:
    if isinstance(value, str):
        return found.sub(by, value)
    if isinstance(value, dict):
        return {_replaced(key, found, by): _replaced(item, found, by) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, found, by) for item in value]
    return value


def _keyed(purpose: str, contact_id: str) -> str:
    return salted_hmac(f"{_SALT}.{purpose}", contact_id, algorithm="sha256").hexdigest()[:32]
