"""Whom a request may see: only what lives in its token's own location.

The rule: another's location is 403, what does not exist is 404.
"""

from trainu.demo.ghl.call import Call, Refused
from trainu.demo.ghl.state import Location, World

_STORES = {
    "Contact": "contacts",
    "Event": "appointments",
    "Opportunity": "opportunities",
    "Conversation": "messages",
}
_FOREIGN = "The token does not have access to this location."


def of_location(world: World, call: Call, location_id: object) -> Location:
    """Return the location a request names; raise Refused (403, 404, 422)."""
    if not location_id or not isinstance(location_id, str):
        raise Refused(422, ["locationId should not be empty"])
    own = call.grant.location_id
    if own is not None and own != location_id:
        raise Refused(403, _FOREIGN)
    return world.location(location_id)


def home(world: World, call: Call, thing_id: str, what: str) -> Location:
    """Return the location where a thing lives; raise Refused (403, 404)."""
    location = world.home.get(thing_id)
    store = _STORES.get(what)
    if location is None or (store and thing_id not in getattr(location, store)):
        raise Refused(404, f"{what} not found")
    own = call.grant.location_id
    if own is not None and own != location.id:
        raise Refused(403, _FOREIGN)
    return location
