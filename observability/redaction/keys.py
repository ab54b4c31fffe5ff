"""What a key says about its value. The rule: a key that holds something personal is told from one about it.

`access_token`, `accessToken`, `HTTP_AUTHORIZATION` and `contact[first_name]` are split into words, and the
words decide; `token_count`, `email_sent` and `phone_id` hold nothing.
"""

import re
from enum import Enum
from functools import lru_cache
from itertools import pairwise

from observability.redaction import vocabulary as v
from observability.redaction.folding import fold
from observability.redaction.placeholders import ANY


class Kind(Enum):
    PLAIN = "nothing personal"
    EMAIL = "an email address"
    PHONE = "a phone number"
    MAYBE_PHONE = "a phone number, when it looks like one"
    SECRET = "a secret"
    MAYBE_SECRET = "a secret, when it looks like one"
    TOKENS = "secrets, or how many tokens there were"
    NAME = "a personal name"
    BARE_NAME = "the name of whatever holds it"
    PRIVATE = "an address, a date of birth, a document's number"
    PERSON = "a person: a dict, an id or a name"


_WORD = re.compile(r"[A-Z]{2,}(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
# A placeholder in a key, but not contact[name].
_SHOWN_BEFORE = re.compile(rf"(?<!\w){ANY.pattern}")
_LONGEST = 200


@lru_cache(maxsize=8192)
def classify(key: str) -> Kind:
    """Return what the value behind `key` is. Linear in the key, of which the end counts when it is long."""
    words = words_of(key)
    if not words:
        return Kind.PLAIN
    joined = "".join(words)
    for kind, holds in _RULES:
        if holds(words, joined):
            return kind
    return Kind.PLAIN


@lru_cache(maxsize=8192)
def is_wrapper(key: str) -> bool:
    """Tell whether a dict under this key is still the person that holds it."""
    return "".join(words_of(key)) in v.WRAPPERS


@lru_cache(maxsize=8192)
def is_thing(key: str) -> bool:
    """Tell whether a dict under this key is no person, though it has a name and an email address."""
    words = words_of(key)
    return bool(words) and words[-1] in v.THINGS


def words_of(key: str) -> list[str]:
    """Return the words of a key, in lower case, without accents; numbers at the end count for nothing."""
    words = [word.lower() for word in _WORD.findall(_SHOWN_BEFORE.sub("", fold(key[-_LONGEST:]).text))]
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    if len(words) > 1 and "mail" in words:
        at = words.index("mail")
        if at and words[at - 1] == "e":
            words[at - 1 : at + 1] = ["email"]
    return words


def _pairs(words: list[str]) -> list[tuple[str, str]]:
    return list(pairwise(words))


def _is_document(words: list[str], _joined: str) -> bool:
    pairs = _pairs(words)
    return any(pair in (("national", "id"), ("tax", "id")) for pair in pairs)


def _is_about(words: list[str], _joined: str) -> bool:
    """A count, a flag, a time or a place of the thing rather than the thing."""
    if len(words) == 1:
        return False
    last = words[-1]
    if last == "date" and words[-2] == "birth":
        return False
    if last == "body" and "email" not in words and "mail" not in words:
        return False
    return last in v.ABOUT or words[0] in v.ABOUT_FIRST or (last == "name" and words[-2] not in v.NAME_OWNERS)


def _is_tokens(words: list[str], _joined: str) -> bool:
    return words[-1] == "tokens" and len(words) == 1


def _is_secret(words: list[str], joined: str) -> bool:
    if len(words) == 1 and joined in v.SECRET_ALONE:
        return True
    if any(word in v.SECRET for word in words):
        return True
    if "token" in words or "tokens" in words:
        owners = v.TOKENS_OWNERS if "tokens" in words else None
        harmless = not v.TOKEN_OWNERS_HARMLESS.isdisjoint(words)
        return not owners.isdisjoint(words) if owners else not harmless
    pairs = _pairs(words)
    if ("code", "verifier") in pairs:
        return True
    if any(second in ("key", "keys") and first in v.KEY_OWNERS for first, second in pairs):
        return True
    if any(second in ("code", "codes") and first in v.CODE_OWNERS for first, second in pairs):
        return True
    if words[-1] == "pass" and words[-2:-1] and words[-2] in v.PASS_OWNERS:
        return True
    if words[-1] == "auth" and len(words) > 1:
        return True
    return any(word.endswith(v.SECRET_ENDINGS) for word in words) or joined.endswith("signingkey")


def _is_email(words: list[str], joined: str) -> bool:
    for at, word in enumerate(words):
        if word in v.EMAIL or (word.endswith(("email", "emails", "emailaddress")) and len(word) > 5):
            return all(tail in v.EMAIL_TAIL for tail in words[at + 1 :])
    return joined in ("mail", "mails", "correo", "courriel", "mailaddress")


def _is_phone(words: list[str], joined: str) -> bool:
    if joined in v.NOT_PHONES or joined.startswith("iphone"):
        return False
    if joined in v.PHONE_JOINED:
        return True
    for at, word in enumerate(words):
        if word in v.PHONE or word in v.PHONE_JOINED:
            return all(tail in v.PHONE_TAIL or tail.isdigit() for tail in words[at + 1 :])
    return any(second == "number" and first in v.NUMBER_OWNERS for first, second in _pairs(words))


def _is_maybe_secret(words: list[str], _joined: str) -> bool:
    return words in v.SECRET_OR_OTHER


def _is_maybe_phone(_words: list[str], joined: str) -> bool:
    return joined in v.PHONE_OR_OTHER


def _is_bare_name(words: list[str], _joined: str) -> bool:
    return words == ["name"]


def _is_name(words: list[str], joined: str) -> bool:
    if joined in v.NAMES or any(word in v.NAMES for word in words):
        return True
    for at, (first, second) in enumerate(_pairs(words)):
        if second in ("name", "names") and first in v.NAME_OWNERS:
            return all(tail in v.NAME_TAIL or tail.isdigit() for tail in words[at + 2 :])
    return words[:2] == ["name", "on"] or joined == "contactperson"


def _is_private(words: list[str], joined: str) -> bool:
    if joined in v.PRIVATE or any(pair in v.PRIVATE_PAIRS for pair in _pairs(words)):
        return True
    if any(word in v.PRIVATE for word in words):
        return True
    return any(word in v.ADDRESSES for word in words) and v.NETWORK_ADDRESSES.isdisjoint(words)


def _is_person(words: list[str], _joined: str) -> bool:
    if (
        words[-1] == "by"
        and len(words) > 1
        and words[0] not in ("order", "sort", "group", "grouped", "sorted")
    ):
        return True
    for at, word in enumerate(words):
        if word in v.PERSONS:
            return all(tail in v.PERSON_TAIL or tail in v.PERSONS for tail in words[at + 1 :])
    return False


# In order: the first that holds decides. Names come before secrets for the sake of cardholderName and the
# like, and "about" before all that a count or a flag could be taken for.
_RULES = (
    (Kind.PRIVATE, _is_document),
    (Kind.BARE_NAME, _is_bare_name),
    (Kind.MAYBE_SECRET, _is_maybe_secret),
    (Kind.PLAIN, _is_about),
    (Kind.TOKENS, _is_tokens),
    (Kind.SECRET, _is_secret),
    (Kind.EMAIL, _is_email),
    (Kind.PHONE, _is_phone),
    (Kind.NAME, _is_name),
    (Kind.PRIVATE, _is_private),
    (Kind.MAYBE_PHONE, _is_maybe_phone),
    (Kind.PERSON, _is_person),
)
