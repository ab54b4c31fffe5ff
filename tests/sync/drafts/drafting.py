"""Drafts at work in tests: the real lane, real HTTP to a model on loopback, and a clock that is set."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sync.drafts import intake
from sync.drafts.lane import Lane
from sync.drafts.llm.asking import Asker
from sync.models import Draft, DraftAttempt, Location
from tests.llm_server import KEY, MODEL, LLMServer

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STUDIO = "studio00000000000001"
CONTEXT: dict[str, Any] = {
    "client": {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org"},
    "trainer": {"name": "Grace Hopper"},
    "booking": {"starts_at": "2026-11-24T09:00:00Z"},
}


class Kept(Asker):
    """Asks for one lane after another: to be made takes it as long as twenty calls."""

    async def __aexit__(self, *_ended: object) -> None:
        """Stay."""


@dataclass
class Desk:
    """A studio whose drafts are written. timeout_s: of a call."""

    llm: LLMServer
    runner: asyncio.Runner
    timeout_s: float = 20.0
    now: datetime = NOW
    asked: int = field(default=0, init=False)
    asker: Asker | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        Location.objects.create(pk=STUDIO, name="Studio", created_at=NOW)

    def ask(self, **fields: Any) -> UUID:
        """Ask for a draft; return its id."""
        self.asked += 1
        wish = {
            "trainer_id": "t-1",
            "client_id": f"c-{self.asked}",
            "contact_id": f"contact{self.asked}",
            "location_id": STUDIO,
            "channel": "sms",
            "kind": "weekly_checkin",
            "context": CONTEXT,
            "now": self.now,
        }
        return intake.ask(**{**wish, **fields}).draft_id

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    def lane(self, **options: Any) -> Lane:
        if self.asker is None or self.asker.timeout_s != self.timeout_s:
            self.close()
            self.asker = Kept(self.llm.url, KEY, MODEL, timeout_s=self.timeout_s, clock=lambda: self.now)
        return Lane(self.asker, clock=lambda: self.now, poll_s=0.01, **options)

    def close(self) -> None:
        """Let go of the connections to the model."""
        if self.asker is not None:
            self.runner.run(Asker.__aexit__(self.asker, None, None, None))

    def work(self, **options: Any) -> int:
        """Let a lane work until nothing is due any more; return how many tries it settled."""
        lane = self.lane(**options)
        return self.runner.run(lane.run(lambda: lane.is_idle))

    def tries(self, draft_id: UUID) -> list[tuple[int, int, str, str]]:
        """Return a draft's attempts: round, number, outcome, code."""
        rows = DraftAttempt.objects.filter(draft_id=draft_id)
        return list(rows.values_list("round", "number", "outcome", "code"))

    def state(self, draft_id: UUID) -> tuple[str, str]:
        """Return a draft's state and code."""
        row = Draft.objects.get(pk=draft_id)
        return row.state, row.code
