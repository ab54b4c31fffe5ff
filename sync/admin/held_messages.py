"""Held messages: what the kill switch holds, in groups and one by one; some released, some discarded.

The rules: nothing is decided without a page that says what exactly, and a reason. That page freezes its
moment: what comes later is left alone. Of a message, only what is masked is shown, unless somebody who may
has said why; then it is in the audit log first.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from sync import job_search, kill_switch
from sync.dead_letters.admin.record import unkept
from sync.dead_letters.refusal import Refused
from sync.dead_letters.wording import LONGEST_REASON
from sync.held_messages import deciding, groups, revealing
from sync.held_messages.chosen import ALONE, Chosen, last_position
from sync.held_messages.groups import Group
from sync.held_messages.revealing import Revealed
from sync.held_messages.shape import name_of, shape_of
from sync.models import Location, SyncJob
from trainu.admin_rendering import seen
from trainu.admin_site import site
from trainu.bounded_query import TooBroad, bounded
from trainu.people import acting

VIEW = "sync.view_killswitch"
TURN = "sync.turn_killswitch"
REVEAL = "sync.reveal_deadletter"
TIME_LIMIT_MS = 3_000
PAGE = 50
# So many are proposed to be released: first a few, then a look.
FEW = 10
LONGEST_EXAMPLE = 160
_LIST = "admin:sync_held_messages"
_VERBS = {"release": "Release", "discard": "Discard"}
# What is counted on these pages; whatever is above that is "more than" it.
MOST_COUNTED = 100_000


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label="Why, for the audit log and for whoever looks at it later",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why."},
    )
    most = forms.IntegerField(
        label="How many, the oldest first",
        min_value=1,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={"required": "Say how many.", "invalid": "Say how many, in digits."},
    )


@require_safe
def held(request: HttpRequest) -> HttpResponse:
    """Show all that is held, in groups."""
    switch = kill_switch.state()
    context: dict[str, Any] = {
        "title": "Held messages",
        "switch": switch,
        "may_turn": request.user.has_perm(TURN),
    }
    context["may_reveal"] = request.user.has_perm(REVEAL)
    if switch.is_on and switch.since:
        try:
            with bounded(TIME_LIMIT_MS):
                found = groups.held(switch.since)
        except TooBroad:
            context["is_too_broad"] = True
        else:
            context |= {
                "held": found,
                "groups": [(one, *_of_group(one)) for one in found.groups],
                "all_query": _query(Chosen()),
            }
    return TemplateResponse(request, "sync/held_messages.html", site.each_context(request) | context)


@require_safe
def group(request: HttpRequest) -> HttpResponse:
    """Show the messages of a group one by one, the oldest first."""
    return _one_by_one(request, request.GET)


def _one_by_one(request: HttpRequest, query: QueryDict, revealed: Revealed | None = None) -> HttpResponse:
    switch = kill_switch.state()
    context: dict[str, Any] = {"title": "Held messages, one by one", "switch": switch}
    if switch.is_on and switch.since:
        try:
            chosen = _chosen(query)
            with bounded(TIME_LIMIT_MS):
                found = chosen.page(switch.since, after=_number(query.get("after", "")), most=PAGE + 1)
                count = chosen.count(switch.since, MOST_COUNTED + 1)
        except ValueError:
            return _refused(request, "The address does not say which messages.")
        except TooBroad:
            return _refused(request, "So many messages cannot be counted now. Choose one of the groups.")
        following = found[PAGE - 1].position if len(found) > PAGE else None
        context |= {
            "jobs": [
                (job, seen(job.location.name), _text_of(job), _data(job_search.shown_payload(job)))
                for job in found[:PAGE]
            ],
            "may_reveal": request.user.has_perm(REVEAL),
            "revealed": revealed,
            "revealed_lines": [(k, seen(str(v))) for k, v in revealed.payload.items()] if revealed else [],
            "longest_reason": LONGEST_REASON,
            "which_query": _query(chosen),
            "which": _in_words(chosen),
            "counted": _messages(count),
            "count": count,
            "fields": _fields(chosen),
            "following": f"?{_query(chosen, after=following)}" if following else "",
            "everywhere": _query(Chosen(text=chosen.text)) if chosen.location_id and chosen.text else "",
            "may_turn": request.user.has_perm(TURN),
        }
    return TemplateResponse(request, "sync/held_messages_group.html", site.each_context(request) | context)


@require_safe
def confirm(request: HttpRequest) -> HttpResponse:
    """Show what would be decided, and ask why."""
    try:
        verb, chosen = _wanted(request.GET)
    except ValueError as error:
        return _refused(request, str(error))
    return _confirm(request, verb, chosen)


def _led_back(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Lead who comes back to a verb's address without its form to the list; nothing is done by that."""

    @wraps(view)
    def led(request: HttpRequest) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            return HttpResponseRedirect(reverse(_LIST))
        return view(request)

    return led


@_led_back
@require_POST
def release(request: HttpRequest) -> HttpResponse:
    """Let what was shown go."""
    return _decided(request, "release")


@_led_back
@require_POST
def discard(request: HttpRequest) -> HttpResponse:
    """Discard what was shown."""
    return _decided(request, "discard")


