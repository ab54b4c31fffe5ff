"""What a refusal of dead letters' verbs is in HTTP.

The rule: what is not there is 404, what its state does not allow is 409, what does not fit is 422.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sync.dead_letters.refusal import Refused
from trainu.bounded_query import TooBroad
from trainu.problem import Problem

_UNKNOWN = {"unknown_letter", "unknown_group", "unknown_operation", "unknown_view"}
_CONFLICTS = {"wrong_state", "not_dead", "count_changed", "name_taken", "same_person"}


@contextmanager
def refusals() -> Iterator[None]:
    """Answer what a verb refuses as a problem."""
    try:
        yield
    except Refused as refusal:
        status = 404 if refusal.code in _UNKNOWN else 409 if refusal.code in _CONFLICTS else 422
        raise Problem(status, refusal.code, str(refusal)) from None
    except TooBroad:
        raise Problem(
            422, "too_broad", "Looking through so many letters takes too long. Name a group or a location."
        ) from None
