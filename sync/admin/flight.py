"""Jobs in flight: how sending stands, what each location waits for, and what will be a dead letter soon.

The rule: every figure is counted by an index and no further than it says. The part that refreshes itself
keeps its rows where they are, and asks nobody to sign in.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from sync import backoff, dying, job_search, retrying
from sync.admin import origin
from sync.dying import Dying, Group
from sync.models import Breaker
from sync.stats import flight, queues
from sync.stats.flight import Figures, Place
from sync.stats.queues import Queue
from trainu import navigation
from trainu.admin_rendering import pill, seen
from trainu.admin_site import Card, Need, site
from trainu.bounded_query import TooBroad, bounded
from trainu.templatetags.time import ago

VIEW, RETRY = "sync.view_syncjob", "sync.retry_syncjob"
TIME_LIMIT_MS = 2_000
# However many people look at it, the figures are counted this often.
FIGURES_AGE_S = 5
_FIGURES = "sync_flight"
DEFAULT_HOURS = 4
MANY = 100
MOST_BADGE = 1_000
_MOST_SKIPPED = 10_000
_STATES = {
    "active": ("Active", "ok"),
    "paused": ("Paused", "warn"),
    "misconfigured": ("Misconfigured", "bad"),
}
_BREAKERS = {"closed": "ok", "open": "bad", "ramping": "warn"}
_STOP_POLLING = 286


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label="Reason, if somebody may ask later",
        max_length=retrying.LONGEST_REASON,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


@dataclass
class Failure:
    """Dying jobs of one failure. words: what happened. operations: with their figures."""

    code: str
    words: str
    operations: list[tuple[str, int]] = field(default_factory=list)
    jobs: int = 0
    fewest_left: int = 0
    most_left: int = 0
    first_at: datetime | None = None

    def add(self, group: Group) -> None:
        """Count a group in; those that die first come first."""
        self.operations.append((group.operation, group.jobs))
        self.jobs += group.jobs
        self.fewest_left = min(self.fewest_left or group.fewest_left, group.fewest_left)
        self.most_left = max(self.most_left, group.most_left)
        self.first_at = min(self.first_at or group.first_at, group.first_at)


@require_GET
def show(request: HttpRequest) -> HttpResponse:
    """The page. hours: of the dying. code: only those of one failure. after: the list goes on. from: the
    locations go on."""
    now = timezone.now()
    hours = _hours(request)
    code = request.GET.get("code", "").replace("\x00", "")[:64]
    skipped = _number(request.GET.get("from", ""))
    context: dict[str, Any] = {
        "title": "Jobs in flight",
        "hours": hours,
        "horizons": [(one, _query(hours=one)) for one in dying.HORIZONS],
        "code": code,
        "code_words": _words(code) if code else "",
        "all_codes": _query(hours=hours),
        "delays": _listed(list(backoff.DELAYS)),
        "whole": _in_words(dying.rest(0)),
        "rest": _in_words(dying.rest(1)),
        "back": request.get_full_path(),
        "most_at_once": retrying.MOST,
        "reason_form": ReasonForm(label_suffix=""),
        "may_retry": request.user.has_perm(RETRY),
        "may_see_locations": navigation.may(request.user, "sync.view_location"),
    }
    try:
        with bounded(TIME_LIMIT_MS):
            places, is_more = flight.places(now=now, skipped=skipped)
            context |= _status(places, now)
            found = dying.soon(hours, now=now)
            jobs, later = dying.page(hours, now=now, code=code, after=_after(request))
    except TooBroad:
        context["is_too_broad"] = True
    else:
        context |= _dying(found, hours) | {
            "jobs": [
                (job, seen(job.location), _words(job.code), dying.tries_left(job.tries)) for job in jobs
            ],
            "later": _query(hours=hours, code=code, after=f"{later[0].isoformat()},{later[1]}")
            if later
            else "",
            "is_continued": "after" in request.GET,
            "skipped": skipped,
            "following": _query(hours=hours, **{"from": skipped + flight.PAGE}) if is_more else "",
        }
    return TemplateResponse(request, "sync/flight.html", site.each_context(request) | context)


@never_cache
@require_GET
def status(request: HttpRequest) -> HttpResponse:
    """The part that refreshes itself. `only`: the locations whose rows the page has, in its order."""
    if not site.has_permission(request):
        # A login page has no place inside a page; this stops the asking and loads the page anew.
        return HttpResponse(status=_STOP_POLLING, headers={"HX-Refresh": "true"})
    if not navigation.may(request.user, VIEW):
        raise PermissionDenied
    now = timezone.now()
    ids = [id.replace("\x00", "") for id in request.GET.getlist("only")]
    try:
        with bounded(TIME_LIMIT_MS):
            context = _status(flight.named(ids, now=now), now)
    except TooBroad:
        return HttpResponse("It takes too long now.", status=503)
    context |= {
        "may_retry": request.user.has_perm(RETRY),
        "may_see_locations": navigation.may(request.user, "sync.view_location"),
        "is_refreshed": True,
    }
    return TemplateResponse(request, "sync/flight_status.html", context)


@require_POST
def retry_code(request: HttpRequest) -> HttpResponse:
    """Try the waiting jobs now that have failed with one code."""
    code = request.POST.get("code", "").replace("\x00", "")[:64]
    form = ReasonForm(request.POST)
    if not code or not form.is_valid():
        messages.error(request, "Choose a failure, and give a reason of up to 300 characters or none.")
    else:
        retried = retrying.retry_now(
            code=code, by=None, reason=form.cleaned_data["reason"], now=timezone.now()
        )
        tell(request, retried)
    return origin.back(request, reverse("admin:sync_flight"))


def tell(request: HttpRequest, retried: retrying.Retried) -> None:
    """Say how many jobs come due now."""
    forget()
    if not retried.jobs:
        messages.info(request, "Nothing of this waits for a later try.")
        return
    jobs = "1 job comes" if retried.jobs == 1 else f"{retried.jobs:,} jobs come"
    more = " More still wait for later: press again." if retried.is_more else ""
    messages.success(
        request, f"{jobs} due from now on, one after another, as fast as their locations may be asked.{more}"
    )


def forget() -> None:
    """Have the next page count again."""
    cache.delete(_FIGURES)


def badge() -> int:
    """Return how many jobs die within the hour."""
    return dying.count(1, now=timezone.now(), most=MOST_BADGE).number


def needs(_request: HttpRequest) -> list[Need]:
    """Return what will be dead letters within the hour."""
    found = dying.count(1, now=timezone.now(), most=MOST_BADGE)
    if not found.number:
        return []
    title = (
        "1 job will be a dead letter within the hour, if it fails once more"
        if found.number == 1
        else f"{found} jobs will be dead letters within the hour, if they fail once more".capitalize()
    )
    return [
        Need(
            title=title,
            url=f"{reverse('admin:sync_flight')}{_query(hours=1)}",
            detail="See what is in the way, and try now once it has passed: one try is left.",
            urgency=1 if found.number > MANY else 2,
        )
    ]


def _status(places: list[Place], now: datetime) -> dict[str, Any]:
    def count() -> tuple[Queue, Figures]:
        return queues.jobs(now=now), flight.figures(now=now)

    counted: Any = cache.get_or_set(_FIGURES, count, FIGURES_AGE_S)
    queue, figures = counted
    return {
        "now": now,
        "cards": _cards(queue, figures),
        "places": [
            (place, seen(place.name), seen(place.reason), pill(*_STATES[place.state]), _breaker(place))
            for place in places
        ],
        "poll": f"{reverse('admin:sync_flight_status')}?{urlencode([('only', one.id) for one in places])}",
    }


def _cards(queue: Queue, figures: Figures) -> list[Card]:
    late = Card("Late", ago(queue.late_since), "The first job that could go was due then", tone="bad")
    lost = Card("Lost", str(queue.lost), "Their process died; they are taken back", tone="warn")
    return [
        Card("Waiting", str(queue.waiting), "For their time, their turn or their location"),
        Card("In hand", str(figures.in_hand), "Being tried at this moment"),
        late if queue.late_since else Card("Late", "None", "Whatever is due goes at once", tone="ok"),
        lost if queue.lost.number else Card("Lost", "None", "No process died with a job in hand", tone="ok"),
        Card("Next due", ago(figures.next_at) or "Nothing", "Of those whose time has not come"),
        Card(
            "Locations with trouble",
            f"{figures.troubled:,} of {figures.locations:,}",
            "Held, not answering, resting or late",
            tone="warn" if figures.troubled else "ok",
        ),
    ]


def _dying(found: Dying, hours: int) -> dict[str, Any]:
    failures: dict[str, Failure] = {}
    for group in found.groups:
        failures.setdefault(group.code, Failure(group.code, _words(group.code))).add(group)
    return {
        "dying": found,
        "failures": [(one, _query(hours=hours, code=one.code)) for one in failures.values()],
    }


def _breaker(place: Place) -> Any:
    return pill(Breaker.State(place.breaker).label.partition(":")[0], _BREAKERS[place.breaker])


def _words(code: str) -> str:
    said = job_search.in_words("transient", code).words
    return said or seen(code.replace("_", " ")).capitalize() or "Its failure has no code."


def _in_words(duration: timedelta) -> str:
    hours, rest = divmod(duration // timedelta(minutes=1), 60)
    parts = [(hours, "hour"), (rest, "minute")]
    return " ".join(f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in parts if number)


def _listed(durations: list[timedelta]) -> str:
    *first, last = [_in_words(one) for one in durations]
    return f"{', '.join(first)} and {last}"


def _hours(request: HttpRequest) -> int:
    hours = _number(request.GET.get("hours", ""))
    return hours if hours in dying.HORIZONS else DEFAULT_HOURS


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0


def _after(request: HttpRequest) -> tuple[datetime, UUID] | None:
    at, _, id = request.GET.get("after", "").partition(",")
    try:
        moment = datetime.fromisoformat(at)
        return (moment, UUID(id)) if moment.tzinfo else None
    except ValueError:
        return None


def _query(**given: Any) -> str:
    return f"?{urlencode({name: value for name, value in given.items() if value not in ('', 0)})}"


site.register_view("sync/flight/", show, "sync_flight", permission=VIEW)
site.register_view("sync/flight/retry/", retry_code, "sync_flight_retry", permission=RETRY)
site.register_badge("admin:sync_flight", badge)
site.register_need(needs, permission=VIEW)
