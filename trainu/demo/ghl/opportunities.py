"""Opportunities: created, upserted, moved, won, lost, searched.

The rule: a contact has one in a pipeline unless the location allows more; a new status is told twice,
as GHL tells it: OpportunityUpdate and OpportunityStatusUpdate.
"""

from trainu.demo.ghl import payloads
from trainu.demo.ghl.access import home, of_location
from trainu.demo.ghl.call import Call, Document, Refused
from trainu.demo.ghl.route import Route
from trainu.demo.ghl.shape import Shape
from trainu.demo.ghl.state import Location, World

VERSION = "2021-07-28"
STATUSES = ("open", "won", "lost", "abandoned")
_CHOICES = {"status": (*STATUSES, "all")}
_FIELDS: dict[str, type] = {
    "pipelineId": str,
    "pipelineStageId": str,
    "name": str,
    "status": str,
    "monetaryValue": float,
    "assignedTo": str,
    "customFields": list,
}
_OWNED = {"locationId": str, "contactId": str}
_CREATE = Shape(
    _FIELDS | _OWNED,
    required=("pipelineId", "locationId", "name", "status", "contactId"),
    choices=_CHOICES,
)
_UPSERT = Shape(
    _FIELDS
    | _OWNED
    | {"id": str, "followers": list, "isRemoveAllFollowers": bool, "followersActionType": str}
    | {"lostReasonId": str},
    required=("pipelineId", "locationId"),
    choices=_CHOICES,
)
_UPDATE = Shape(_FIELDS, choices=_CHOICES)
_STATUS = Shape({"status": str, "lostReasonId": str}, required=("status",), choices=_CHOICES)


def create(world: World, location: Location, fields: Document, *, via: str) -> Document:
    """Add an opportunity; raise Refused for an unknown pipeline, stage or contact."""
    _check(location, fields)
    now = world.stamp()
    opportunity: Document = {
        "id": world.new_id(),
        "name": "Opportunity",
        "monetaryValue": 0,
        "pipelineStageId": location.pipelines[fields["pipelineId"]][0],
        "status": "open",
        "source": "api" if via != "staff" else "manual",
        **{name: value for name, value in fields.items() if name in _FIELDS or name in _OWNED},
        "createdAt": now,
        "updatedAt": now,
        "lastStatusChangeAt": now,
        "lastStageChangeAt": now,
        "lastActionDate": now,
        "indexVersion": 1,
    }
    location.opportunities[opportunity["id"]] = opportunity
    world.home[opportunity["id"]] = location
    if via != "staff":
        world.ledger.created("opportunity", opportunity["name"])
    world.ledger.wrote(opportunity["id"], fields, via=via, at=world.clock.now())
    _tell(world, opportunity, "OpportunityCreate")
    if world.settings.twin_webhooks:
        _tell(world, opportunity, "OpportunityUpdate")
    return opportunity


def change(world: World, location: Location, one: Document, fields: Document, *, via: str) -> Document:
    """Change an opportunity."""
    _check(location, {"contactId": one["contactId"], "pipelineId": one["pipelineId"]} | fields)
    before = {name: one.get(name) for name in ("status", "pipelineStageId", "monetaryValue", "assignedTo")}
    one |= {name: value for name, value in fields.items() if name in _FIELDS}
    now = one["updatedAt"] = one["lastActionDate"] = world.stamp()
    world.ledger.wrote(one["id"], fields, via=via, at=world.clock.now())
    _tell(world, one, "OpportunityUpdate")
    if one["status"] != before["status"]:
        one["lastStatusChangeAt"] = now
        _tell(world, one, "OpportunityStatusUpdate")
    if one["pipelineStageId"] != before["pipelineStageId"]:
        one["lastStageChangeAt"] = now
        _tell(world, one, "OpportunityStageUpdate")
    if one["monetaryValue"] != before["monetaryValue"]:
        _tell(world, one, "OpportunityMonetaryValueUpdate")
    if one.get("assignedTo") != before["assignedTo"]:
        _tell(world, one, "OpportunityAssignedToUpdate")
    return one


def _check(location: Location, fields: Document) -> None:
    stages = location.pipelines.get(fields["pipelineId"])
    if stages is None:
        raise Refused(400, "The pipeline id is invalid.")
    if fields.get("pipelineStageId") and fields["pipelineStageId"] not in stages:
        raise Refused(400, "The pipeline stage id is invalid.")
    if fields.get("contactId") not in location.contacts:
        raise Refused(400, "The contact id is invalid.")


def _tell(world: World, one: Document, kind: str) -> None:
    world.emit(kind, one["locationId"], lambda: payloads.opportunity(one))


def _of_contact(location: Location, fields: Document) -> Document | None:
    for one in location.opportunities.values():
        if one["contactId"] == fields.get("contactId") and one["pipelineId"] == fields["pipelineId"]:
            return one
    return None


