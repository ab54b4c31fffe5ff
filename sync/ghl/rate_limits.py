"""What GoHighLevel says about its limits: 100 requests in 10 s and 200,000 a day, per app and location.

The rule: a header is a claim. What is no plausible number counts as not said, and no claim makes
anything wait longer than a day and a bit.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# The burst window, for answers that do not say it.
INTERVAL_S = 10.0
LONGEST_WAIT_S = 25 * 3600.0
_NUMBER = re.compile(r"[0-9]{1,12}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The limits an answer told of. None: it did not say, or said no number.

    burst, burst_left: requests in one interval. interval_ms: the interval's length. daily, daily_left:
    requests of one day.
    """

    burst: int | None = None
    burst_left: int | None = None
    interval_ms: int | None = None
    daily: int | None = None
    daily_left: int | None = None


NOT_SAID = RateLimits()


def read(headers: Mapping[str, str]) -> RateLimits:
    """Return the limits in an answer's headers, whose names are in lower case."""
    if "x-ratelimit-remaining" not in headers and "x-ratelimit-daily-remaining" not in headers:
        return NOT_SAID
    return RateLimits(
        burst=_number(headers.get("x-ratelimit-max")),
        burst_left=_number(headers.get("x-ratelimit-remaining")),
        interval_ms=_number(headers.get("x-ratelimit-interval-milliseconds")),
        daily=_number(headers.get("x-ratelimit-limit-daily")),
        daily_left=_number(headers.get("x-ratelimit-daily-remaining")),
    )


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Return the seconds a Retry-After header asks to wait, from 0 to LONGEST_WAIT_S; None for junk.

    value: seconds or an HTTP date, which is compared with `now`.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_WAIT_S)
    try:
        at = parsedate_to_datetime(text)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        seconds = (at - now).total_seconds()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT_S)


def wait_s(limits: RateLimits, retry_after: float | None, now: datetime, jitter_s: float) -> float:
    """Return the seconds to wait after a 429: what it asks for, else one interval, plus the jitter.

    With the day's requests used up: until the next midnight UTC, however short Retry-After is.
    """
    if limits.daily_left == 0:
        midnight = (now.astimezone(UTC) + timedelta(days=1)).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        return max((midnight - now).total_seconds(), retry_after or 0.0) + jitter_s
    if retry_after is not None:
        return retry_after + jitter_s
    interval_s = INTERVAL_S if limits.interval_ms is None else limits.interval_ms / 1000
    return min(interval_s, LONGEST_WAIT_S) + jitter_s


def _number(value: str | None) -> int | None:
    text = (value or "").strip()
    return int(text) if _NUMBER.fullmatch(text) else None
