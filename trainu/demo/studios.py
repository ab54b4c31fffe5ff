"""The demo's locations: the same on both sides, in the simulated GoHighLevel and in this service.

The rule: ids, tokens and the webhooks' key come from the seed, so that both sides know them without talking.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from pydantic import SecretStr

from sync import credentials
from sync.models import Location
from trainu.demo.ghl import Simulator
from trainu.demo.ghl.server import populate
from trainu.supervisor import Service

COUNT = 4
CONTACTS_EACH = 25
TRICKLE_S = 6.0


@dataclass(frozen=True, slots=True)
class Studio:
    """A location as it begins. contacts, calendars: ids in the simulated GoHighLevel.

    people: by contact, what an app knows of the person: invented, as everybody there.
    """

    id: str
    name: str
    token: SecretStr
    contacts: tuple[str, ...]
    calendars: tuple[str, ...]
    people: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def studios(seed: int) -> list[Studio]:
    """Return the locations as the simulated GoHighLevel begins with them."""
    simulator = Simulator(seed=seed)
    found = []
    for id, token in populate(simulator, locations=COUNT, contacts_each=CONTACTS_EACH):
        there = simulator.world.locations[id]
        calendars = tuple(there.calendars)
        people = {key: _known(contact) for key, contact in there.contacts.items()}
        found.append(Studio(id, there.name, SecretStr(token), tuple(there.contacts), calendars, people))
    return found


def _known(contact: Mapping[str, Any]) -> dict[str, str]:
    names = {"first_name": "firstName", "last_name": "lastName", "email": "email", "phone": "phone"}
    return {ours: str(contact[theirs]) for ours, theirs in names.items() if contact.get(theirs)}


def webhook_key(seed: int) -> str:
    """Return the public key of the simulated webhooks as settings take it: without the PEM's frame."""
    lines = Simulator(seed=seed).public_key.strip().splitlines()
    return "".join(lines[1:-1])


def service(seed: int, *, port: int, webhooks: str) -> Service:
    """Return the simulated GoHighLevel as a process. webhooks: the address that receives them."""
    command = [sys.executable, "-m", "trainu.demo.ghl", "--port", str(port), "--seed", str(seed)]
    command += ["--locations", str(COUNT), "--contacts", str(CONTACTS_EACH)]
    command += ["--webhooks", webhooks, "--trickle-s", str(TRICKLE_S), "--rough"]
    return Service("Simulated GoHighLevel", command, {})


def open_them(seed: int) -> None:
    """Make the locations known to this service; those that are there already keep their state."""
    now = timezone.now()
    for studio in studios(seed):
        Location.objects.get_or_create(pk=studio.id, defaults={"name": studio.name, "created_at": now})
        credentials.hold_private(studio.id, studio.token, now=now)
