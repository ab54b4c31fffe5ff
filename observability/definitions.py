"""The database's mirror of the catalog: the code declares, the rows follow.

The rule: schema, category and words of a catalog event are the code's; owner and forwarding are
staff's and survive every mirroring.
"""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from observability import custom_events, openapi
from observability.audit.actions import Action
from observability.audit.recording import record
from observability.catalog import CATALOG
from observability.models import EventDefinition


def mirror_catalog(**_signal: Any) -> None:
    """Make the definitions agree with the catalog. Runs after every migration; safe at any time.

    An event that left the code is marked retired. A custom event whose name the catalog has taken
    over becomes a catalog event.
    """
    kinds = EventDefinition.Kind
    mirrored = [
        EventDefinition(
            name=name,
            kind=kinds.CATALOG,
            category=cls.category,
            description=cls.description(),
            schema=openapi.property_schema(name),
            updated_at=timezone.now(),
        )
        for name, cls in CATALOG.items()
    ]
    with transaction.atomic():
        EventDefinition.objects.bulk_create(
            mirrored,
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=["kind", "category", "description", "schema", "updated_at"],
        )
        EventDefinition.objects.filter(kind=kinds.CATALOG).exclude(name__in=CATALOG).update(
            kind=kinds.RETIRED
        )
    custom_events.forget()


@transaction.atomic
def set_forwarding(definitions: QuerySet[EventDefinition], forwarded: bool) -> int:
    """Have PostHog get events of these definitions, or not; return how many definitions changed."""
    changed = definitions.exclude(forwarded=forwarded).select_for_update().order_by("pk")
    names = list(changed.values_list("pk", flat=True))
    EventDefinition.objects.filter(pk__in=names).update(forwarded=forwarded)
    for name in names:
        record(
            Action.DEFINITION_FORWARDING,
            target=("observability.eventdefinition", name),
            changes={"forwarded": (not forwarded, forwarded)},
        )
    return len(names)
