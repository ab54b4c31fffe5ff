"""The kill switch's page: how it stands, who turned it, when and why; what it holds; and turning it.

The rule: whoever may see it sees it on every page while it is on. Turning it asks for a reason and nothing
else, for whoever stops a mass of messages is in a hurry.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from sync import kill_switch
from sync.mass_send import naming
from sync.stats import kill_switch as figures
from sync.stats.queues import Count
from trainu import people
from trainu.admin_rendering import seen
from trainu.admin_site import Banner, Need, site
from trainu.moments import Moment
from trainu.people import acting
from trainu.templatetags.time import in_words

VIEW = "sync.view_killswitch"
TURN = "sync.turn_killswitch"
MOST_MOMENTS = 50
_PAGE = "admin:sync_kill_switch"


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the switch, as large as it is."""
    switch, now = kill_switch.state(), timezone.now()
    moments = site.history(request, *kill_switch.TARGET)[::-1][:MOST_MOMENTS]
    names = people.names({moment.by for moment in moments})
    context = site.each_context(request) | {
        "title": "Kill switch",
        "switch": switch,
        "held": figures.held(now=now, since=switch.since or now) if switch.is_on else None,
        "longest": kill_switch.LONGEST_REASON,
        "may_turn": request.user.has_perm(TURN),
        "history": [(_reason_of(moment), names.get(moment.by, "")) for moment in moments],
    }
    return TemplateResponse(request, "sync/kill_switch.html", context)


def _reason_of(moment: Moment) -> Moment:
    """Return a moment of the switch without its address, which says nothing here: there is one switch."""
    here = " ".join(kill_switch.TARGET)
    return replace(moment, detail=moment.detail.removeprefix(here).removeprefix(": "))


@require_POST
def on(request: HttpRequest) -> HttpResponse:
    """Stop all messages."""
    return _turned(
        request,
        kill_switch.turn_on,
        "The kill switch is on. No message goes out any more, from any location; what is due waits.",
        "It was on already. Nothing has changed.",
    )


@require_POST
def off(request: HttpRequest) -> HttpResponse:
    """Let messages go again."""
    return _turned(
        request,
        kill_switch.turn_off,
        "The kill switch is off. What it has held goes out now, as fast as each location's limits allow.",
        "It was off already. Nothing has changed.",
    )


def banners() -> Sequence[Banner]:
    """Return the line above every page while messages are stopped."""
    switch = kill_switch.state()
    if not switch.is_on:
        return []
    turned = f" {in_words(switch.since, timezone.now())}" if switch.since else ""
    why = seen(naming.with_names(switch.reason))
    words = f"No message goes out: the kill switch was turned on{turned}. {why}"
    return [Banner(words, reverse(_PAGE), "bad")]


def needs(_request: HttpRequest) -> Sequence[Need]:
    """Return that somebody has to end it, for who can."""
    now = timezone.now()
    switch = figures.look(now=now)
    if not switch.is_on:
        return []
    detail = f"{_figure(switch.held)} due and held. Turn it off as soon as what it was for is mended."
    return [Need("The kill switch is on: no message goes out", reverse(_PAGE), detail, switch.since, 1)]


def _figure(held: Count) -> str:
    verb = "message is" if str(held) == "1" else "messages are"
    return f"{held} {verb}"


def _turned(request: HttpRequest, verb: Callable[..., bool], done: str, stood: str) -> HttpResponse:
    by = acting(request)
    try:
        changed = verb(request.POST.get("reason", ""), by=by, now=timezone.now())
    except kill_switch.Refused as refusal:
        messages.error(request, f"Nothing has changed. {refusal}")
    else:
        if changed:
            messages.success(request, done)
        else:
            messages.warning(request, stood)
    return HttpResponseRedirect(reverse(_PAGE))


site.register_view("sync/kill-switch/", page, "sync_kill_switch", permission=VIEW)
site.register_view("sync/kill-switch/on/", on, "sync_kill_switch_on", permission=TURN)
site.register_view("sync/kill-switch/off/", off, "sync_kill_switch_off", permission=TURN)
site.register_banner(banners, permission=VIEW)
site.register_need(needs, permission=TURN)
