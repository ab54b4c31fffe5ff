"""Causes of dead letters, the landing page: what went wrong, in whose hands it is, and what to do about it.

The rule: one row a cause, read from the groups' own rows; the letters themselves are never counted here.
"""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from sync.dead_letters import groups, trend
from sync.dead_letters import standing as standings
from sync.dead_letters.admin import bars, cause_page
from sync.dead_letters.admin.cause_filters import Asked, asked, choices, query
from sync.dead_letters.admin.cause_verbs import CauseVerbs
from sync.dead_letters.admin.cause_words import cause
from sync.dead_letters.refusal import Refused
from sync.models import CauseGroup
from trainu.admin_records import for_reading
from trainu.admin_site import Need, site
from trainu.bounded_query import TooBroad

_LIST = "admin:sync_causegroup_changelist"


@admin.register(CauseGroup)
class CauseGroupAdmin(CauseVerbs):
    @for_reading
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the causes that match the filters, those first that need somebody most."""
        return TemplateResponse(request, "sync/causes.html", self._list(request))

    def _list(self, request: HttpRequest) -> dict[str, Any]:
        now = timezone.now()
        wanted, page, refused = Asked(), None, ""
        try:
            wanted = asked(request)
            page = groups.page(now=now, most=groups.MOST_SHOWN, **wanted.arguments())
        except Refused as refusal:
            refused = str(refusal)
        except TooBroad:
            refused = "Looking through its letters takes too long. Choose another filter, or the location."
        shown = standings.by_urgency(page.groups, now) if page else []
        trends = trend.of([group.pk for group in shown], now=now)
        told = [cause(group, trends[group.pk], now) for group in shown]
        return site.each_context(request) | {
            "title": "Causes of dead letters",
            "opts": self.opts,
            "rows": [(one, *bars.spark(one.trend)) for one in told],
            "spark_height": bars.SPARK_HEIGHT,
            "open": sum(group.open for group in shown),
            "filters": choices(wanted),
            "is_narrowed": wanted.is_narrowed,
            "is_first": wanted.older_than is None,
            "older": query(wanted, older=page.older) if page and page.older else "",
            "refused": refused,
            "may_see_letters": request.user.has_perm("sync.view_deadletter"),
        }

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a cause with what may be done. Each form goes to its own address."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        is_number = object_id.isascii() and object_id.isdigit() and len(object_id) < 19
        group = groups.find(int(object_id)) if is_number else None
        if group is None:
            raise Http404("There is no such cause.")
        if request.method not in {"GET", "HEAD"}:
            return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
        context = site.each_context(request) | cause_page.context(request, group, timezone.now())
        names = {"title": "Dead letters: cause", "subtitle": context["cause"].title, "opts": self.opts}
        return TemplateResponse(request, "sync/cause.html", context | names)


def unacknowledged(_request: HttpRequest) -> list[Need]:
    """Return that there are causes which nobody has acknowledged, if there are."""
    news = groups.news(timezone.now())
    if not news.causes:
        return []
    more = "+" if news.causes == groups.MOST_COUNTED else ""
    which, each = ("cause", "it") if news.causes == 1 else ("causes", "each")
    return [
        Need(
            title=f"{news.causes:,}{more} {which} of dead letters that nobody has acknowledged",
            url=f"{reverse(_LIST)}?state=new",
            detail=f"{news.letters:,} letters are open. Look at {each}, say that it is"
            " known, and give it an owner.",
            since=news.since,
            urgency=2,
        )
    ]


site.register_badge(_LIST, lambda: groups.unresolved(timezone.now()))
site.register_need(unacknowledged, permission="sync.view_causegroup")
