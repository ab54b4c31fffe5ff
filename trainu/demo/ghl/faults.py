"""What goes wrong at the simulated GoHighLevel, on demand and by a seed.

The rule: a fault says which requests it strikes and how often; the first that fits strikes, alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import translate
from random import Random

import orjson

from trainu.demo.ghl.call import Call, Refused, Reply, json_reply

# Before the request takes effect; any other kind of three digits answers with that status.
_BEFORE = {"down", "reset", "hang", "quota"}
# The effect stands, whatever the caller gets to see.
_AFTER = {"reset_after", "hang_after", "wrong_json", "empty", "slow", "created_422"}
KINDS = _BEFORE | _AFTER | {"late"}
_NAMES = {
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass(slots=True)
class Fault:
    """A fault and whom it strikes.

    kind: a status such as "429" or "503"; down or reset (the connection is cut, nothing happened), hang
    (no answer ever), quota (429, the day is used up), late (nothing happens until ms have passed), and
    with the effect done: reset_after, hang_after, wrong_json, empty (2xx without a body), slow (the
    answer takes ms), created_422.
    path: as in file names, `/contacts/*`; contains: a text in the body. skip: leave the first ones
    alone; count: strike so often, then never again. retry_after: seconds, for 429 and 503.
    """

    kind: str
    location: str | None = None
    method: str | None = None
    path: str | None = None
    contains: str | None = None
    probability: float = 1.0
    skip: int = 0
    count: int | None = None
    retry_after: int | None = None
    ms: float = 0.0
    message: str | None = None
    id: int = 0
    struck: int = field(default=0, init=False)
    _fits: "re.Pattern[str] | None" = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS and not re.fullmatch(r"[45]\d\d", self.kind):
            raise ValueError(f"{self.kind}: no such kind of fault; take a status or one of {sorted(KINDS)}")
        self._fits = re.compile(translate(self.path)) if self.path else None

    def strikes(self, call: Call, location_id: str, rng: Random) -> bool:
        """Tell whether it strikes this request, and count it."""
        if self.location is not None and self.location != location_id:
            return False
        if self.method is not None and self.method != call.method:
            return False
        if self._fits is not None and not self._fits.match(call.path):
            return False
        if self.contains is not None and self.contains.encode() not in call.raw:
            return False
        if self.count is not None and self.struck >= self.count:
            return False
        if self.probability < 1 and rng.random() >= self.probability:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.struck += 1
        return True

    @property
    def before(self) -> bool:
        """Whether the request has no effect at all."""
        return self.kind not in _AFTER and self.kind != "late"

    def instead(self, limit_headers: Callable[[bool], dict[str, str]]) -> Reply:
        """Return the answer to a request that has no effect."""
        if self.kind in {"down", "reset"}:
            return Reply(cut=True, status=0)
        if self.kind == "hang":
            return Reply(hang=True, status=0)
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.kind in {"429", "quota"}:
            return Reply(429, b"", limit_headers(self.kind == "quota") | headers)
        status = int(self.kind)
        refused = Refused(status, self.message or _NAMES.get(status, "Refused on demand"))
        return json_reply(status, refused.document, limit_headers(False) | headers)

    def spoil(self, reply: Reply) -> Reply:
        """Return what the caller gets to see of an effect that stands."""
        if self.kind == "reset_after":
            reply.cut = True
        elif self.kind == "hang_after":
            reply.hang = True
        elif self.kind == "wrong_json":
            reply.body = reply.body[: len(reply.body) // 2] or b"<html>"
        elif self.kind == "empty":
            reply.body = b""
        elif self.kind == "slow":
            reply.after_s += self.ms / 1000
        elif self.kind == "created_422" and reply.status < 300:
            reply.status = 422
            reply.body = orjson.dumps(Refused(422, ["The request could not be processed"]).document)
        return reply


class Faults:
    """The faults in force, oldest first."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(f"faults {seed}")
        self._numbers = 0
        self.active: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        self._numbers += 1
        fault.id = self._numbers
        self.active.append(fault)
        return fault

    def clear(self, number: int | None = None) -> int:
        """End one fault or all of them, and return how many."""
        before = len(self.active)
        self.active = [] if number is None else [fault for fault in self.active if fault.id != number]
        return before - len(self.active)

    def strike(self, call: Call, location_id: str) -> Fault | None:
        """Return the fault that strikes this request, if one does."""
        for fault in self.active:
            if fault.strikes(call, location_id, self._rng):
                return fault
        return None
