"""A Monday morning for browser tests: dead letters in four causes, the simulated GoHighLevel, and hands.

The rule: staff are the browser. What workers would do meanwhile is done by `Morning.passes`, in a thread of
its own (playwright has an event loop in the test's), with a clock that is set.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.db import connections
from django.utils import timezone
from pydantic import SecretStr

from sync.dead_letters import ramp
from sync.models import CauseGroup
from tests.sync.working import Studio as Place
from trainu.demo import monday
from trainu.demo.ghl import Simulator
from trainu.demo.studios import Studio

PARTS = 20
_NAMES = ("a", "bb", "ccc", "dddd", "eeeee", "ffffff")


class Morning:
    """The weekend's letters in a studio. contacts: who is there in GoHighLevel."""

    def __init__(self, simulator: Simulator, *, parts: int = PARTS) -> None:
        self.ghl = simulator
        self._hands = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hands")
        self.contacts, self.letters = self._hands.submit(self._begin, parts).result()

    def passes(self, rounds: int = 4) -> None:
        """Let workers do what is due, a few minutes long: the dead letter lane and a sync lane in turns."""
        self._hands.submit(self._work, rounds).result()

    def cause(self, trouble: monday.Trouble) -> CauseGroup:
        """Return the cause of one of the weekend's troubles."""
        return CauseGroup.objects.get(subject=trouble.operation, code=trouble.code)

    def ends(self) -> None:
        self._hands.submit(connections.close_all).result()
        self._hands.shutdown()

    def _begin(self, parts: int) -> tuple[tuple[str, ...], int]:
        self.place = Place(self.ghl, id="studioOfTheMonday0001")
        contacts = tuple(self.place.contact(name) for name in _NAMES)
        # Browsers live in the real time, and so did the weekend.
        self.place.clock.advance(seconds=(timezone.now() - self.place.clock.now).total_seconds())
        studio = Studio(self.place.id, "Studio", SecretStr("pit"), contacts, ())
        return contacts, monday.make([studio], now=timezone.now(), seed=7, parts=parts)

    def _work(self, rounds: int) -> None:
        clock = self.place.clock
        behind = timezone.now() - clock.now
        if behind > timedelta(0):
            clock.advance(seconds=behind.total_seconds())
        for _ in range(rounds):
            ramp.step(now=clock.now)
            self.place.work()
            clock.advance(minutes=2)
        ramp.step(now=clock.now)
