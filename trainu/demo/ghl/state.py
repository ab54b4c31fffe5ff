"""What the simulated GoHighLevel remembers: its locations and everything that lives in them.

The rule: memory only, ids by the seed; whoever changes a thing says so to the ledger and to `emit`.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from string import ascii_letters, digits
from threading import RLock
from zoneinfo import ZoneInfo

from trainu.demo.ghl.call import Document, Refused
from trainu.demo.ghl.ledger import Ledger

_ALPHABET = ascii_letters + digits
COMPANY = "companyOfTheDemo0001"


class Clock:
    """The time of the simulated world, in seconds since 1970: the real one, which tests may set ahead."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._ahead_s = 0.0

    def now(self) -> float:
        return self._source() + self._ahead_s

    def advance(self, seconds: float) -> None:
        self._ahead_s += seconds


@dataclass(slots=True)
class Settings:
    """How this GHL behaves. Each may be changed while it runs.

    latency_ms: added to every answer, after its effect. message_lag_s: how long a new message stays
    out of lists and searches. strict_versions: demand the Version of the official document instead of
    any published one. date_resolution_ms: 1000 makes appointments' dates carry whole seconds.
    check_slots: refuse overlapping appointments. twin_webhooks: a creation or deletion also sends the
    Update that the real one sends at times.
    """

    latency_ms: float = 0.0
    message_lag_s: float = 0.0
    strict_versions: bool = True
    date_resolution_ms: int = 1
    check_slots: bool = False
    twin_webhooks: bool = False


@dataclass(slots=True)
class Location:
    """A sub-account. match_order: by which field an upsert looks first for the contact that is there."""

    id: str
    name: str = "A studio"
    company_id: str = COMPANY
    timezone: str = "Europe/London"
    allow_duplicates: bool = False
    allow_duplicate_opportunities: bool = False
    match_order: tuple[str, ...] = ("email", "phone")
    calendars: tuple[str, ...] = ()
    pipelines: dict[str, tuple[str, ...]] = field(default_factory=dict)
    users: tuple[str, ...] = ()
    contacts: dict[str, Document] = field(default_factory=dict)
    # (email or phone, value) -> ids of contacts, oldest first.
    known_by: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    notes: dict[str, dict[str, Document]] = field(default_factory=dict)
    tasks: dict[str, dict[str, Document]] = field(default_factory=dict)
    appointments: dict[str, Document] = field(default_factory=dict)
    # By contact.
    conversations: dict[str, Document] = field(default_factory=dict)
    # By conversation, oldest first.
    messages: dict[str, list[Document]] = field(default_factory=dict)
    opportunities: dict[str, Document] = field(default_factory=dict)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


Emit = Callable[[str, str, Callable[[], Document]], None]


class World:
    """All locations. emit(type, location id, payload): tells the receiver of webhooks.

    lock: held by whoever reads or changes more than one thing.
    """

    def __init__(self, seed: int, clock: Clock, settings: Settings, ledger: Ledger, emit: Emit) -> None:
        self.seed = seed
        self.lock = RLock()
        self.clock = clock
        self.settings = settings
        self.ledger = ledger
        self.emit = emit
        self.locations: dict[str, Location] = {}
        # Where a contact, appointment, conversation, message or opportunity lives.
        self.home: dict[str, Location] = {}
        self._rng = Random(f"ids {seed}")

    def new_id(self) -> str:
        return "".join(self._rng.choices(_ALPHABET, k=20))

    def fresh_ids(self) -> None:
        """Draw the following ids anew: a second run must not give the ids of the first to other things."""
        self._rng = Random()

    def now_ms(self) -> int:
        return int(self.clock.now() * 1000)

    def stamp(self) -> str:
        """Return now as GHL writes it."""
        return iso(self.now_ms())

    def location(self, location_id: str) -> Location:
        """Return a location; raise Refused (404) for an unknown one."""
        found = self.locations.get(location_id)
        if found is None:
            raise Refused(404, "Location not found")
        return found

    def move_in(self, location: Location) -> Location:
        """Add a location, with a calendar, a pipeline and a user where it has none."""
        location.calendars = location.calendars or (self.new_id(),)
        location.pipelines = location.pipelines or {self.new_id(): tuple(self.new_id() for _ in range(3))}
        location.users = location.users or (self.new_id(),)
        self.locations[location.id] = location
        return location

    def contacts(self) -> Iterator[Document]:
        """Yield every contact of every location."""
        for location in self.locations.values():
            yield from location.contacts.values()


def iso(at_ms: float) -> str:
    """Return a moment in UTC with milliseconds and a Z."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def iso_ms(text: str, zone: ZoneInfo) -> int:
    """Return the moment an ISO text names, in milliseconds; without an offset it is in the zone.

    Raises ValueError for what is no moment.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return round(moment.timestamp() * 1000)
