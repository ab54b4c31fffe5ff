"""/api/dead-letters/views: the team's filters of the list of letters, by name.

The rule: a view is an address's query; whoever reads it sees what they may see.
"""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status
from pydantic import Field

from sync.api.letter_answers import refusals
from sync.api.letter_shapes import Closed, Id
from sync.dead_letters import views
from sync.models import SavedView
from trainu.problem import documented
from trainu.scopes import Scope, actor

router = Router(tags=["dead letters"])

READ, OPERATE = "sync:read", "sync:operate"


class View(Schema):
    """query: of the list's address in the admin, without the question mark."""

    view_id: int
    name: str
    query: str
    by: str
    saved_at: datetime


class ViewList(Schema):
    views: list[View]


class NewView(Closed):
    name: str = Field(description="Up to 60 characters, nothing personal.")
    query: str = Field(description="Such as code=status_422&before=7d. Nothing personal: everybody sees it.")


@router.get(
    "",
    auth=Scope(READ),
    response=ViewList,
    summary="List the team's saved views",
    operation_id="list_saved_views",
    openapi_extra=documented({}),
)
def list_views(request: HttpRequest) -> dict[str, Any]:
    """Return every saved view, by name; there are at most 100."""
    return {"views": [_line(view) for view in views.all_views()]}


@router.post(
    "",
    auth=Scope(OPERATE),
    response={201: View},
    summary="Save a view for everybody",
    operation_id="save_view",
    openapi_extra=documented(
        {409: "There is one of this name.", 422: "It cannot be read, or may be personal."}
    ),
)
def save(request: HttpRequest, wanted: NewView) -> Status[dict[str, Any]]:
    """Keep a filter under a name. Ages such as 7d stay ages."""
    with refusals():
        view = views.save(wanted.name, wanted.query, by=actor(request), now=timezone.now())
    return Status(201, _line(view))


@router.post(
    "/{int:view_id}/remove",
    auth=Scope(OPERATE),
    response={204: None},
    summary="Remove a view for everybody",
    operation_id="remove_view",
    openapi_extra=documented({404: "There is no such view."}),
)
def remove(request: HttpRequest, view_id: Id) -> Status[None]:
    """Take a view away; the letters stay as they are."""
    with refusals():
        views.remove(view_id, by=actor(request))
    return Status(204, None)


def _line(view: SavedView) -> dict[str, Any]:
    return {
        "view_id": view.pk,
        "name": view.name,
        "query": view.query,
        "by": view.by,
        "saved_at": view.saved_at,
    }
