"""Events that PostHog refused on their own: the reasons, and sending them again."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_q.tasks import async_task

from observability.audit.actions import Action
from observability.audit.recording import record
from observability.event_search import Key
from observability.models import ForwardRejection
from trainu.admin_records import ReadOnly
from trainu.admin_rendering import pill
from trainu.templatetags.time import ago


@admin.register(ForwardRejection)
class ForwardRejectionAdmin(ReadOnly):
    heading = "Events that PostHog refused"
    intro = (
        "Single events that PostHog would not take. They are stored here all the same; once the cause is "
        "mended, they can be sent again with their own time and uuid."
    )
    nothing_yet = "PostHog has refused no event on its own so far."
    list_display = ["event", "reason", "status", "state_pill", "refused"]
    list_filter = ["state", "event", "status"]
    readonly_fields = ("event", "stored_event", "reason", "status", "state_pill", "refused")
    fields = readonly_fields
    actions = ["resend"]

    def has_delete_permission(self, request: HttpRequest, obj: ForwardRejection | None = None) -> bool:
        return False

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("observability.resend_forwardrejection")

    @admin.action(description="Send the chosen events again", permissions=["resend"])
    def resend(self, request: HttpRequest, queryset: QuerySet[ForwardRejection]) -> None:
        chosen = [str(uuid) for uuid in queryset.values_list("uuid", flat=True)[:1_000]]
        async_task("observability.tasks.resend", chosen)
        record(
            Action.FORWARDER_RESEND,
            target=("observability.forwardrejection", chosen[0] if len(chosen) == 1 else ""),
            changes={"events": (None, len(chosen)), "uuids": (None, chosen)},
        )
        self.message_user(request, f"A worker sends them again: {len(chosen)}.", messages.INFO)

    @admin.display(description="Stored event")
    def stored_event(self, rejection: ForwardRejection) -> SafeString:
        url = reverse("admin:event", args=[str(Key(rejection.timestamp, rejection.uuid))])
        return format_html('<a href="{}"><code>{}</code></a>', url, rejection.uuid)

    @admin.display(description="State", ordering="state")
    def state_pill(self, rejection: ForwardRejection) -> SafeString:
        tone = "bad" if rejection.state == ForwardRejection.State.OPEN else "ok"
        return pill(rejection.get_state_display(), tone)

    @admin.display(description="Refused", ordering="refused_at")
    def refused(self, rejection: ForwardRejection) -> str:
        return ago(rejection.refused_at)