@_led_back
@require_POST
def reveal(request: HttpRequest) -> HttpResponse:
    """Show what the oldest of a group says, once somebody has said why."""
    query = QueryDict(request.POST.get("which", ""))
    try:
        chosen = _chosen(query)
        revealed = revealing.reveal(chosen, request.POST.get("reason", ""), by=acting(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(f"{reverse('admin:sync_held_group')}?{_query(chosen)}")
    except ValueError:
        return _refused(request, "The form does not say which message. Begin from their list.")
    return unkept(_one_by_one(request, query, revealed))


def _decided(request: HttpRequest, verb: str) -> HttpResponse:
    try:
        chosen = _chosen(QueryDict(request.POST.get("which", "")))
    except ValueError:
        return _refused(request, "The form does not say which messages. Begin from their list.")
    form = ReasonForm(request.POST, label_suffix="")
    if not form.is_valid():
        return _confirm(request, verb, chosen, form)
    act = deciding.release if verb == "release" else deciding.discard
    given = form.cleaned_data
    try:
        done = act(chosen, most=given["most"], reason=given["reason"], by=acting(request), now=timezone.now())
    except Refused as refusal:
        return _confirm(request, verb, chosen, form, str(refusal))
    said = _messages(done.messages)
    if verb == "release":
        messages.success(request, f"Released {said}. They go now, as fast as their locations' limits allow.")
    else:
        messages.success(
            request,
            f"Discarded {said}. They are among the discarded dead letters, where they can be restored.",
        )
    return HttpResponseRedirect(reverse(_LIST))


def _confirm(
    request: HttpRequest, verb: str, chosen: Chosen, form: ReasonForm | None = None, said: str = ""
) -> HttpResponse:
    switch = kill_switch.state()
    if not switch.is_on or switch.since is None:
        return _refused(request, "The kill switch is off, so nothing is held: messages go by themselves.")
    count, most = chosen.count(switch.since, MOST_COUNTED + 1), deciding.most_at_once(verb)
    if form is None:
        proposed = most if verb == "discard" or chosen.ids else FEW
        form = ReasonForm(initial={"most": min(count, proposed)}, label_suffix="")
    context = site.each_context(request) | {
        "title": f"{_VERBS[verb]} held messages",
        "verb": verb,
        "label": _VERBS[verb],
        "which": _in_words(chosen),
        "count": count,
        "counted": _messages(count),
        "most": most,
        "form": form,
        "said": said,
        "fields": _query(chosen),
        "sample": [_text_of(job) for job in chosen.page(switch.since, after=0, most=5)],
        "may_reveal": request.user.has_perm(REVEAL),
    }
    return TemplateResponse(request, "sync/held_messages_confirm.html", context)


def _refused(request: HttpRequest, words: str) -> HttpResponse:
    context = site.each_context(request) | {"title": "Held messages", "refusal": words}
    return TemplateResponse(request, "sync/held_messages_confirm.html", context, status=400)


def _wanted(query: QueryDict) -> tuple[str, Chosen]:
    verb = query.get("verb", "")
    if verb not in _VERBS:
        raise ValueError("The address does not say what to do with the messages.")
    try:
        chosen = _chosen(query)
    except ValueError:
        raise ValueError("The address does not say which messages.") from None
    return verb, chosen if chosen.until is not None else replace(chosen, until=last_position())


def _chosen(query: QueryDict) -> Chosen:
    until = query.get("until", "")
    return Chosen(
        location_id=query.get("location", "").replace("\x00", "")[:64],
        text=query.get("text", "")[:20],
        until=_number(until) if until else None,
        ids=tuple(UUID(id) for id in query.getlist("id")[: deciding.MOST_NAMED + 1]),
    )


def _fields(chosen: Chosen) -> list[tuple[str, str]]:
    """Return a set as a form or an address names it."""
    named: Mapping[str, Any] = {
        "location": chosen.location_id,
        "text": chosen.text,
        "until": "" if chosen.until is None else str(chosen.until),
    }
    return [(name, value) for name, value in named.items() if value] + [("id", str(id)) for id in chosen.ids]


def _query(chosen: Chosen, **more: Any) -> str:
    return urlencode([*_fields(chosen), *more.items()])


def _of_group(one: Group) -> tuple[str, str]:
    """Return a group's query, and the name of its location."""
    return _query(Chosen(one.location_id, one.text)), seen(one.location)


def _in_words(chosen: Chosen) -> str:
    parts = ["Those that you have ticked"] if chosen.ids else ["All that is held"]
    if chosen.location_id:
        name = Location.objects.filter(pk=chosen.location_id).values_list("name", flat=True).first()
        parts.append(f"of {seen(name or chosen.location_id)}")
    if chosen.text:
        named = "" if chosen.text == ALONE else name_of(int(chosen.text))
        parts.append(f"with {named}" if named else "each with a text of its own")
    return ", ".join(parts)


def _text_of(job: SyncJob) -> str:
    """Return what may be said of a message's text: what it is called, and its shape."""
    return f"{name_of(job.text_key) or 'a text'}: {shape_of(job.payload)}"


def _data(masked: dict[str, Any]) -> str:
    words = json.dumps(masked, ensure_ascii=False)
    return seen(words if len(words) <= LONGEST_EXAMPLE else f"{words[:LONGEST_EXAMPLE]} …")


def _messages(count: int) -> str:
    if count > MOST_COUNTED:
        return f"more than {MOST_COUNTED:,} messages"
    return "1 message" if count == 1 else f"{count:,} messages"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


_AT = "sync/kill-switch/held"
site.register_view(f"{_AT}/", held, "sync_held_messages", permission=VIEW)
site.register_view(f"{_AT}/group/", group, "sync_held_group", permission=VIEW)
site.register_view(f"{_AT}/confirm/", confirm, "sync_held_confirm", permission=TURN)
site.register_view(f"{_AT}/release/", release, "sync_held_release", permission=TURN)
site.register_view(f"{_AT}/discard/", discard, "sync_held_discard", permission=TURN)
site.register_view(f"{_AT}/reveal/", reveal, "sync_held_reveal", permission=REVEAL)
