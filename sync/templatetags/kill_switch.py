"""The kill switch on pages of other nouns: `{% kill_switch_card %}` says how it stands and leads to it.

The rule: nothing is shown to who may not see the switch. The card needs no data of the page it is on.
"""

from typing import Any

from django import template
from django.template import RequestContext
from django.utils import timezone

from sync import kill_switch
from sync.mass_send import naming
from sync.stats import kill_switch as figures
from trainu import people
from trainu.admin_rendering import seen

register = template.Library()

register.filter("seen", seen)
register.filter("placed", naming.with_names)


@register.inclusion_tag("sync/kill_switch_card.html", takes_context=True)
def kill_switch_card(context: RequestContext) -> dict[str, Any]:
    """Return what the card shows to this reader."""
    user = context["request"].user
    if not user.has_perm("sync.view_killswitch"):
        return {"switch": None}
    switch = kill_switch.state()
    now = timezone.now()
    held = figures.held(now=now, since=switch.since or now) if switch.is_on else None
    return {"switch": switch, "held": held, "may_turn": user.has_perm("sync.turn_killswitch")}


@register.filter
def person(by: str) -> str:
    """Return who did something, as staff know each other: nora for staff:7."""
    return seen(people.names([by]).get(by, ""))
