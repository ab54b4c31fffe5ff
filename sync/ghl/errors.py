"""How an attempt ended: one outcome, one code of a closed vocabulary, and nothing of what was sent.

The rule: judging is pure. What may have had an effect and cannot be repeated is ambiguous, never
transient; what was held back by a limit costs no attempt; what only a person can mend blames no job.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sync.ghl import rate_limits
from sync.ghl.response import Answer, Cause, Content, Failure, Phase, id_at, object_at


class Outcome(StrEnum):
    """What happens next depends on this alone; see the table in the design."""

    OK = "ok"
    TRANSIENT = "transient"
    DEFERRED = "deferred"
    AMBIGUOUS = "ambiguous"
    PERMANENT = "permanent"
    CONFIGURATION = "configuration"


class Code(StrEnum):
    """Why. Each has its words for staff in `words`."""

    OK = "ok"
    DUPLICATE_ADOPTED = "duplicate_adopted"
    ALREADY_GONE = "already_gone"

    DNS = "dns"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_FAILED = "connection_failed"
    CONNECT_TIMEOUT = "connect_timeout"
    POOL_TIMEOUT = "pool_timeout"
    TLS = "tls"
    TIMEOUT = "timeout"
    CONNECTION_RESET = "connection_reset"
    NOT_HTTP = "not_http"
    CLIENT_ERROR = "client_error"
    BAD_RESPONSE = "bad_response"
    NOT_DONE = "not_done"
    BLOCKED = "blocked"
    REDIRECTED = "redirected"
    STATUS_408 = "status_408"
    STATUS_425 = "status_425"
    STATUS_500 = "status_500"
    STATUS_502 = "status_502"
    STATUS_503 = "status_503"
    STATUS_504 = "status_504"
    STATUS_5XX = "status_5xx"

    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    KILL_SWITCH = "kill_switch"
    # Of a draft's message, that was held back before it was begun.
    QUIET_HOURS = "quiet_hours"
    DAILY_CAP = "daily_cap"

    UNUSABLE_TOKEN = "unusable_token"
    UNAUTHORIZED = "unauthorized"
    MISSING_SCOPE = "missing_scope"
    WRONG_LOCATION = "wrong_location"
    GRANT_REVOKED = "grant_revoked"
    CLIENT_REFUSED = "client_refused"

    TARGET_GONE = "target_gone"
    OVERTAKEN = "overtaken"
    OPTED_OUT = "opted_out"
    DISMISSED = "dismissed"
    DUPLICATE = "duplicate"
    STATUS_400 = "status_400"
    STATUS_403 = "status_403"
    STATUS_404 = "status_404"
    STATUS_409 = "status_409"
    STATUS_413 = "status_413"
    STATUS_415 = "status_415"
    STATUS_422 = "status_422"
    STATUS_4XX = "status_4xx"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on one attempt.

    ids: what GoHighLevel named, for OK only. wait_s: seconds to wait at least; always there for DEFERRED,
    and for TRANSIENT where the answer asked for it. look_up_first: refused, and yet it may have been done
    (GoHighLevel has answered 422 to contacts that it created): look it up before anybody sends it again.
    """

    outcome: Outcome
    code: Code
    ids: Mapping[str, str] = field(default_factory=dict)
    wait_s: float | None = None
    look_up_first: bool = False


class Judged(Protocol):
    """What judging must know of an operation."""

    @property
    def repeatable(self) -> bool: ...

    @property
    def creates(self) -> bool: ...

    @property
    def gone_is_done(self) -> bool: ...

    def result(self, answer: Answer) -> dict[str, str] | None: ...

    def adopt(self, answer: Answer) -> dict[str, str] | None: ...


class Read:
    """Judges a request that changes nothing: any JSON object will do."""

    repeatable = True
    creates = False
    gone_is_done = False

    def result(self, answer: Answer) -> dict[str, str] | None:
        return {} if isinstance(answer.body, dict) else None

    def adopt(self, answer: Answer) -> dict[str, str] | None:
        return None


READ = Read()

# What was in hand when the kill switch was turned is due again at once: the switch holds it, not its time.
HELD_WAIT_S = 1.0

_MISSING = re.compile(r"not found|does not exist|doesn't exist|has been deleted", re.IGNORECASE)
# What GoHighLevel's framework says of an address that it does not know: our mistake, and nothing is gone.
_UNKNOWN_ROUTE = re.compile(r"cannot (get|post|put|patch|delete) /", re.IGNORECASE)
_SCOPE = re.compile(r"\bscopes?\b", re.IGNORECASE)
_OTHER_LOCATION = re.compile(r"access to this (sub-?account|location)", re.IGNORECASE)
_DENIALS = ("succeded", "succeeded", "success")


