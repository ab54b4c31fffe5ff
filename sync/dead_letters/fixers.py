"""Who can mend what letters died of: a word of a closed vocabulary, decided by code and cause alone.

The rule: it agrees with what `explanations` says to do. What has no line here has not been thought of, so the
developers look at it first.
"""

from collections.abc import Mapping
from enum import StrEnum

from django.db.models import Q

from sync.ghl.errors import Code
from sync.transitions import Cause
from trainu.faults import WebhookCode


class Fixer(StrEnum):
    """In whose hands it is."""

    OUTAGE = "outage"
    TOKEN = "token"
    DATA = "data"
    BUG = "bug"
    PERSON = "person"

    @property
    def label(self) -> str:
        """For lists: a few words."""
        return _LABELS[self]

    @property
    def words(self) -> str:
        """For pages: a sentence."""
        return _WORDS[self]


_LABELS = {
    Fixer.OUTAGE: "GoHighLevel's outage",
    Fixer.TOKEN: "Our token",
    Fixer.DATA: "The customer's data",
    Fixer.BUG: "Our developers",
    Fixer.PERSON: "A person must look",
}
_WORDS = {
    Fixer.OUTAGE: "GoHighLevel was down or too slow. Nothing is wrong with the letters: wait for it.",
    Fixer.TOKEN: "We lost our access to a location. Whoever looks after it enters a valid token.",
    Fixer.DATA: "Something in the customer's data is not as GoHighLevel wants it. Support can correct it.",
    Fixer.BUG: "Our own software does something wrong. The developers have to mend it.",
    Fixer.PERSON: "Nobody can decide it from here. Somebody has to look in GoHighLevel what is true there.",
}

CODES: Mapping[Fixer, frozenset[str]] = {
    Fixer.OUTAGE: frozenset(
        {
            Code.DNS,
            Code.CONNECTION_REFUSED,
            Code.CONNECTION_FAILED,
            Code.CONNECT_TIMEOUT,
            Code.POOL_TIMEOUT,
            Code.TLS,
            Code.TIMEOUT,
            Code.CONNECTION_RESET,
            Code.NOT_HTTP,
            Code.BAD_RESPONSE,
            Code.NOT_DONE,
            Code.BLOCKED,
            Code.STATUS_408,
            Code.STATUS_425,
            Code.STATUS_500,
            Code.STATUS_502,
            Code.STATUS_503,
            Code.STATUS_504,
            Code.STATUS_5XX,
            Code.RATE_LIMITED,
            Code.QUOTA_EXHAUSTED,
        }
    ),
    Fixer.TOKEN: frozenset(
        {
            Code.UNUSABLE_TOKEN,
            Code.UNAUTHORIZED,
            Code.MISSING_SCOPE,
            Code.WRONG_LOCATION,
            Code.GRANT_REVOKED,
            Code.CLIENT_REFUSED,
        }
    ),
    Fixer.DATA: frozenset(
        {
            Code.TARGET_GONE,
            Code.DUPLICATE,
            Code.STATUS_400,
            Code.STATUS_409,
            Code.STATUS_413,
            Code.STATUS_422,
            Code.STATUS_4XX,
            "not_found",
        }
    ),
    Fixer.BUG: frozenset(
        {
            Code.CLIENT_ERROR,
            Code.REDIRECTED,
            Code.STATUS_404,
            Code.STATUS_415,
            WebhookCode.HANDLER_ERROR,
            "worker_lost",
        }
    ),
    Fixer.PERSON: frozenset(
        {
            Code.OK,
            Code.DUPLICATE_ADOPTED,
            Code.ALREADY_GONE,
            Code.OVERTAKEN,
            Code.KILL_SWITCH,
            Code.QUIET_HOURS,
            Code.DAILY_CAP,
            Code.OPTED_OUT,
            Code.DISMISSED,
            Code.STATUS_403,
            WebhookCode.BAD_PAYLOAD,
            "found",
            "cannot_tell",
        }
    ),
}
_BY_CODE = {code: fixer for fixer, codes in CODES.items() for code in codes}
_BY_HAND = Q(cause=Cause.CHECK_BY_HAND.value)


def of(code: str, cause: str) -> Fixer:
    """Return who can mend what died of this."""
    if cause == Cause.CHECK_BY_HAND:
        return Fixer.PERSON
    return _BY_CODE.get(code, Fixer.BUG)


def rows(fixer: Fixer) -> Q:
    """Return the condition on groups that this one can mend; as `of`."""
    if fixer is Fixer.PERSON:
        return _BY_HAND | Q(code__in=CODES[fixer])
    if fixer is Fixer.BUG:
        return ~_BY_HAND & ~Q(code__in=_BY_CODE.keys() - CODES[fixer])
    return ~_BY_HAND & Q(code__in=CODES[fixer])
