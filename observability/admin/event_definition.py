"""Event definitions: what there is, how much of it, who answers for it, and whether PostHog gets it."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from observability import custom_events, quarantine
from observability.admin.rendering import pill, pretty
from observability.catalog import CATALOG
from observability.models import EventDefinition, QuarantineGroup
from trainu.templatetags.time import ago

_TONES = {"catalog": "info", "custom": "ok", "retired": "warn"}


class EventDefinitionForm(forms.ModelForm):  # type: ignore[type-arg]
    """The form of a custom event; of a catalog event only what is staff's can be changed."""

    class Meta:
        model = EventDefinition
        fields = ["name", "description", "schema", "owner", "forwarded"]

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if name in CATALOG and not self.instance.pk:
            raise forms.ValidationError("The catalog already has an event of this name.")
        return name

    def clean_schema(self) -> Any:
        schema = self.cleaned_data["schema"]
        if problem := custom_events.schema_problem(schema):
            raise forms.ValidationError(problem)
        return schema


@admin.register(EventDefinition)
class EventDefinitionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = EventDefinitionForm
    list_display = ["name", "kind_pill", "category", "volume_words", "last_seen", "owner", "is_forwarded"]
    list_filter = ["kind", "category", "forwarded"]
    search_fields = ["name", "description", "owner"]
    search_help_text = "Name, description or owner"
    actions = ["switch_forwarding_on", "switch_forwarding_off"]

    def get_fields(self, request: HttpRequest, obj: EventDefinition | None = None) -> Any:
        if obj is None:
            return ["name", "description", "schema", "owner", "forwarded"]
        shown = ["name", "kind_pill", "category", "description"]
        schema = ["schema"] if obj.kind == EventDefinition.Kind.CUSTOM else ["schema_text"]
        return [
            *shown,
            *schema,
            "owner",
            "forwarded",
            "volume_words",
            "first_seen",
            "last_seen",
            "events_link",
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: EventDefinition | None = None) -> list[str]:
        if obj is None:
            return []
        derived = ["name", "kind_pill", "category", "volume_words", "first_seen", "last_seen", "events_link"]
        is_custom = obj.kind == EventDefinition.Kind.CUSTOM
        return derived if is_custom else [*derived, "description", "schema_text"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        # Django reads this form's own fields, which would ask for a catalog event's schema too.
        readonly = self.get_readonly_fields(request, obj)
        wanted = [f for f in self.get_fields(request, obj) if f not in readonly]
        return super().get_form(request, obj, change=change, **kwargs | {"fields": wanted})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Fill the form from a quarantine group: `?from_group=ID`."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        group_id = request.GET.get("from_group", "")
        group = QuarantineGroup.objects.filter(pk=group_id).first() if group_id.isdigit() else None
        if group and request.user.has_perm("observability.view_quarantinegroup"):
            suggested = quarantine.suggested_definition(group)
            initial |= {"name": suggested.name, "schema": suggested.schema}
        initial.pop("from_group", None)
        return initial

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
        changed = queryset.update(forwarded=True)
        self.message_user(request, f"{changed} events are forwarded from now on.")

    @admin.action(description="Do not forward to PostHog", permissions=["change"])
    def switch_forwarding_off(self, request: HttpRequest, queryset: QuerySet[EventDefinition]) -> None:
        changed = queryset.update(forwarded=False)
        self.message_user(request, f"{changed} events are kept here and not forwarded from now on.")

    @admin.display(description="Kind", ordering="kind")
    def kind_pill(self, definition: EventDefinition) -> SafeString:
        return pill(definition.get_kind_display(), _TONES[definition.kind])

    @admin.display(description="Volume", ordering="volume")
    def volume_words(self, definition: EventDefinition) -> str:
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

    @admin.display(description="Schema")
    def schema_text(self, definition: EventDefinition) -> SafeString:
        return format_html('<pre class="code">{}</pre>', pretty(definition.schema))

    @admin.display(description="Events")
    def events_link(self, definition: EventDefinition) -> SafeString:
        url = f"{reverse('admin:events')}?{urlencode({'event': definition.name})}"
        return format_html('<a href="{}">Show the newest</a>', url)
