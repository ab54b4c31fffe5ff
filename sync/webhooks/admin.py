"""Webhooks as staff see them: what came in, whose it is, what became of it, and the shape of its body.

The rule: bodies are personal. A page shows which fields there are, and ids; never what was written in them.
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from sync.ghl import masking
from sync.models import Webhook
from sync.webhooks.envelope import document_of
from trainu.admin_records import Newest, ReadOnly
from trainu.admin_rendering import block, pill, pretty

_TONES = {"done": "ok", "dead": "bad", "waiting": "info", "leased": "info", "ignored": "warn"}


@admin.register(Webhook)
class WebhookAdmin(ReadOnly):
    intro = (
        "What GoHighLevel has told us, as it came in. Bodies hold people's data, so a page shows only which"
        " fields a body has, and ids. Done and ignored webhooks are kept for 30 days."
    )
    nothing_yet = "Webhooks appear here as soon as GoHighLevel posts to /api/webhooks/ghl."
    list_display = ("received_at", "topic", "location", "state_shown", "code", "tries", "kind")
    list_filter = ("state", "kind")
    search_fields = ("=dedupe_key", "=correlation_id", "=contact_id", "=object_id")
    search_help_text = "A webhook's id, a correlation id, or the id of a contact or object, whole."
    list_select_related = ("location",)
    paginator = Newest
    ordering = ("-received_at", "-id")
    fields = (
        "topic",
        "kind",
        "location",
        "state_shown",
        "code",
        "tries",
        "next_at",
        "received_at",
        "sent_at",
        "processed_at",
        "contact_id",
        "object_id",
        "dedupe_key",
        "correlation_id",
        "body_masked",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        rows: QuerySet[Webhook] = super().get_queryset(request)
        # A list does not need a megabyte a row.
        return rows.defer("body")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Without its row a resend would come in anew. Retention and erasure know what may go.
        return False

    @admin.display(description="State", ordering="state")
    def state_shown(self, webhook: Webhook) -> str:
        return pill(webhook.get_state_display(), _TONES[webhook.state])

    @admin.display(description="Body, masked")
    def body_masked(self, webhook: Webhook) -> str:
        body = bytes(webhook.body)
        if not body:
            return "Erased, at the wish of the person it was about."
        document: Any = document_of(body)
        if document is None:
            return f"No JSON object: {len(body):,} bytes."
        return block(pretty(masking.mask(document)))
