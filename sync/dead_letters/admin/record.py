"""What lists of dead letters, causes and operations have in common.

The rule: nothing is sorted, counted or deleted but as an index serves it.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from sync.models import DeadLetter
from trainu.admin_records import Newest, ReadOnly
from trainu.admin_rendering import block

_LONGEST_ADDRESS = 2_000


class RecordAdmin(ReadOnly):
    list_per_page = 50
    list_max_show_all = 50
    sortable_by = ()
    paginator = Newest
    actions = None
    show_facets = admin.ShowFacets.NEVER

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def notes_of(notes: Any) -> str:
    """Return notes as a box that can be scrolled, newest first."""
    lines = [f"{note.at:%Y-%m-%d %H:%M} UTC, {note.by}: {note.words}" for note in notes]
    return block("\n".join(lines)) if lines else "None yet."


def address(name: str, *args: object) -> str:
    """Return the address of a page or verb of the admin; empty where there is none."""
    try:
        return reverse(f"admin:{name}", args=args)
    except NoReverseMatch:
        return ""


def acting(request: HttpRequest) -> str:
    """Return who acts, as the audit log names people."""
    return f"staff:{request.user.pk}"


def onward(request: HttpRequest, letter: DeadLetter) -> HttpResponse:
    """Lead back to the page that a form came from (`next`), if it is one of ours, else to the letter."""
    return back(request, reverse("admin:sync_deadletter_change", args=[letter.pk]))


def unkept(answer: HttpResponse) -> HttpResponse:
    """Return a page that shows somebody's data, so that no browser or proxy keeps it."""
    answer["Cache-Control"] = "no-store"
    return answer


def back(request: HttpRequest, otherwise: str) -> HttpResponseRedirect:
    """Return the answer that leads back to where a form stood, which it says as `next`; never elsewhere."""
    wanted = request.POST.get("next", "")
    is_ours = len(wanted) <= _LONGEST_ADDRESS and url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return HttpResponseRedirect(wanted if is_ours else otherwise)
