"""What people in GoHighLevel do by themselves: book, move, confirm, cancel, miss, write back.

The rule: the same verbs as the API's endpoints, below HTTP; every act is told by the same webhooks.
People are invented: example.org addresses, telephone numbers reserved for fiction.
"""

from collections.abc import Callable
from functools import wraps
from random import Random
from typing import Any, TypeVar, cast

from trainu.demo.ghl import calendars, contacts, conversations, opportunities
from trainu.demo.ghl.call import Document, Refused
from trainu.demo.ghl.state import Location, World

_FIRST = (
    "Ada Bela Cleo Dario Edda Finn Greta Hugo Ines Jonas Kira Leo Mira Nils Olga Pia Quin Rosa Sven Tilda"
)
_LAST = "Ash Birch Cedar Dale Elm Field Grove Heath Isle Juniper Knoll Larch Moor Nettle Oak Pine Reed Stone"
_HOUR_S = 3600
Verb = TypeVar("Verb", bound=Callable[..., Any])
_REPLIES = (
    "See you then!",
    "Can we move it to the afternoon?",
    "Thanks, that works.",
    "Running late, sorry.",
)
ACTS = ("book", "move", "confirm", "cancel", "no_show", "show", "reply", "new_contact", "win")


def _alone(verb: Verb) -> Verb:
    @wraps(verb)
    def locked(self: "Staff", *args: Any, **fields: Any) -> Any:
        with self._world.lock:
            return verb(self, *args, **fields)

    return cast(Verb, locked)


class Staff:
    """Acts by hand, each returning the thing it changed, and `act` at random for a trickle.

    Safe to call while requests come in.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = Random(f"staff {world.seed}")
        self._people = 0

    @_alone
    def new_contact(self, location_id: str, **fields: Any) -> Document:
        """Enter a contact; a name, an address and a number are invented where none are given."""
        location = self._world.location(location_id)
        return contacts.create(self._world, location, self._invented() | {"source": "front desk"} | fields)

    @_alone
    def book(self, location_id: str, contact_id: str | None = None, **fields: Any) -> Document:
        """Book an appointment, with somebody and within the next days unless told otherwise."""
        location = self._world.location(location_id)
        booking = {
            "calendarId": location.calendars[0],
            "contactId": contact_id or self._somebody(location)["id"],
            "startTime": self._soon(),
            "title": "Training session",
            "appointmentStatus": "confirmed",
        }
        return self._shown(calendars.book(self._world, location, booking | fields, via="staff"))

    @_alone
    def change(self, appointment_id: str, **fields: Any) -> Document:
        """Change an appointment: startTime, endTime, appointmentStatus, assignedUserId, …"""
        location = self._home(appointment_id)
        appointment = location.appointments[appointment_id]
        return self._shown(calendars.change(self._world, location, appointment, fields, via="staff"))

    def move(self, appointment_id: str, start: str | None = None) -> Document:
        """Reschedule to another ISO time, or to one drawn."""
        return self.change(appointment_id, startTime=start or self._soon())

    def confirm(self, appointment_id: str) -> Document:
        return self.change(appointment_id, appointmentStatus="confirmed")

    def cancel(self, appointment_id: str) -> Document:
        return self.change(appointment_id, appointmentStatus="cancelled")

    def no_show(self, appointment_id: str) -> Document:
        return self.change(appointment_id, appointmentStatus="noshow")

    def show(self, appointment_id: str) -> Document:
        return self.change(appointment_id, appointmentStatus="showed")

    @_alone
    def delete_appointment(self, appointment_id: str) -> None:
        location = self._home(appointment_id)
        calendars.remove(self._world, location, location.appointments[appointment_id], via="staff")

    @_alone
    def change_contact(self, contact_id: str, **fields: Any) -> Document:
        location = self._home(contact_id)
        return contacts.change(self._world, location, location.contacts[contact_id], fields, via="staff")

    @_alone
    def delete_contact(self, contact_id: str) -> None:
        location = self._home(contact_id)
        contacts.remove(self._world, location, location.contacts[contact_id])

    @_alone
    def reply(self, contact_id: str, text: str = "") -> Document:
        """Let a contact write."""
        text = text or self._rng.choice(_REPLIES)
        return conversations.receive(self._world, self._home(contact_id), contact_id, text)

    @_alone
    def act(self, location_id: str | None = None) -> str:
        """Do one thing at random, and return which."""
        world, rng = self._world, self._rng
        location = world.location(location_id or rng.choice(sorted(world.locations)))
        if not location.contacts:
            self.new_contact(location.id)
            return "new_contact"
        name = rng.choices(ACTS, weights=(30, 8, 10, 6, 5, 12, 12, 12, 5))[0]
        open_ones = [
            one for one in location.appointments.values() if one["appointmentStatus"] in {"new", "confirmed"}
        ]
        if name not in {"new_contact", "reply", "win"} and not open_ones:
            name = "book"
        if name == "new_contact":
            self.new_contact(location.id)
        elif name == "book":
            self.book(location.id, appointmentStatus=rng.choice(("new", "confirmed")))
        elif name == "reply":
            self.reply(self._somebody(location)["id"])
        elif name == "win":
            self._win(location)
        else:
            getattr(self, name)(rng.choice(open_ones)["id"])
        return name

    def _win(self, location: Location) -> None:
        open_ones = [one for one in location.opportunities.values() if one["status"] == "open"]
        if not open_ones:
            fields = {
                "pipelineId": next(iter(location.pipelines)),
                "contactId": self._somebody(location)["id"],
            }
            fields |= {"name": "Ten sessions", "locationId": location.id}
            opportunities.create(self._world, location, fields, via="staff")
            return
        status = {"status": self._rng.choice(("won", "lost"))}
        opportunities.change(self._world, location, self._rng.choice(open_ones), status, via="staff")

    def _invented(self) -> Document:
        self._people += 1
        rng = self._rng
        first, last = rng.choice(_FIRST.split()), rng.choice(_LAST.split())
        person: Document = {
            "firstName": first,
            "lastName": last,
            "email": f"{first}.{last}.{self._people}@example.org".lower(),
        }
        # Ofcom keeps a thousand mobile numbers for fiction; whoever comes later has none.
        if self._people <= 1000:
            person["phone"] = f"+447700900{self._people - 1:03d}"
        return person

    def _somebody(self, location: Location) -> Document:
        if not location.contacts:
            return self.new_contact(location.id)
        return location.contacts[self._rng.choice(list(location.contacts))]

    def _soon(self) -> str:
        hours = self._rng.randrange(2, 24 * 10)
        now = self._world.clock.now()
        return calendars.utc_text(now - now % _HOUR_S + hours * _HOUR_S)

    def _home(self, thing_id: str) -> Location:
        location = self._world.home.get(thing_id)
        if location is None:
            raise Refused(404, "There is no such appointment or contact")
        return location

    def _shown(self, appointment: Document) -> Document:
        return calendars.shown(self._home(appointment["id"]), appointment)