def _shown(location: Location, one: Document) -> Document:
    contact = location.contacts.get(one["contactId"], {})
    names = ("id", "name", "companyName", "email", "phone", "tags")
    return one | {"contact": {name: contact[name] for name in names if name in contact}, "followers": []}


def _post(world: World, call: Call) -> tuple[int, Document]:
    fields = _CREATE.check(call.json())
    location = of_location(world, call, fields["locationId"])
    if not location.allow_duplicate_opportunities and _of_contact(location, fields):
        raise Refused(400, "Can not create duplicate opportunity for the contact.")
    return 201, {"opportunity": _shown(location, create(world, location, fields, via="create"))}


def _upsert(world: World, call: Call) -> tuple[int, Document]:
    fields = _UPSERT.check(call.json())
    location = of_location(world, call, fields["locationId"])
    if fields.get("id"):
        found = location.opportunities.get(fields["id"])
        if found is None:
            raise Refused(404, "Opportunity not found")
    else:
        found = _of_contact(location, fields)
    if found is None:
        one = create(world, location, fields, via="upsert")
        return 200, {"opportunity": _shown(location, one), "new": True}
    one = change(world, location, found, fields, via="upsert")
    return 200, {"opportunity": _shown(location, one), "new": False}


def _get(world: World, call: Call) -> tuple[int, Document]:
    location, one = _found(world, call)
    return 200, {"opportunity": _shown(location, one)}


def _put(world: World, call: Call) -> tuple[int, Document]:
    fields = _UPDATE.check(call.json())
    location, one = _found(world, call)
    return 200, {"opportunity": _shown(location, change(world, location, one, fields, via="update"))}


def _status(world: World, call: Call) -> tuple[int, Document]:
    fields = _STATUS.check(call.json())
    location, one = _found(world, call)
    change(world, location, one, {"status": fields["status"]}, via="status")
    return 200, {"succeded": True}


def _delete(world: World, call: Call) -> tuple[int, Document]:
    location, one = _found(world, call)
    del location.opportunities[one["id"]], world.home[one["id"]]
    world.ledger.wrote(one["id"], {"deleted": True}, via="delete", at=world.clock.now())
    _tell(world, one, "OpportunityDelete")
    return 200, {"succeded": True}


def _found(world: World, call: Call) -> tuple[Location, Document]:
    location = home(world, call, call.ids[0], "Opportunity")
    return location, location.opportunities[call.ids[0]]


def _search(world: World, call: Call) -> tuple[int, Document]:
    query = call.query
    location = of_location(world, call, query.get("location_id"))
    limit = call.number("limit", 20, most=100)
    page = call.number("page", 1, most=10_000) or 1
    wanted = {
        name: query[asked]
        for asked, name in (
            ("contact_id", "contactId"),
            ("pipeline_id", "pipelineId"),
            ("pipeline_stage_id", "pipelineStageId"),
            ("assigned_to", "assignedTo"),
            ("id", "id"),
            ("status", "status"),
        )
        if query.get(asked) and query[asked] != "all"
    }
    text = query.get("q", "").lower()
    found = [
        one
        for one in location.opportunities.values()
        if all(one.get(name) == value for name, value in wanted.items()) and text in one["name"].lower()
    ]
    found.sort(key=lambda one: (one["createdAt"], one["id"]), reverse=True)
    start = (page - 1) * limit
    if after_id := query.get("startAfterId"):
        ids = [one["id"] for one in found]
        start = ids.index(after_id) + 1 if after_id in ids else len(ids)
    shown = found[start : start + limit]
    meta: Document = {"total": len(found), "currentPage": page}
    if start + limit < len(found):
        meta |= {"nextPage": page + 1, "startAfterId": shown[-1]["id"]}
    return 200, {"opportunities": [_shown(location, one) for one in shown], "meta": meta, "aggregations": {}}


def _pipelines(world: World, call: Call) -> tuple[int, Document]:
    location = of_location(world, call, call.query.get("locationId"))
    return 200, {
        "pipelines": [
            {
                "id": pipeline,
                "name": f"Pipeline {number}",
                "stages": [{"id": stage, "name": f"Stage {place}"} for place, stage in enumerate(stages, 1)],
                "locationId": location.id,
            }
            for number, (pipeline, stages) in enumerate(location.pipelines.items(), 1)
        ]
    }


_READ, _WRITE = "opportunities.readonly", "opportunities.write"
ROUTES = [
    Route("POST", "/opportunities/", _WRITE, _post, VERSION),
    Route("POST", "/opportunities/upsert", _WRITE, _upsert, VERSION),
    Route("GET", "/opportunities/search", _READ, _search, VERSION),
    Route("GET", "/opportunities/pipelines", _READ, _pipelines, VERSION),
    Route("GET", "/opportunities/{id}", _READ, _get, VERSION),
    Route("PUT", "/opportunities/{id}", _WRITE, _put, VERSION),
    Route("PUT", "/opportunities/{id}/status", _WRITE, _status, VERSION),
    Route("DELETE", "/opportunities/{id}", _WRITE, _delete, VERSION),
]
