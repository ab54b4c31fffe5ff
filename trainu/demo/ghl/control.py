"""The control API of the simulated GoHighLevel, in JSON, for whoever is not in its process.

The rule: what Python methods can do, it can do; it has no faults and no limits of its own. Loopback only.
"""

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from trainu.demo.ghl.call import Call, Document, Refused, Reply, json_reply
from trainu.demo.ghl.faults import Fault
from trainu.demo.ghl.state import Settings

if TYPE_CHECKING:
    from trainu.demo.ghl.server import Simulator

Verb = Callable[["Simulator", Call], Any]
_ACTS = [
    "new_contact",
    "book",
    "change",
    "move",
    "confirm",
    "cancel",
    "no_show",
    "show",
    "delete_appointment",
    "change_contact",
    "delete_contact",
    "reply",
    "act",
]
_SHOWN_WEBHOOKS = 1000


def answer(simulator: "Simulator", call: Call) -> Reply:
    """Answer a request to /_control/…"""
    name = call.parts[1] if len(call.parts) > 1 else ""
    verb = _VERBS.get((call.method, name))
    try:
        if verb is None:
            raise Refused(404, f"There is no {call.method} {call.path}; see GET /_control/")
        document = verb(simulator, call)
    except Refused as refused:
        return json_reply(refused.status, refused.document)
    except (TypeError, ValueError, KeyError) as wrong:
        return json_reply(400, {"message": f"{type(wrong).__name__}: {wrong}"})
    if isinstance(document, str):
        return Reply(200, document.encode(), {"Content-Type": "text/plain; charset=utf-8"})
    return json_reply(200, {} if document is None else document)


def _overview(simulator: "Simulator", call: Call) -> Document:
    world = simulator.world
    return {
        "seed": simulator.seed,
        "now": world.stamp(),
        "settings": asdict(simulator.settings),
        "requests": simulator.ledger.total(),
        "webhooks": simulator.webhooks.emitted,
        "trickle_every_s": simulator.trickle_every_s,
        "locations": [
            {
                "id": one.id,
                "name": one.name,
                "timezone": one.timezone,
                "calendars": one.calendars,
                "pipelines": one.pipelines,
                "contacts": len(one.contacts),
                "appointments": len(one.appointments),
            }
            for one in world.locations.values()
        ],
        "verbs": sorted(f"{method} /_control/{name}" for method, name in _VERBS),
    }


def _key(simulator: "Simulator", call: Call) -> str:
    return simulator.public_key


def _add_location(simulator: "Simulator", call: Call) -> Document:
    given = call.json()
    for name in ("match_order", "calendars", "users"):
        if name in given:
            given[name] = tuple(given[name])
    location, token = simulator.location(given.pop("id", ""), token=given.pop("token", ""), **given)
    return {
        "id": location.id,
        "token": token,
        "calendars": location.calendars,
        "pipelines": location.pipelines,
    }


def _tokens(simulator: "Simulator", call: Call) -> Document:
    tokens = simulator.tokens
    return {"calls": dict(tokens.calls), "refused": dict(tokens.refused), "clients": tokens.clients}


def _act_on_tokens(simulator: "Simulator", call: Call) -> Document:
    """Issue, expire or revoke: {action: pair|code|private|expire|revoke, location_id?}."""
    given, tokens = call.json(), simulator.tokens
    location_id = given.get("location_id")
    match given.get("action"):
        case "pair":
            return tokens.pair(location_id)
        case "code":
            return {"code": tokens.code(location_id)}
        case "private":
            return {"token": tokens.private(given["location_id"])}
        case "expire":
            return {"expired": tokens.expire(location_id)}
        case "revoke":
            return {"revoked": tokens.revoke(location_id)}
    raise Refused(400, "action is pair, code, private, expire or revoke")


def _faults(simulator: "Simulator", call: Call) -> Document:
    shown = [one.name for one in fields(Fault) if not one.name.startswith("_")]
    active = simulator.faults.active
    return {"faults": [{name: getattr(one, name) for name in shown} for one in active]}


def _add_fault(simulator: "Simulator", call: Call) -> Document:
    return {"id": simulator.fail(**call.json()).id}


def _end_faults(simulator: "Simulator", call: Call) -> Document:
    return {"ended": simulator.faults.clear(int(call.parts[2]) if len(call.parts) > 2 else None)}


