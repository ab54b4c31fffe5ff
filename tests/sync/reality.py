"""What is true at GoHighLevel, whatever the engine knows of it: for tests that decide each outcome.

The rule: an effect is written down when it happens, and checked at that moment against what must never be.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sync import backoff
from sync.ghl.errors import READ, Verdict, classify
from sync.ghl.lookup import CANNOT_TELL, NOT_FOUND, TARGET_GONE, Finding, found
from sync.ghl.operations import OPERATIONS, AnyOperation
from sync.ghl.response import Answer, Cause, Failure, Phase, read
from sync.models import SyncJob
from sync.queue import Claimed

_IDS = b'{"contact": {"id": "made-1"}, "note": {"id": "made-1"}, "messageId": "made-1", "id": "made-1"}'
# By name: what comes back, whether it takes effect, whether the answer tells that it has not.
_SENT: dict[str, tuple[Answer | Failure, bool, bool]] = {
    "done": (read(200, {}, _IDS), True, False),
    "done, and the answer lost": (Failure(Phase.MAYBE_SENT, Cause.TIMEOUT), True, False),
    "done, and the answer garbled": (read(200, {}, b"<html>"), True, False),
    "done, and 503 all the same": (read(503, {}, b"{}"), True, False),
    "lost under way": (Failure(Phase.MAYBE_SENT, Cause.CONNECTION_RESET), False, False),
    "503": (read(503, {}, b"{}"), False, False),
    "unreachable": (Failure(Phase.BEFORE_SENDING, Cause.CONNECTION_REFUSED), False, True),
    "held back": (read(429, {}, b""), False, True),
    "refused": (read(400, {}, b'{"message": "city is too long"}'), False, True),
    "422": (read(422, {}, b'{"message": "The request could not be processed"}'), False, False),
    "422, and done all the same": (read(422, {}, b'{"message": "Could not be processed"}'), True, False),
    "token refused": (read(401, {}, b'{"message": "Invalid token"}'), False, True),
    "taken back": (Failure(Phase.BEFORE_SENDING, Cause.KILL_SWITCH), False, True),
}
FREE = {"held back", "token refused", "taken back"}
# That one is the kill switch's affair.
SENT = sorted(_SENT.keys() - {"taken back"})
LOOKED_UP = ["truth", "truth", "cannot tell", "target gone", "503", "held back", "token refused"]


@dataclass
class Reality:
    """Jobs as GoHighLevel knows them.

    effects: how often each was done. doubtful: those of which the engine cannot know, and since when.
    costly: sends that cost a try. redriven, forced: by a person, and of these the ones that were not to be
    looked up first.
    """

    effects: Counter[UUID] = field(default_factory=Counter)
    doubtful: dict[UUID, datetime] = field(default_factory=dict)
    costly: Counter[UUID] = field(default_factory=Counter)
    redriven: Counter[UUID] = field(default_factory=Counter)
    forced: Counter[UUID] = field(default_factory=Counter)
    # By ordering key and field: the position of the job that wrote it last.
    writer: defaultdict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))

    def send(self, job: Claimed, row: SyncJob, how: str, *, at: datetime) -> tuple[Verdict, Answer | Failure]:
        """Let a request arrive, or not; return what the engine makes of what comes back."""
        kind = OPERATIONS[job.operation]
        back, is_done, _ = _SENT[how]
        if how not in FREE:
            self.costly[job.id] += 1
            most = backoff.MOST_TRIES + self.redriven[job.id]
            assert self.costly[job.id] <= most, f"{job.operation} was sent {self.costly[job.id]} times"
        if not kind.repeatable:
            assert job.id not in self.doubtful, f"{job.operation} was sent again, and may have been done"
            self.doubtful[job.id] = at
        if is_done and not (how.startswith("422") and not kind.creates):
            self._do(job, row, kind)
        return classify(kind, back, now=at), back

    def knows(self, job: UUID, how: str) -> None:
        """The engine has kept the answer to a request: where that tells it, the job is in doubt no longer."""
        if _SENT[how][2]:
            self.doubtful.pop(job, None)

    def look_up(self, job: Claimed, how: str, *, since: datetime, at: datetime) -> Finding | Verdict:
        """Answer a lookup. since: how far back it looks."""
        kind = OPERATIONS[job.operation]
        if doubtful_since := self.doubtful.get(job.id):
            assert since <= doubtful_since, f"a lookup of {job.operation} looks back too short a time"
            assert at - doubtful_since >= timedelta(seconds=kind.settle_s), "a lookup came too early"
        is_done = self.effects[job.id] > 0
        match how:
            case "truth" if is_done:
                return found(id="made-1")
            case "truth" if job.operation != "message.send":
                return NOT_FOUND
            case "target gone" if not is_done:
                return TARGET_GONE
            case "503" | "held back" | "token refused":
                return classify(READ, _SENT[how][0], now=at)
        return CANNOT_TELL

    def _do(self, job: Claimed, row: SyncJob, kind: AnyOperation) -> None:
        self.effects[job.id] += 1
        if not kind.repeatable:
            assert self.effects[job.id] <= 1 + self.forced[job.id], f"{job.operation} was done twice"
        last = self.writer[row.ordering_key]
        for name in list(last) if row.writes == ["*"] else row.writes:
            overwritten = max(last.get(name, 0), last.get("*", 0))
            if overwritten > row.position:
                self._check_overwriting(row, overwritten)
        last |= dict.fromkeys([*last, "*"] if row.writes == ["*"] else row.writes, row.position)

    def _check_overwriting(self, row: SyncJob, overwritten: int) -> None:
        """A job from the dead letters goes before what still waits or is dead: never before what was done."""
        newer = SyncJob.objects.get(position=overwritten)
        assert row.is_redrive, f"{row.operation} has overwritten what {newer.operation} set later"
        assert newer.state != "succeeded", f"redriven, {row.operation} has overwritten something newer"
