"""Webhooks of workflows: unsigned, flat, and known by the secret in the address that they are posted to.

The rule: a secret is shown once, when it is issued, and looked up by its digest. It belongs to one
location, and a body that names another is refused: a copied workflow takes its address along. Issuing and
revoking are in the audit log.
"""

import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import structlog
from django.db import transaction

from sync import signals
from sync.models import Location, Webhook, WorkflowAddress
from sync.signals import Act
from sync.webhooks import envelope, intake, pace, reading, store
from sync.webhooks.fields import Document, child, identifier
from sync.webhooks.intake import Answer
from sync.webhooks.store import Arrival
from trainu.problem import Problem

log = structlog.get_logger(__name__)

PATH = "/api/webhooks/ghl/workflow/"
TARGET_KIND = "sync.workflowaddress"
_LONGEST_SECRET = 200
_LOOKED_AT = 500


@dataclass(frozen=True, slots=True)
class Issued:
    """A new address. path: with the secret; nobody can be shown it again."""

    address: WorkflowAddress
    path: str

    def __repr__(self) -> str:
        return f"Issued({self.address!r})"


@transaction.atomic
def issue_address(location: Location, *, now: datetime, actor: str | None = None) -> Issued:
    """Return a new secret address for a location's workflows; older ones stay valid until revoked.

    actor: who asked for it, None: whoever works now.
    """
    # The shape of an API key, which redaction knows wherever it turns up.
    secret = f"trainu_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
    address = WorkflowAddress.objects.create(location=location, digest=_digest(secret), issued_at=now)
    _told("workflow_address.issue", address.pk, location.pk, actor)
    return Issued(address, f"{PATH}{secret}")


@transaction.atomic
def revoke_address(address_id: int, *, now: datetime, actor: str | None = None) -> bool:
    """Let an address be refused from now on; return whether it was valid before."""
    valid = WorkflowAddress.objects.select_for_update().filter(pk=address_id, revoked_at=None)
    address = valid.first()
    if address is None:
        return False
    address.revoked_at = now
    address.save(update_fields=["revoked_at"])
    _told("workflow_address.revoke", address.pk, address.location_id, actor)
    return True


def heard_at(location_id: str) -> datetime | None:
    """Return when a workflow of a location posted last, as far as its newest webhooks tell."""
    newest = Webhook.objects.filter(location_id=location_id).order_by("-received_at")
    kinds = newest.values_list("kind", "received_at")[:_LOOKED_AT]
    return next((at for kind, at in kinds if kind == Webhook.Kind.WORKFLOW), None)


def accept(raw: bytes, secret: str, *, now: datetime) -> Answer:
    """Take in what was posted to a workflow address.

    Raises Problem 401 for a secret that is not valid, 413, 429 when the address is used too fast, 400
    and 403 for what cannot be of this location; django.db.OperationalError when it cannot be stored now.
    """
    started = time.perf_counter()
    address = _address(secret)
    intake.check_size(raw)
    if wait := pace.wait_s(address.pk):
        raise Problem(
            429, "too_fast", "This workflow posts too often. Does it run in a loop?", retry_after=wait
        )
    document = envelope.document_of(raw)
    if document is None:
        raise Problem(400, "malformed_body", "The body must be a JSON object, as a workflow sends it.")
    _check_location(document, address)
    calendar = child(document, "calendar")
    arrival = Arrival(
        kind=Webhook.Kind.WORKFLOW,
        dedupe_key=_dedupe_key(raw, address, now=now),
        topic=reading.workflow_topic(document),
        body=raw,
        started=started,
        location_id=address.location_id,
        contact_id=reading.workflow_contact_id(document),
        object_id=identifier(calendar, "appointmentId"),
    )
    return intake.answer(store.keep(arrival, now=now))


def _address(secret: str) -> WorkflowAddress:
    """Return the address of a secret. The index compares digests, and their timing tells nothing."""
    if 0 < len(secret) <= _LONGEST_SECRET:
        address = WorkflowAddress.objects.filter(digest=_digest(secret), revoked_at=None).first()
        if address is not None:
            return address
    raise Problem(401, "unknown_address", "There is no such workflow address. Have a new one issued.")


def _check_location(document: Document, address: WorkflowAddress) -> None:
    named = identifier(child(document, "location"), "id") or identifier(document, "location_id", "locationId")
    if named and named != address.location_id:
        log.warning("workflow_of_another_location", location_id=address.location_id)
        raise Problem(
            403,
            "wrong_location",
            "This address belongs to another location: the workflow was copied. Give it one of its own.",
        )


def _dedupe_key(raw: bytes, address: WorkflowAddress, *, now: datetime) -> str:
    """Return what makes a resend the same within an hour.

    A body has no moment of its own: confirmed, canceled and confirmed again are the same bytes twice, and
    must not be taken for a resend. The mirror does not mind a body that is stored again.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    return envelope.digest(address.location_id.encode(), hour.isoformat().encode(), raw)


def _told(action: str, address_id: int, location_id: str, actor: str | None) -> None:
    # An address is known by its number alone, so the entry says whose it is.
    changes = {"location": (None, location_id)}
    act = Act(action, TARGET_KIND, str(address_id), actor=actor, changes=changes)
    signals.acted.send(sender=None, acts=[act])


def _digest(secret: str) -> str:
    return sha256(secret.encode(errors="replace")).hexdigest()