def _set(simulator: "Simulator", call: Call) -> Document:
    known = {one.name for one in fields(Settings)}
    for name, value in call.json().items():
        if name not in known:
            raise Refused(400, f"there is no setting {name}; take one of {sorted(known)}")
        setattr(simulator.settings, name, value)
    return asdict(simulator.settings)


def _limit(simulator: "Simulator", call: Call) -> Document:
    """Set enabled, burst, interval_ms, daily; exhaust: a location whose day is to be used up."""
    given, limits = call.json(), simulator.limits
    if location_id := given.pop("exhaust", None):
        limits.exhaust(location_id, simulator.clock.now())
    for name, value in given.items():
        if name not in {"enabled", "burst", "interval_ms", "daily"}:
            raise Refused(400, f"there is no limit {name}")
        setattr(limits, name, value)
    return {name: getattr(limits, name) for name in ("enabled", "burst", "interval_ms", "daily")}


def _deliver(simulator: "Simulator", call: Call) -> Document:
    if len(call.parts) > 2 and call.parts[2] == "flush":
        simulator.flush()
    else:
        simulator.deliver(**call.json())
    return asdict(simulator.webhooks.delivery)


def _webhooks(simulator: "Simulator", call: Call) -> Document:
    webhooks = simulator.webhooks
    names = ("webhook_id", "type", "location_id", "lost", "statuses")
    shown = list(webhooks.sent)[-_SHOWN_WEBHOOKS:]
    return {
        "emitted": webhooks.emitted,
        "unsettled": webhooks.unsettled,
        "delivery": asdict(webhooks.delivery),
        "webhooks": [{name: getattr(one, name) for name in names} for one in shown],
    }


def _act(simulator: "Simulator", call: Call) -> Document:
    """Let staff do something: {act: book, location_id: …} and the fields of that act."""
    given = call.json()
    act = given.pop("act", "act")
    if act not in _ACTS:
        raise Refused(400, f"act is one of {_ACTS}")
    return {"done": act, "result": getattr(simulator.staff, act)(**given)}


def _trickle(simulator: "Simulator", call: Call) -> Document:
    simulator.trickle_every_s = float(call.json().get("every_s", 0))
    return {"every_s": simulator.trickle_every_s}


def _advance(simulator: "Simulator", call: Call) -> Document:
    simulator.clock.advance(float(call.json()["seconds"]))
    return {"now": simulator.world.stamp()}


def _deliveries(simulator: "Simulator", call: Call) -> Document:
    counted = simulator.ledger.deliveries()
    shown = [{"contact_id": one, "message": key, "times": n} for (one, key), n in counted.items()]
    return {"deliveries": shown, "doubles": sum(1 for times in counted.values() if times > 1)}


def _creations(simulator: "Simulator", call: Call) -> Document:
    counted = simulator.ledger.creations(call.query.get("kind"))
    return {"creations": [{"kind": kind, "key": key, "times": n} for (kind, key), n in counted.items()]}


def _history(simulator: "Simulator", call: Call) -> Document:
    return {"writes": [asdict(one) for one in simulator.ledger.history(call.parts[2])]}


def _requests(simulator: "Simulator", call: Call) -> Document:
    ledger = simulator.ledger
    location_id = call.query.get("location_id", "")
    return {
        "total": ledger.total(),
        "of_location": ledger.total(location_id),
        "most_in_10_s": ledger.most_in(location_id),
        "by_second": {str(second): n for second, n in sorted(ledger.requests(location_id).items())},
        "answers": [
            {"location_id": one, "route": route, "status": status, "times": n}
            for (one, route, status), n in ledger.answers.items()
        ],
    }


def _forget(simulator: "Simulator", call: Call) -> None:
    simulator.ledger.forget()
    simulator.limits.forget()


_VERBS: dict[tuple[str, str], Verb] = {
    ("GET", ""): _overview,
    ("GET", "key"): _key,
    ("POST", "locations"): _add_location,
    ("GET", "tokens"): _tokens,
    ("POST", "tokens"): _act_on_tokens,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _end_faults,
    ("POST", "settings"): _set,
    ("POST", "limits"): _limit,
    ("GET", "webhooks"): _webhooks,
    ("POST", "webhooks"): _deliver,
    ("POST", "staff"): _act,
    ("POST", "trickle"): _trickle,
    ("POST", "advance"): _advance,
    ("GET", "deliveries"): _deliveries,
    ("GET", "creations"): _creations,
    ("GET", "history"): _history,
    ("GET", "requests"): _requests,
    ("POST", "forget"): _forget,
}
