"""Events that PostHog refused on their own: the reasons, and sending them again."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django_q.tasks import async_task

from observability.admin.rendering import code, pill
from observability.models import ForwardRejection
from trainu.templatetags.time import ago


@admin.register(ForwardRejection)
class ForwardRejectionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["event", "shown_uuid", "reason", "state_pill", "refused"]
    list_filter = ["state", "event", "status"]
    actions = ["resend"]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ForwardRejection | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ForwardRejection | None = None) -> bool:
        return False

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("observability.resend_forwardrejection")

    @admin.action(description="Send the chosen events again", permissions=["resend"])
    def resend(self, request: HttpRequest, queryset: QuerySet[ForwardRejection]) -> None:
        chosen = [str(uuid) for uuid in queryset.values_list("uuid", flat=True)[:1_000]]
        async_task("observability.tasks.resend", chosen)
        self.message_user(request, f"A worker sends {len(chosen)} events again.", messages.INFO)

    @admin.display(description="uuid")
    def shown_uuid(self, rejection: ForwardRejection) -> SafeString:
        return code(str(rejection.uuid))

    @admin.display(description="State", ordering="state")
    def state_pill(self, rejection: ForwardRejection) -> SafeString:
        tone = "bad" if rejection.state == ForwardRejection.State.OPEN else "ok"
        return pill(rejection.get_state_display(), tone)

    @admin.display(description="Refused", ordering="refused_at")
    def refused(self, rejection: ForwardRejection) -> str:
        return ago(rejection.refused_at)
