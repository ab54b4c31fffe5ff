"""The AI Inbox: the drafts of a tab, what narrows it, and what may be done from there.

The rule: what narrows the list stands in its address; a filter that cannot be read is said, and chooses
nothing. What takes too long is given up, and the page says what would help.
"""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from sync.drafts import deciding, inbox, visible
from sync.drafts.admin import telling
from sync.drafts.inbox import Filters
from sync.drafts.tabs import Tab
from sync.models import Draft
from trainu import navigation
from trainu.admin_site import site
from trainu.bounded_query import TooBroad

TITLES = {
    Tab.REVIEW: "Needs review",
    Tab.SCHEDULED: "Scheduled",
    Tab.SENT: "Sent",
    Tab.FAILED: "Failed",
    Tab.SNOOZED: "Snoozed",
}
# What stands where nothing does: a heading, and what will come here.
EMPTY = {
    Tab.REVIEW: (
        "Nothing to review",
        "What the agent writes for clients comes here first. Nothing is sent that nobody has approved.",
    ),
    Tab.SCHEDULED: (
        "Nothing is scheduled",
        "What is approved waits here for its turn, or for the end of the client's night.",
    ),
    Tab.SENT: (
        "Nothing has been sent yet",
        "Approved messages stand here once GoHighLevel has taken them.",
    ),
    Tab.FAILED: (
        "Nothing has failed",
        "What could not be written, or could not be sent, stands here with the reason.",
    ),
    Tab.SNOOZED: (
        "Nothing is snoozed",
        "What is put off stands here until it comes back by itself.",
    ),
}
_STOP_POLLING = 286


class FilterForm(forms.Form):
    client = forms.CharField(
        label="Client's id",
        required=False,
        max_length=64,
        help_text="Filter by the client's id, such as c-12, as shown on the draft's page.",
    )
    trainer = forms.CharField(label="Trainer's id", required=False, max_length=64)
    kind = forms.ChoiceField(choices=[("", "Any"), *Draft.Kind.choices], required=False)
    date = forms.DateField(
        label="On this day (UTC)", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    age = forms.ChoiceField(
        choices=[("", "Any"), *((name, age.words) for name, age in inbox.AGES.items())], required=False
    )

    def filters(self) -> Filters:
        """Return what was asked for."""
        given = self.cleaned_data
        return Filters(given["client"], given.get("trainer", ""), given["kind"], given["date"], given["age"])


@never_cache
@require_GET
def show(request: HttpRequest) -> HttpResponse:
    """Show a tab. client, trainer, kind, date, age: what narrows it. after: the page goes on from there."""
    now, tab = timezone.now(), _tab(request)
    is_staff = request.user.has_perm(visible.ALL)
    form = _form(request, is_staff)
    context: dict[str, Any] = {
        "title": "AI Inbox",
        "tab": tab.value,
        "tab_title": TITLES[tab],
        "empty": EMPTY[tab],
        "form": form,
        "here": request.get_full_path(),
        "is_staff": is_staff,
        "is_unlinked": not is_staff and not visible.trainer_of(request.user),
        "has_no_model": is_staff and not settings.LLM_MODEL,
        "may_work": request.user.has_perm(telling.WORK),
        "most_at_once": deciding.MOST_AT_ONCE,
    }
    if form.is_valid():
        context |= _found(request, tab, form.filters(), now)
    else:
        context |= {"tabs": _tabs(request, tab, {}), "is_bad": True, "is_narrowed": True}
    return TemplateResponse(request, "sync/drafts/inbox.html", site.each_context(request) | context)


@never_cache
@require_GET
def news(request: HttpRequest) -> HttpResponse:
    """The line that says how many are being written, and what has come since. seen: how many there were."""
    if not site.has_permission(request):
        # A login page has no place inside a page; this stops the asking and loads the page anew.
        return HttpResponse(status=_STOP_POLLING, headers={"HX-Refresh": "true"})
    if not navigation.may(request.user, telling.OPEN):
        return HttpResponse(status=403)
    try:
        counts, writing = inbox.counts(visible.drafts(request.user), Filters(), now=timezone.now())
    except TooBroad:
        return HttpResponse("It takes too long now.", status=503)
    before = request.GET.get("seen", "")
    context = {"writing": writing, "seen": before, "is_new": str(counts[Tab.REVIEW]) != before}
    status = 200 if writing.figure else _STOP_POLLING
    return TemplateResponse(request, "sync/drafts/news.html", context, status=status)


def _found(request: HttpRequest, tab: Tab, filters: Filters, now: Any) -> dict[str, Any]:
    rows = visible.drafts(request.user)
    try:
        found = inbox.page(rows, tab, filters, now=now, after=request.GET.get("after", ""))
    except TooBroad:
        return {"tabs": _tabs(request, tab, {}), "too_broad": True}
    try:
        counts, writing = inbox.counts(rows, filters, now=now)
    except TooBroad:
        counts, writing = {}, inbox.Count(0)
    lines = telling.lines(request, found.drafts, now=now)
    return {
        "lines": lines,
        "can_choose": any(line.can_choose for line in lines),
        "tabs": _tabs(request, tab, counts),
        "writing": writing,
        "seen": counts.get(Tab.REVIEW, ""),
        "is_narrowed": filters != Filters(),
        "first": _query(request, tab=tab) if "after" in request.GET else "",
        "following": _query(request, tab=tab, after=found.following) if found.following else "",
    }


def _form(request: HttpRequest, is_staff: bool) -> FilterForm:
    form = FilterForm(request.GET, label_suffix="")
    if not is_staff:
        # They see their own alone, whatever an address says.
        del form.fields["trainer"]
    return form


def _tab(request: HttpRequest) -> Tab:
    wanted = request.GET.get("tab", "")
    return Tab(wanted) if wanted in set(Tab) else Tab.REVIEW


def _tabs(request: HttpRequest, tab: Tab, counts: dict[str, inbox.Count]) -> list[tuple[str, str, bool, Any]]:
    """Return each tab's title, address, whether it is shown, and how many stand in it; "" where unknown."""
    return [(TITLES[one], _query(request, tab=one), one is tab, counts.get(one.value, "")) for one in Tab]


def _query(request: HttpRequest, **more: str) -> str:
    """Return the address of another page or tab with the same filters."""
    kept = {name: request.GET[name] for name in FilterForm.base_fields if request.GET.get(name)}
    return f"?{urlencode({**more, **kept})}"


site.register_view("sync/inbox/", show, "sync_inbox", permission=telling.OPEN)
site.register_part("sync/inbox/news/", news, "sync_inbox_news")
