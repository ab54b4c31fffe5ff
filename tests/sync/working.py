"""Lanes at work in tests: the real lane, real HTTP to the simulated GoHighLevel, and a clock that is set."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from sync import credentials, jobs
from sync.ghl.transport import Carrier, Timeouts
from sync.lane import Lane
from sync.models import Location, SyncJob
from trainu.demo.ghl import Simulator

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
# For what hangs; a busy machine is as slow now and then.
QUICK = Timeouts(pool_s=1, connect_s=1, read_s=0.4, total_s=0.5)
# For whoever must not take a busy machine for a failure.
PATIENT = Timeouts(pool_s=30, connect_s=10, read_s=10, total_s=30)


@dataclass
class Clock:
    """What time it is for the lanes, and for the simulated GoHighLevel."""

    ghl: Simulator
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.ghl.clock.advance(self.now.timestamp() - self.ghl.clock.now())

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)
        self.ghl.clock.advance(timedelta(**duration).total_seconds())


@dataclass
class Studio:
    """A location on both sides, and lanes that work for it until they find nothing more that is due."""

    ghl: Simulator
    id: str = "studio00000000000001"
    burst: int = 100_000
    timeouts: Timeouts = QUICK
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(self.ghl)
        self.ghl.location(self.id, token=f"pit-{self.id}")
        Location.objects.create(pk=self.id, name="Studio", created_at=NOW, burst_limit=self.burst)
        credentials.hold_private(self.id, SecretStr(f"pit-{self.id}"), now=NOW)

    def enqueue(self, operation: str, payload: dict[str, Any], **options: Any) -> UUID:
        return jobs.enqueue(operation, self.id, payload, now=self.clock.now, **options).job_id

    def contact(self, name: str = "ada") -> str:
        """Make a contact by a job; return its id in GoHighLevel."""
        phone = f"+1202555{len(name):04d}"
        job = self.enqueue("contact.upsert", {"email": f"{name}@example.org", "phone": phone})
        self.work()
        return str(SyncJob.objects.get(pk=job).result["contact_id"])

    def work(self, **options: Any) -> int:
        """Let a lane work until nothing is due any more; return how many attempts it settled."""

        async def run() -> int:
            carrier = Carrier(self.ghl.url, timeouts=self.timeouts)
            lane = Lane(carrier, clock=self.clock, **options)
            return await lane.run(lambda: lane.is_idle)

        return asyncio.run(run())

    def state(self, job: UUID) -> tuple[str, str, int]:
        """Return a job's state, code and tries."""
        row = SyncJob.objects.get(pk=job)
        return row.state, row.code, row.tries
