"""What a location tells of itself.

The rule: read only; locations are made by the control API or by `Simulator.location`.
"""

from trainu.demo.ghl.access import of_location
from trainu.demo.ghl.call import Call, Document
from trainu.demo.ghl.route import Route
from trainu.demo.ghl.state import World

VERSION = "2021-07-28"


def _get(world: World, call: Call) -> tuple[int, Document]:
    location = of_location(world, call, call.ids[0])
    return 200, {
        "location": {
            "id": location.id,
            "companyId": location.company_id,
            "name": location.name,
            "timezone": location.timezone,
            "country": "GB",
            "email": f"{location.id.lower()}@example.org",
            "settings": {
                "allowDuplicateContact": location.allow_duplicates,
                "allowDuplicateOpportunity": location.allow_duplicate_opportunities,
                "allowFacebookNameMerge": False,
                "disableContactTimezone": False,
            },
        }
    }


def _custom_fields(world: World, call: Call) -> tuple[int, Document]:
    of_location(world, call, call.ids[0])
    return 200, {"customFields": []}


ROUTES = [
    Route("GET", "/locations/{locationId}", "locations.readonly", _get, VERSION),
    Route(
        "GET",
        "/locations/{locationId}/customFields",
        "locations/customFields.readonly",
        _custom_fields,
        VERSION,
    ),
]
