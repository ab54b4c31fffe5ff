"""Event definitions: what there is, how much of it, who answers for it, and whether PostHog gets it."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from observability import custom_events, definitions, quarantine
from observability.admin.event_definition_form import EventDefinitionForm
from observability.admin.schema_words import properties
from observability.models import EventDefinition, QuarantineGroup
from trainu.admin_records import Explained
from trainu.admin_rendering import pill, pretty
from trainu.templatetags.time import ago

_TONES = {"catalog": "info", "custom": "ok", "retired": "warn"}


@admin.register(EventDefinition)
class EventDefinitionAdmin(Explained):
    form = EventDefinitionForm
    intro = (
        "Every event that may be reported. Those of the catalog are declared in the code; staff can add "
        "custom ones, and decide for each whether PostHog gets it."
    )
    list_display = ["name", "kind_pill", "category", "volume_figure", "last_seen", "owner", "is_forwarded"]
    list_filter = ["kind", "category", "forwarded"]
    search_fields = ["name", "description", "owner"]
    search_help_text = "Name, description or owner"
    actions = ["switch_forwarding_on", "switch_forwarding_off"]
    audited_values = ["forwarded"]

    def get_fieldsets(self, request: HttpRequest, obj: EventDefinition | None = None) -> Any:
        if obj is None:
            return [
                ("What it is", {"fields": ["name", "description", "owner", "forwarded"]}),
                ("What it carries", {"fields": ["schema"]}),
            ]
        is_custom = obj.kind == EventDefinition.Kind.CUSTOM
        return [
            ("What it is", {"fields": ["kind_pill", "category", "description"]}),
            ("What staff decide", {"fields": ["owner", "forwarded"]}),
            ("How much of it", {"fields": ["volume_figure", "first_seen", "last_seen", "links"]}),
            ("What it carries", {"fields": ["schema" if is_custom else "property_table"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: EventDefinition | None = None) -> list[str]:
        if obj is None:
            return []
        derived = ["kind_pill", "category", "volume_figure", "first_seen", "last_seen", "links"]
        is_custom = obj.kind == EventDefinition.Kind.CUSTOM
        return derived if is_custom else [*derived, "description", "property_table"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        # Django reads this form's own fields, which would ask for a catalog event's schema too.
        readonly = self.get_readonly_fields(request, obj)
        shown = [name for _, options in self.get_fieldsets(request, obj) for name in options["fields"]]
        wanted = [name for name in shown if name not in readonly]
        form = super().get_form(request, obj, change=change, **kwargs | {"fields": wanted})
        # Declared fields stay whatever `fields` says, and one that is not shown could never be filled in.
        for name in set(form.base_fields) - set(wanted):
            del form.base_fields[name]
        return form

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Fill the form from a quarantine group: `?from_group=ID`."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        group_id = initial.pop("from_group", "")
        group = QuarantineGroup.objects.filter(pk=group_id).first() if group_id.isdecimal() else None
        if group and request.user.has_perm("observability.view_quarantinegroup"):
            suggested = quarantine.suggested_definition(group)
            initial |= {"name": suggested.name, "schema": suggested.schema}
        return initial

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        words: dict[str, Any] = {"show_save_and_add_another": False}
        if object_id is None:
            words |= {"title": "Add custom event", "show_save_and_continue": False}
        return super().changeform_view(request, object_id, form_url, words | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: EventDefinition, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        custom_events.forget()

    def has_delete_permission(self, request: HttpRequest, obj: EventDefinition | None = None) -> bool:
        """Catalog events belong to the code, and an event that was ever seen explains stored rows."""
        is_free = obj is None or (obj.kind == EventDefinition.Kind.CUSTOM and not obj.volume)
        return is_free and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        # It would go past has_delete_permission(obj).
        actions.pop("delete_selected", None)
        return actions

    @admin.action(description="Forward to PostHog", permissions=["change"])
    def switch_forwarding_on(self, request: HttpRequest, queryset: QuerySet[EventDefinition]) -> None:
        changed = definitions.set_forwarding(queryset, True)
        self.message_user(request, f"Forwarded to PostHog from now on: {_events(changed)}.")

    @admin.action(description="Do not forward to PostHog", permissions=["change"])
    def switch_forwarding_off(self, request: HttpRequest, queryset: QuerySet[EventDefinition]) -> None:
        changed = definitions.set_forwarding(queryset, False)
        self.message_user(request, f"Stored here, but no longer forwarded to PostHog: {_events(changed)}.")

    @admin.display(description="Kind", ordering="kind")
    def kind_pill(self, definition: EventDefinition) -> SafeString:
        return pill(definition.get_kind_display(), _TONES[definition.kind])

    @admin.display(description="Volume", ordering="volume")
    def volume_figure(self, definition: EventDefinition) -> str:
        return f"{definition.volume:,}"

    @admin.display(description="First seen")
    def first_seen(self, definition: EventDefinition) -> str:
        return ago(definition.first_seen_at) or "never"

    @admin.display(description="Last seen", ordering="last_seen_at")
    def last_seen(self, definition: EventDefinition) -> str:
        return ago(definition.last_seen_at) or "never"

    @admin.display(description="To PostHog", ordering="forwarded", boolean=True)
    def is_forwarded(self, definition: EventDefinition) -> bool:
        return definition.forwarded

    @admin.display(description="Properties")
    def property_table(self, definition: EventDefinition) -> SafeString:
        context = {"properties": properties(definition.schema), "schema": pretty(definition.schema)}
        return render_to_string("observability/properties.html", context)

    @admin.display(description="See also")
    def links(self, definition: EventDefinition) -> SafeString:
        quarantined = reverse("admin:observability_quarantinegroup_changelist")
        return format_html(
            '<a href="{}?{}">Newest events</a> · <a href="{}?{}">Refused ones</a>',
            reverse("admin:events"),
            urlencode({"event": definition.name}),
            quarantined,
            urlencode({"q": definition.name}),
        )


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"
