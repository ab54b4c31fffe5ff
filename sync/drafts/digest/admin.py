"""Weekly digests in the admin: a trainer's own, and all of them for staff. Read only.

The rule: who may not read drafts is told ids and figures; no name, and nothing that the agent has written.
"""

from datetime import date
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from sync.drafts import visible
from sync.drafts.digest import opening, shown
from sync.models import TrainerDigest
from trainu.admin_site import site

A_PAGE = 50


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """The digests a user sees, newest first. ?before=WEEK,TRAINER: those after the last one of a page."""
    found = opening.digests(request.user)
    week, _, trainer_id = request.GET.get("before", "").partition(",")
    is_first = True
    if (monday := _day(week)) is not None:
        is_first = False
        # Within a week in the order of trainers.
        found = found.filter(week__lt=monday) | found.filter(week=monday, trainer_id__gt=trainer_id)
    page = list(found.order_by("-week", "trainer_id")[: A_PAGE + 1])
    last = page[A_PAGE - 1] if len(page) > A_PAGE else None
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": "Weekly digests",
        "rows": [_row(digest) for digest in page[:A_PAGE]],
        "is_first": is_first,
        "older": f"{last.week.isoformat()},{last.trainer_id}" if last else "",
        "sees_all": _sees_all(request),
    }
    return TemplateResponse(request, "sync/digests.html", context)


@never_cache
@require_GET
def page(request: HttpRequest, digest_id: UUID) -> HttpResponse:
    """One digest. Opened by its trainer it counts as viewed; ?from=email says where they came from."""
    digest = opening.digests(request.user).filter(pk=digest_id).first()
    if digest is None:
        raise Http404
    surface: opening.Surface = "email" if request.GET.get("from") == "email" else "admin"
    opening.opened(digest, user=request.user, surface=surface, now=timezone.now())
    may_read = visible.may_read(request.user, digest.trainer_id)
    context: dict[str, Any] = {
        **site.each_context(request),
        **shown.said(digest, with_details=may_read, with_names=may_read),
        "title": f"Week of {shown.name_week(digest.week)}",
        "digest": digest,
        "mailed_words": shown.mailed_words(digest),
        "sees_all": _sees_all(request),
    }
    return TemplateResponse(request, "sync/digest.html", context)


def _row(digest: TrainerDigest) -> tuple[TrainerDigest, str, str, str]:
    return (
        digest,
        shown.name_week(digest.week),
        shown.in_short(digest),
        shown.mailed_words(digest),
    )


def _sees_all(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "has_perm", lambda _: False)(visible.ALL))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


site.register_view("sync/digests/", listing, "sync_digests", permission=visible.OPEN)
site.register_view("sync/digests/<uuid:digest_id>/", page, "sync_digest", permission=visible.OPEN)
