"""The kill switch on pages of other nouns: `{% kill_switch_card %}` says how it stands and leads to it.

The rule: nothing is shown to who may not see the switch. The card needs no data of the page it is on.
"""

from collections.abc import Collection
from typing import Any

from django import template
from django.contrib.auth import get_user_model
from django.template import RequestContext
from django.utils import timezone

from sync import kill_switch
from sync.stats import kill_switch as figures
from trainu.admin_rendering import seen

register = template.Library()

register.filter("seen", seen)


@register.inclusion_tag("sync/kill_switch_card.html", takes_context=True)
def kill_switch_card(context: RequestContext) -> dict[str, Any]:
    """Return what the card shows to this reader."""
    user = context["request"].user
    if not user.has_perm("sync.view_killswitch"):
        return {"switch": None}
    switch = kill_switch.state()
    held = figures.held(now=timezone.now()) if switch.is_on else None
    return {"switch": switch, "held": held, "may_turn": user.has_perm("sync.turn_killswitch")}


@register.filter
def person(by: str) -> str:
    """Return who did something, as staff know each other: nora for staff:7."""
    return people([by])[by]


def people(names: Collection[str]) -> dict[str, str]:
    """Return for names of the audit log what staff call these people, keys and programs."""
    numbers = {name: name.partition(":")[2] for name in names if name.startswith("staff:")}
    wanted = [int(number) for number in numbers.values() if number.isdecimal()]
    users = get_user_model().objects.in_bulk(wanted) if wanted else {}
    found = {str(pk): seen(user.get_username()) for pk, user in users.items()}
    return {name: found.get(numbers.get(name, ""), _other(name)) for name in names}


def _other(name: str) -> str:
    kind, _, number = name.partition(":")
    return {"key": f"API key {number}", "system": "the service"}.get(kind, name)
