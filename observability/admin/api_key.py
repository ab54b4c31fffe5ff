"""API keys: make one (it is shown once), limit it, revoke it. A key is never shown a second time."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString

from observability import api_keys
from observability.models import ApiKey
from trainu.admin_records import Explained, history_only
from trainu.admin_rendering import code, pill
from trainu.admin_site import site
from trainu.templatetags.time import ago


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(
        choices=ApiKey.Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text="What it may do. An app that reports events needs the first one only.",
    )

    class Meta:
        model = ApiKey
        fields = ["name", "scopes", "limit_per_minute", "expires_at"]


@admin.register(ApiKey)
class ApiKeyAdmin(Explained):
    form = ApiKeyForm
    intro = "Each app has a key of its own, so that one can be revoked without stopping the others."
    nothing_yet = "An app needs one to report events. It is shown once, when it is made."
    list_display = ["name", "shown_prefix", "scope_words", "state_pill", "last_used", "limit_figure"]
    search_fields = ["name", "prefix"]
    search_help_text = "Name or prefix"
    actions = ["revoke"]
    audited_values = ["scopes", "limit_per_minute", "expires_at"]

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        words = {"show_save_and_add_another": False}
        if object_id is None:
            # Whichever button was pressed, the next page shows the key.
            words["show_save_and_continue"] = False
        return super().changeform_view(request, object_id, form_url, words | (extra_context or {}))

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        fields = ["name", "scopes", "limit_per_minute", "expires_at"]
        return fields if obj is None else [*fields, "shown_prefix", "state_pill", "created", "last_used"]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return [] if obj is None else ["shown_prefix", "state_pill", "created", "last_used"]

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """A key that reported events explains them: it is revoked, never deleted."""
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            api_keys.forget()
            return
        row, key = api_keys.issue(
            obj.name, obj.scopes, expires_at=obj.expires_at, limit_per_minute=obj.limit_per_minute
        )
        obj.pk = row.pk
        # For the answer to this one request, and nowhere else.
        request.issued_key = key  # type: ignore[attr-defined]

    def log_addition(self, request: HttpRequest, obj: ApiKey, message: Any) -> Any:
        """For the key's history; `api_keys.issue` has audited it."""
        with history_only():
            return super().log_addition(request, obj, message)

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: Any = None) -> HttpResponse:
        """Show the key, once; the page is not kept by any cache."""
        context = site.each_context(request) | {
            "title": "API key",
            "subtitle": obj.name,
            "opts": self.opts,
            "key": request.issued_key,  # type: ignore[attr-defined]
        }
        response = TemplateResponse(request, "observability/api_key_issued.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @admin.action(description="Revoke the chosen keys", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            api_keys.revoke(key, now=timezone.now())
            self.note(request, key, "Revoked.")
        self.message_user(
            request,
            f"Revoked. Within {api_keys.HELD_S:.0f} seconds these keys are refused everywhere.",
            messages.WARNING,
        )

    @admin.display(description="Key", ordering="prefix")
    def shown_prefix(self, key: ApiKey) -> SafeString:
        return code(f"trainu_{key.prefix}_…")

    @admin.display(description="Scopes")
    def scope_words(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description="Limit a minute", ordering="limit_per_minute")
    def limit_figure(self, key: ApiKey) -> str:
        return f"{key.limit_per_minute:,}" if key.limit_per_minute else "none"

    @admin.display(description="State")
    def state_pill(self, key: ApiKey) -> SafeString:
        if key.revoked_at:
            return pill("Revoked", "bad")
        if key.expires_at and key.expires_at <= timezone.now():
            return pill("Expired", "warn")
        return pill("Active", "ok")

    @admin.display(description="Created")
    def created(self, key: ApiKey) -> str:
        return ago(key.created_at)

    @admin.display(description="Last used", ordering="last_used_at")
    def last_used(self, key: ApiKey) -> str:
        return ago(key.last_used_at) or "never"
