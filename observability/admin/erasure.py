"""Forget a person: look first, confirm by typing the id again, read the proof.

The rule: the id travels in the body of a POST and nowhere else: no address, no log line, no message.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django_q.tasks import async_task

from observability import erasure
from observability.erasure import mention
from observability.models import Erasure
from trainu.admin_records import ReadOnly
from trainu.admin_rendering import code, pill
from trainu.admin_site import site
from trainu.templatetags.time import ago

_FORGET = "observability.forget_contact"
# A page looks no longer than this; the erasure itself looks through everything.
LOOK_S = 8.0


class ForgetForm(forms.Form):
    contact = forms.CharField(
        label="Id of the person", max_length=64, help_text="As TrainU or GoHighLevel knows them. No name."
    )
    reason = forms.CharField(label="Reason", max_length=200, help_text="Such as the number of the request.")
    again = forms.CharField(label="The id once more, to erase", max_length=64, required=False)

    def clean_contact(self) -> str:
        try:
            return mention.checked(self.cleaned_data["contact"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if "erase" in self.data and given.get("again", "").strip() != given.get("contact"):
            self.add_error("again", "This is not the same id. Nothing was erased.")
        return given


@admin.register(Erasure)
class ErasureAdmin(ReadOnly):
    heading = "Erasures"
    intro = "People who were forgotten: what was found where, as a proof that does not say who it was."
    nothing_yet = "Nobody has asked to be forgotten so far."
    list_display = ["person", "state_pill", "found", "requested", "requested_by", "reason"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(_FORGET)

    def has_delete_permission(self, request: HttpRequest, obj: Erasure | None = None) -> bool:
        return False

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Look where a person is, and start forgetting them."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ForgetForm(request.POST or None, label_suffix="")
        proof = None
        if request.method == "POST" and form.is_valid():
            if "erase" in request.POST:
                started = self._start(request, form.cleaned_data)
                return HttpResponseRedirect(reverse("admin:observability_erasure_change", args=[started.pk]))
            proof = erasure.look(
                form.cleaned_data["contact"], by="", reason="", now=timezone.now(), budget_s=LOOK_S
            )
        context = site.each_context(request) | {
            "title": "Forget a person",
            "opts": self.opts,
            "form": form,
            "proof": proof,
        }
        response = TemplateResponse(request, "observability/forget.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a proof."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        proof = get_object_or_404(Erasure, pk=object_id if object_id.isdecimal() else 0)
        context = site.each_context(request) | {
            "title": "Erasure",
            "subtitle": str(proof),
            "opts": self.opts,
            "proof": proof,
            "state": self.state_pill(proof),
            "left": proof.total("left"),
        }
        return TemplateResponse(request, "observability/erasure.html", context)

    def _start(self, request: HttpRequest, given: dict[str, str]) -> Erasure:
        with transaction.atomic():
            started = erasure.request(
                given["contact"], by=f"staff:{request.user.pk}", reason=given["reason"], now=timezone.now()
            )
            # Without the id: arguments of tasks are kept.
            async_task("observability.tasks.forget")
        messages.info(request, "A worker is at it. Reload to see how far it is.")
        return started

    @admin.display(description="Person")
    def person(self, proof: Erasure) -> SafeString:
        return code(proof.pseudonym[:12])

    @admin.display(description="State", ordering="finished_at")
    def state_pill(self, proof: Erasure) -> SafeString:
        if proof.finished_at is None:
            return pill("Under way", "info")
        return pill("Something left", "warn") if proof.total("left") else pill("Done", "ok")

    @admin.display(description="Rows found")
    def found(self, proof: Erasure) -> str:
        return f"{proof.total('found'):,}"

    @admin.display(description="Requested", ordering="requested_at")
    def requested(self, proof: Erasure) -> str:
        return ago(proof.requested_at)
