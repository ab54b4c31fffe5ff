"""Lanes of which every step is taken by hand: claims, sends, ends and settles in whatever order a test wants.

The rule: the engine's own code claims, decides and settles; only what GoHighLevel does is `Reality`'s.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Min

from sync import attempt, attempt_log, breaker, jobs, locations, queue, recovery, settlement, superseding
from sync.attempt import Ended
from sync.ghl.errors import Verdict
from sync.ghl.lookup import Finding, Found
from sync.ghl.operations import OPERATIONS
from sync.models import Breaker, Budget, KillSwitch, Location, SyncAttempt, SyncJob
from sync.queue import Claimed
from sync.transitions import State
from tests.sync.reality import FREE, Reality
from tests.sync.working import NOW

LOCATION = "loc-1"
OPEN = (State.WAITING, State.LEASED)
# An attempt has ended after this long, with what it knows; the lease is longer.
GIVES_UP = timedelta(seconds=20)


@dataclass(eq=False)
class Hand:
    """A job in a lane's hand. how: what came of it, once it has ended."""

    job: Claimed
    begun_at: datetime
    ended: Ended | None = None
    how: str = ""


@dataclass(eq=False)
class Floor:
    """A location's jobs, the lanes that work on them, and those that were killed: they may yet come back."""

    now: datetime = NOW
    there: Reality = field(default_factory=Reality)
    lanes: list[list[Hand]] = field(default_factory=lambda: [[], [], []])
    ghosts: list[list[Hand]] = field(default_factory=list)
    known: dict[UUID, SyncJob] = field(default_factory=dict)
    settled: set[tuple[UUID, int]] = field(default_factory=set)
    is_on: bool = False

    def __post_init__(self) -> None:
        Location.objects.create(pk=LOCATION, name="Studio", created_at=NOW, burst_limit=50)

    def enqueue(self, operation: str, payload: dict[str, Any], key: str = "") -> None:
        # No two are due at the same moment, for nobody knows which of them would be claimed first.
        self.now += timedelta(milliseconds=1)
        try:
            with transaction.atomic():
                taken = jobs.enqueue(operation, LOCATION, payload, idempotency_key=key, now=self.now)
        except jobs.Refused as refused:
            assert refused.code == "idempotency_key_reused"
            return
        assert taken.is_duplicate == (taken.job_id in self.known)
        self.known[taken.job_id] = SyncJob.objects.get(pk=taken.job_id)

    def claim(self, lane: list[Hand], most: int, *, suspects: bool = False) -> list[Hand]:
        """Take jobs in hand, as a lane does."""
        claimed = queue.claim(now=self.now, most=most, suspects=suspects)
        assert not [job for job in claimed if self.is_killed(job)], "the kill switch does not hold a message"
        claimed.sort(key=lambda job: self.known[job.id].position)
        overtaken = superseding.by_done([job.id for job in claimed if job.is_redrive])
        hands = [Hand(job, self.now) for job in claimed]
        for hand in hands:
            if hand.job.id in overtaken:
                wholly = overtaken[hand.job.id]
                hand.ended = recovery.overtaken(hand.job, wholly=wholly, now=self.now)
        lane += hands
        return hands

    def end(self, hand: Hand, sent: str, looked_up: str) -> None:
        """Let an attempt end, in one of the ways of `Reality`, if it has not yet."""
        if hand.ended:
            return
        job, answer = hand.job, None
        if self.is_killed(job):
            sent = "taken back"
        hand.how = looked_up if job.is_lookup else sent
        result: Verdict | Finding
        if job.is_lookup:
            past = attempt_log.past(job.id, job.location_id, job.operation, job.created_at)
            result = self.there.look_up(job, hand.how, since=past.sent_at, at=self.now)
        else:
            row = SyncJob.objects.get(pk=job.id)
            result, answer = self.there.send(job, row, hand.how, at=self.now)
        following = attempt.next_of(job, OPERATIONS[job.operation], result)
        kind = "lookup" if job.is_lookup else "send"
        hand.ended = Ended(job, kind, result, following, hand.begun_at, 1.0, answer=answer, requests=1)

    def settle(self, hands: Sequence[Hand]) -> None:
        """Settle what has ended, in one batch, and check that the fence decides whose it is."""
        batch = {hand.job.id: hand for hand in hands if hand.ended}
        if not batch:
            return
        before = {row.pk: row for row in SyncJob.objects.filter(pk__in=batch)}
        mine = settlement.settle([hand.ended for hand in batch.values() if hand.ended], now=self.now)
        after = {row.pk: row for row in SyncJob.objects.filter(pk__in=batch)}
        for id, hand in batch.items():
            was, row = before[id], after[id]
            assert (id in mine) == ((was.state, was.fence) == (State.LEASED, hand.job.fence))
            if id in mine:
                self._kept(hand)
            else:
                assert (row.state, row.fence, row.next_at) == (was.state, was.fence, was.next_at)
            self.settled.add((id, hand.job.fence))

    def settle_lane(self, number: int) -> None:
        self.settle(self.lanes[number])
        self.lanes[number] = [hand for hand in self.lanes[number] if not hand.ended]

    def lose(self, number: int, sents: Sequence[str]) -> None:
        """Kill a lane. sents: what becomes of its requests, empty for those it has not sent yet."""
        lane, self.lanes[number] = self.lanes[number], []
        for hand, sent in zip(lane, sents, strict=False):
            if sent and not hand.ended and not hand.job.is_lookup and not self.is_killed(hand.job):
                self.there.send(hand.job, SyncJob.objects.get(pk=hand.job.id), sent, at=self.now)
        self.ghosts.append(lane)

    def turn(self, *, on: bool) -> None:
        """Turn the kill switch. What this is told of is left out, for no job depends on it."""
        self.is_on = on
        row = {"is_on": on, "by": "staff:1", "reason": "A test", "changed_at": self.now}
        KillSwitch.objects.update_or_create(pk=1, defaults=row)

    def is_killed(self, job: Claimed) -> bool:
        return self.is_on and job.operation == "message.send"

    def lose_recovery(self) -> None:
        """Kill a recovery with a job in its hand that was lost before."""
        if lost := queue.claim_lost(now=self.now):
            self.ghosts.append([Hand(lost[0], self.now)])

    def come_back(self, number: int) -> None:
        """Let a lane that was taken for lost settle what it had in hand."""
        ghost = self.ghosts.pop(number % len(self.ghosts)) if self.ghosts else []
        for hand in ghost:
            hand.ended = hand.ended or attempt.given_up(hand.job, started_at=hand.begun_at)
        self.settle(ghost)

    def advance(self, then: datetime, sent: str = "lost under way") -> None:
        """Let time pass; requests under way in living lanes run into their time limit."""
        for hand in self.pending():
            if hand.begun_at + GIVES_UP <= then:
                self.end(hand, sent, "503")
        self.now = max(self.now, then)

    def work(self, sent: str, looked_up: str, most: int = 3) -> bool:
        """Let a lane and a recovery lane do what is due now; tell whether anything was."""
        recovery.take_back(now=self.now)
        lane: list[Hand] = []
        for hand in self.claim(lane, most) + self.claim(lane, 1, suspects=True):
            self.end(hand, sent, looked_up)
        self.settle(lane)
        return bool(lane)

    def look_after(self, *, answers: bool) -> bool:
        """Let staff mend the location, and the breaker's question be asked; tell whether staff had to."""
        for location_id in breaker.due(now=self.now, most=10):
            breaker.note_question(location_id, answers=answers, now=self.now)
        return locations.resume(LOCATION)

    def redrive(self, number: int, *, look_first: bool) -> bool:
        """Let a person redrive a dead job; tell whether there was one."""
        dead = SyncJob.objects.filter(state=State.DEAD).order_by("position").values_list("pk", flat=True)
        if not dead:
            return False
        job = dead[number % len(dead)]
        assert jobs.revive([job], now=self.now, look_first=look_first) == {job}
        self.there.redriven[job] += 1
        if not look_first:
            self.there.forced[job] += 1
            self.there.doubtful.pop(job, None)
        return True

    def pending(self) -> list[Hand]:
        return [hand for lane in self.lanes for hand in lane if not hand.ended]

    def is_waiting(self) -> bool:
        return SyncJob.objects.filter(state=State.WAITING).exists()

    def next_due(self) -> datetime:
        due = SyncJob.objects.filter(state=State.WAITING).aggregate(at=Min("next_at"))["at"]
        return max(self.now, due or self.now)

    def next_lease_end(self) -> datetime:
        end = SyncJob.objects.filter(state=State.LEASED).aggregate(at=Min("next_at"))["at"]
        return max(self.now, end or self.now)

    def next_moment(self) -> datetime:
        """When something is due next that is not yet."""
        moments = [*SyncJob.objects.filter(state__in=OPEN).values_list("next_at", flat=True)]
        moments += Budget.objects.exclude(held_until=None).values_list("held_until", flat=True)
        moments += Breaker.objects.exclude(state="closed").values_list("probe_at", flat=True)
        return min((at for at in moments if at > self.now), default=self.now + timedelta(seconds=1))

    def check(self) -> None:
        """No job is lost, of one order one is in hand, and what is in hand is left to whoever has it."""
        rows = SyncJob.objects.values_list("pk", "state", "ordering_key", "fence")
        assert {job for job, *_ in rows} == set(self.known)
        in_hand = [order for _, state, order, _ in rows if state == State.LEASED and order]
        assert len(in_hand) == len(set(in_hand)), "two of one order are in hand"
        ended = {(job, fence): state for job, state, _, fence in rows if state != State.LEASED}
        for hand in (hand for lane in self.lanes for hand in lane):
            assert (hand.job.id, hand.job.fence) not in ended, "what was in hand, somebody else has ended"

    def work_off(self) -> None:
        """All is well from now on, and time passes: every job ends, and as it should."""
        self.turn(on=False)
        self.ghosts += self.lanes
        self.lanes = [[]]
        for _ in range(40 * (1 + len(self.known))):
            if not SyncJob.objects.filter(state__in=OPEN).exists():
                break
            is_mended = self.look_after(answers=True)
            if not self.work("done", "truth", most=100) and not is_mended:
                self.advance(self.next_moment())
        self._check_ends()

    def _kept(self, hand: Hand) -> None:
        assert hand.ended
        result = hand.ended.result
        if hand.how:
            costs = 0 if hand.job.is_lookup or hand.how in FREE else 1
            assert hand.ended.next.tries == hand.job.tries + costs, f"{hand.how} costs {costs} tries"
        if isinstance(result, Finding):
            if result.found is Found.NOT_FOUND:
                self.there.doubtful.pop(hand.job.id, None)
        elif hand.how and not hand.job.is_lookup:
            self.there.knows(hand.job.id, hand.how)

    def _check_ends(self) -> None:
        rows = list(SyncJob.objects.order_by("position"))
        stuck = [(row.operation, row.state, row.code) for row in rows if row.state in OPEN]
        assert not stuck, f"given time and answers, these did not end: {stuck}"
        for row in rows:
            done = self.there.effects[row.pk]
            if row.state == State.SUCCEEDED:
                assert done, f"{row.operation} counts as done, and is not"
                self._check_last_values(row)
            elif row.state == State.SUPERSEDED:
                assert any(covers(other, row) for other in rows), f"{row.operation} is superseded by nothing"
            elif row.cause != "check_by_hand" and not OPERATIONS[row.operation].repeatable:
                assert not done, f"{row.operation} counts as not done ({row.cause}), and is"
        kept = set(SyncAttempt.objects.values_list("job_id", "fence"))
        assert self.settled <= kept, "an attempt left no trace"

    def _check_last_values(self, succeeded: SyncJob) -> None:
        last = self.there.writer[succeeded.ordering_key]
        for name in succeeded.writes:
            assert last[name] >= succeeded.position, f"{name}: an update is lost"


def covers(newer: SyncJob, older: SyncJob) -> bool:
    is_newer = newer.ordering_key == older.ordering_key and newer.position > older.position
    return is_newer and (newer.writes == ["*"] or set(newer.writes) >= set(older.writes))


def payload_of(operation: str, contact: str, fields: Iterable[str]) -> dict[str, Any]:
    match operation:
        case "contact.update":
            return {"contact_id": contact, **dict.fromkeys(fields, "x")}
        case "contact.upsert":
            return {"email": f"{contact}@example.org", **dict.fromkeys(fields, "x")}
        case "contact.add_tags":
            return {"contact_id": contact, "tags": sorted(fields)}
        case "note.create":
            return {"contact_id": contact, "body": "Prefers mornings."}
        case "message.send":
            return {"channel": "SMS", "contact_id": contact, "message": "See you at nine."}
    return {"contact_id": contact}
