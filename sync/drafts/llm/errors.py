"""Why a try to write a draft failed: a closed vocabulary, read off statuses and exceptions.

The rule: nothing of what a provider said is kept but a code, for it may repeat the prompt or the key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sync.ghl import rate_limits
from trainu.faults import LLMCode


class Code(StrEnum):
    """Values of `Draft.code` and `DraftAttempt.code`."""

    RATE_LIMITED = "rate_limited"
    QUOTA = "quota_exhausted"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    PROVIDER_5XX = "provider_5xx"
    OVERLOADED = "overloaded"
    BAD_RESPONSE = "bad_response"
    AUTH = "auth"
    BAD_REQUEST = "bad_request"
    NO_MODEL = "unknown_model"
    REFUSED = "refused"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    PLACEHOLDER = "placeholder"
    BAD_OUTPUT = "bad_output"
    LOST = "lost"
    BROKEN = "broken"
    NOT_SET_UP = "not_set_up"


MAY_PASS = frozenset(
    {
        Code.RATE_LIMITED,
        Code.QUOTA,
        Code.TIMEOUT,
        Code.CONNECTION,
        Code.PROVIDER_5XX,
        Code.OVERLOADED,
        Code.BAD_RESPONSE,
    }
)


@dataclass(frozen=True, slots=True)
class Usage:
    """Which model has answered, and how much it read and wrote, as it says."""

    model: str = ""
    prompt_tokens: int | None = None
    answer_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A try that wrote nothing. asked_for: how long the answer asks to wait."""

    code: Code
    asked_for: timedelta | None = None
    usage: Usage = Usage()

    @property
    def may_pass(self) -> bool:
        """Whether another try may fare better."""
        return self.code in MAY_PASS


_WORDS = {
    Code.RATE_LIMITED: "The model's provider had too many requests from us. Try again in a few minutes.",
    Code.QUOTA: "The account at the model's provider is used up. Have it topped up, then try again.",
    Code.TIMEOUT: "The model did not answer in time. Try again in a few minutes.",
    Code.CONNECTION: "The model could not be reached, or its answer broke off. Try again in a few minutes.",
    Code.PROVIDER_5XX: "The model's provider has a fault. Try again in a few minutes.",
    Code.OVERLOADED: "The model's provider is overloaded. Try again in a few minutes.",
    Code.BAD_RESPONSE: "What answered is no language model, perhaps a proxy's page. Try again; if it stays"
    " so, have LLM_BASE_URL checked.",
    Code.AUTH: "The model's provider does not accept our key. Have LLM_API_KEY checked, then try again.",
    Code.BAD_REQUEST: "The model's provider does not accept the request. Have LLM_BASE_URL and LLM_MODEL"
    " checked, or write it yourself.",
    Code.NO_MODEL: "The model's provider does not know the model, or the address. Have LLM_MODEL and"
    " LLM_BASE_URL checked.",
    Code.REFUSED: "The model does not want to write this. Ask for it with a hint, or write it yourself.",
    Code.EMPTY: "The model's answer was empty. Ask for it with a hint, or write it yourself.",
    Code.TOO_LONG: "The model wrote more than can be sent. Ask for a shorter one with a hint.",
    Code.PLACEHOLDER: "The model left out the booking's time, or left a gap that nothing fills. Ask for it"
    " again with a hint, or write it yourself.",
    Code.BAD_OUTPUT: "The model's answer cannot be read as a message. Ask for it with a hint.",
    Code.LOST: "Our own process ended while the model wrote, three times. Try again.",
    Code.BROKEN: "Our own program failed on this draft. Write it yourself, and have the logs looked at.",
    Code.NOT_SET_UP: "No language model is set up. Set LLM_MODEL and LLM_API_KEY; drafts wait until then.",
}


def words(code: str) -> str:
    """Return in plain words, for staff, why a draft could not be written, and what to do. Empty for none."""
    if not code:
        return ""
    return _WORDS[Code(code)] if code in set(Code) else "It could not be written. Try again."


# What is counted as a fault of the model's; the rest is nobody's but ours.
_FAULTS = {
    Code.RATE_LIMITED: LLMCode.RATE_LIMITED,
    Code.QUOTA: LLMCode.RATE_LIMITED,
    Code.TIMEOUT: LLMCode.TIMEOUT,
    Code.CONNECTION: LLMCode.CONNECTION,
    Code.PROVIDER_5XX: LLMCode.PROVIDER_5XX,
    Code.OVERLOADED: LLMCode.OVERLOADED,
    Code.AUTH: LLMCode.AUTH,
    Code.BAD_REQUEST: LLMCode.BAD_REQUEST,
    Code.NO_MODEL: LLMCode.BAD_REQUEST,
    Code.BAD_RESPONSE: LLMCode.BAD_OUTPUT,
    Code.REFUSED: LLMCode.BAD_OUTPUT,
    Code.EMPTY: LLMCode.BAD_OUTPUT,
    Code.TOO_LONG: LLMCode.BAD_OUTPUT,
    Code.PLACEHOLDER: LLMCode.BAD_OUTPUT,
    Code.BAD_OUTPUT: LLMCode.BAD_OUTPUT,
}


def fault(code: str) -> LLMCode | None:
    """Return the word under which a failure is counted; None for one that is not the model's."""
    return _FAULTS.get(Code(code)) if code in set(Code) else None


_STATUSES = {
    401: Code.AUTH,
    403: Code.AUTH,
    404: Code.NO_MODEL,
    408: Code.TIMEOUT,
    429: Code.RATE_LIMITED,
    503: Code.OVERLOADED,
    504: Code.TIMEOUT,
    529: Code.OVERLOADED,
}
# What providers call it in their body, whatever the status is.
_NAMED = {
    "insufficient_quota": Code.QUOTA,
    "content_filter": Code.REFUSED,
    "content_policy_violation": Code.REFUSED,
    "model_not_found": Code.NO_MODEL,
}


def of_status(status: int, named: object = None) -> Code:
    """Return what an HTTP status of 300 or more means. named: the error's code in the body."""
    if isinstance(named, str) and named in _NAMED:
        return _NAMED[named]
    return _STATUSES.get(status) or (Code.PROVIDER_5XX if status >= 500 else Code.BAD_REQUEST)


def asked_wait(headers: Mapping[str, Any], *, now: datetime) -> timedelta | None:
    """Return how long an answer asks to wait: seconds or a date in Retry-After. None where it does not."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return timedelta(milliseconds=milliseconds)
    seconds = rate_limits.retry_after_s(headers.get("retry-after"), now)
    return timedelta(seconds=seconds) if seconds else None


def _number(said: object) -> float | None:
    try:
        number = float(str(said))
    except ValueError:
        return None
    # A year is more than anybody waits; and neither nan nor infinity is a time.
    return number if 0 < number < 3.2e10 else None
