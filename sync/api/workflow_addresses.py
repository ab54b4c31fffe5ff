"""/api/sync/locations/…/workflow-addresses: secret addresses for a location's workflows, issued and revoked.

The rule: an address is in the answer to the request that issued it and in no other; no cache keeps it.
"""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Path, Router, Schema, Status
from pydantic import Field

from sync.models import Location, WorkflowAddress
from sync.webhooks import workflow
from trainu.problem import Problem, documented
from trainu.scopes import Scope, actor

router = Router(tags=["webhooks"])

MOST = 100
Place = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Number = Annotated[int, Path(ge=1, lt=2**63)]


class AddressLine(Schema):
    id: int
    location_id: str
    issued_at: datetime
    revoked_at: datetime | None = Field(description="Since when it is refused.")


class IssuedAddress(AddressLine):
    address: str = Field(description="What a workflow posts to. A secret, and shown this once.")


@router.get(
    "/locations/{location_id}/workflow-addresses",
    auth=Scope("sync:read"),
    response=list[AddressLine],
    summary="Which addresses may a location's workflows post to?",
    operation_id="list_workflow_addresses",
    openapi_extra=documented({404: "There is no such location."}),
)
def list_addresses(request: HttpRequest, location_id: Place) -> list[dict[str, Any]]:
    """Return a location's newest hundred addresses, revoked ones too; never the secrets in them."""
    rows = _location(location_id).workflow_addresses.order_by("-issued_at", "-pk")
    return [_line(row) for row in rows[:MOST]]


@router.post(
    "/locations/{location_id}/workflow-addresses",
    auth=Scope("sync:operate"),
    response={201: IssuedAddress},
    summary="Issue an address for a location's workflows",
    operation_id="issue_workflow_address",
    openapi_extra=documented({404: "There is no such location."}),
)
def issue(request: HttpRequest, response: HttpResponse, location_id: Place) -> Status[dict[str, Any]]:
    """Issue an address and return it, this once. Those issued before stay valid until they are revoked."""
    issued = workflow.issue_address(_location(location_id), now=timezone.now(), actor=actor(request))
    response["Cache-Control"] = "no-store"
    return Status(201, _line(issued.address) | {"address": request.build_absolute_uri(issued.path)})


@router.delete(
    "/locations/{location_id}/workflow-addresses/{address_id}",
    auth=Scope("sync:operate"),
    response=AddressLine,
    summary="Revoke an address",
    operation_id="revoke_workflow_address",
    openapi_extra=documented({404: "The location has no such address."}),
)
def revoke(request: HttpRequest, location_id: Place, address_id: Number) -> dict[str, Any]:
    """Refuse what is posted to it from now on. One that was revoked before stays as it is."""
    rows = WorkflowAddress.objects.filter(pk=address_id, location_id=location_id)
    if not rows.exists():
        raise Problem(404, "unknown_address", "The location has no such address.")
    workflow.revoke_address(address_id, now=timezone.now(), actor=actor(request))
    return _line(rows.get())


def _location(location_id: str) -> Location:
    location = Location.objects.filter(pk=location_id).first()
    if location is None:
        raise Problem(404, "unknown_location", "There is no such location.")
    return location


def _line(row: WorkflowAddress) -> dict[str, Any]:
    return {
        "id": row.pk,
        "location_id": row.location_id,
        "issued_at": row.issued_at,
        "revoked_at": row.revoked_at,
    }
