"""What lists of dead letters, causes and operations have in common.

The rule: nothing is sorted, counted or deleted but as an index serves it.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from sync.dead_letters.admin.addresses import back
from sync.models import DeadLetter
from trainu.admin_records import Newest, ReadOnly


class RecordAdmin(ReadOnly):
    list_per_page = 50
    list_max_show_all = 50
    sortable_by = ()
    paginator = Newest
    actions = None
    show_facets = admin.ShowFacets.NEVER

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def onward(request: HttpRequest, letter: DeadLetter) -> HttpResponse:
    """Lead back to the page that a form came from (`next`), if it is one of ours, else to the letter."""
    return back(request, reverse("admin:sync_deadletter_change", args=[letter.pk]))


def unkept(answer: HttpResponse) -> HttpResponse:
    """Return a page that shows somebody's data, so that no browser or proxy keeps it."""
    answer["Cache-Control"] = "no-store"
    return answer