def classify(operation: Judged, result: Answer | Failure, *, now: datetime, jitter_s: float = 0.0) -> Verdict:
    """Return the verdict on one attempt.

    now: for Retry-After as a date, and for the end of the day's quota. jitter_s: seconds added to a wait
    after 429, so that many who wait do not come back at once.
    """
    if isinstance(result, Failure):
        return _no_answer(operation, result)
    if 200 <= result.status < 300:
        return _success(operation, result)
    if result.status == 429:
        return _held_back(result, now, jitter_s)
    if result.status < 400 or result.status >= 500 or result.status in {408, 425}:
        wait_s = rate_limits.retry_after_s(result.headers.get("retry-after"), now)
        return _unsure(operation, _passing_code(result.status), wait_s)
    return _refused(operation, result)


def is_gone(answer: Answer) -> bool:
    """Whether GoHighLevel itself says that there is no such thing (it does so with 404, 410 and 400)."""
    if answer.content is not Content.JSON or _UNKNOWN_ROUTE.search(answer.message):
        return False
    return answer.status in {404, 410} or (answer.status == 400 and bool(_MISSING.search(answer.message)))


def _no_answer(operation: Judged, failure: Failure) -> Verdict:
    code = Code(failure.cause.value)
    if failure.cause is Cause.UNUSABLE_TOKEN:
        return Verdict(Outcome.CONFIGURATION, code)
    if failure.cause is Cause.KILL_SWITCH:
        return Verdict(Outcome.DEFERRED, code, wait_s=HELD_WAIT_S)
    if failure.phase is Phase.BEFORE_SENDING:
        return Verdict(Outcome.TRANSIENT, code)
    return _unsure(operation, code)


def _unsure(operation: Judged, code: Code, wait_s: float | None = None) -> Verdict:
    """The request was sent, and what became of it is not known."""
    if operation.repeatable:
        return Verdict(Outcome.TRANSIENT, code, wait_s=wait_s)
    return Verdict(Outcome.AMBIGUOUS, code)


def _success(operation: Judged, answer: Answer) -> Verdict:
    if answer.content in {Content.OTHER, Content.CUT_OFF}:
        return _unsure(operation, Code.BAD_RESPONSE)
    if any(object_at(answer.body).get(name) is False for name in _DENIALS):
        return _unsure(operation, Code.NOT_DONE)
    ids = operation.result(answer)
    if ids is None:
        return _unsure(operation, Code.BAD_RESPONSE)
    return Verdict(Outcome.OK, Code.OK, ids=ids)


def _held_back(answer: Answer, now: datetime, jitter_s: float) -> Verdict:
    asked_s = rate_limits.retry_after_s(answer.headers.get("retry-after"), now)
    code = Code.QUOTA_EXHAUSTED if answer.limits.daily_left == 0 else Code.RATE_LIMITED
    return Verdict(Outcome.DEFERRED, code, wait_s=rate_limits.wait_s(answer.limits, asked_s, now, jitter_s))


def _refused(operation: Judged, answer: Answer) -> Verdict:
    status, message = answer.status, answer.message
    if status == 401 or (status == 403 and _SCOPE.search(message)):
        missing = _SCOPE.search(message) is not None
        return Verdict(Outcome.CONFIGURATION, Code.MISSING_SCOPE if missing else Code.UNAUTHORIZED)
    if status == 403 and _OTHER_LOCATION.search(message):
        return Verdict(Outcome.CONFIGURATION, Code.WRONG_LOCATION)
    if status == 403 and answer.content is not Content.JSON:
        # A page of whatever stands before GoHighLevel: the request has not got through to it.
        return Verdict(Outcome.TRANSIENT, Code.BLOCKED)
    if status == 400 and id_at(answer.body, "meta", "contactId"):
        ids = operation.adopt(answer)
        if ids is not None:
            return Verdict(Outcome.OK, Code.DUPLICATE_ADOPTED, ids=ids)
        return Verdict(Outcome.PERMANENT, Code.DUPLICATE)
    if is_gone(answer):
        if operation.gone_is_done:
            return Verdict(Outcome.OK, Code.ALREADY_GONE)
        return Verdict(Outcome.PERMANENT, Code.TARGET_GONE)
    return Verdict(
        Outcome.PERMANENT, _lasting_code(status), look_up_first=status == 422 and operation.creates
    )


def _passing_code(status: int) -> Code:
    return Code.REDIRECTED if status < 400 else _by_status(status, Code.STATUS_5XX)


def _lasting_code(status: int) -> Code:
    return _by_status(status, Code.STATUS_4XX)


def _by_status(status: int, other: Code) -> Code:
    try:
        return Code(f"status_{status}")
    except ValueError:
        return other
