"""What the model is told: templates in the project, and a draft's context with placeholders in it.

The rules: whatever others have written is told as material, in marks that it cannot close. Ids never go.
Unless a setting says so, no detail of a person goes either; known ones have placeholders.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from sync.drafts.llm import details
from sync.drafts.llm.placeholders import Scrubber
from sync.models import Draft
from sync.webhooks import fields
from trainu import personal_data

LONGEST_LINE = 1000
MOST_LINES = 20
_BOOKINGS = frozenset(
    {Draft.Kind.BOOKING_CONFIRMATION, Draft.Kind.BOOKING_REMINDER, Draft.Kind.BOOKING_RESCHEDULE}
)
_STARTS_AT = "booking_starts_at"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a draft asks the model for. conversation: whether the client wrote it, and the text, newest last.

    zone: the client's. previous: what was written before, for a draft that is written anew.
    """

    kind: str
    channel: str
    context: dict[str, Any]
    zone: tzinfo
    conversation: Sequence[tuple[bool, str]] = ()
    hint: str = ""
    previous: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent, and how its answer is filled in. required: placeholders that the answer must hold."""

    system: str
    request: str
    values: dict[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    def messages(self) -> list[dict[str, str]]:
        """Return it as OpenAI's protocol has it."""
        return [{"role": "system", "content": self.system}, {"role": "user", "content": self.request}]


class _Plain(Scrubber):
    """Lets details stand, for whoever has decided that the provider may know them."""

    def text(self, text: str) -> str:
        return text

    def facts(self, value: Any, path: tuple[str, ...] = ()) -> Any:
        if not path:
            times = {name: text for name, text in self._known.values.items() if name.startswith("booking_")}
            return {**value, "booking": {**fields.child(value, "booking"), "in_the_clients_zone": times}}
        return value


def compose(wish: Wish, *, personal: bool | None = None) -> Prompt:
    """Return what the model is told. personal: whether details go as they are; default is the setting."""
    goes_plain = settings.LLM_PERSONAL_DATA if personal is None else personal
    known = details.read(wish.context, wish.zone)
    scrubber = _Plain(known) if goes_plain else Scrubber(known)
    values = known.values
    required = () if goes_plain or wish.kind not in _BOOKINGS or _STARTS_AT not in values else (_STARTS_AT,)
    system = render_to_string(
        "sync/prompts/system.txt",
        {
            "placeholders": "" if goes_plain else ", ".join(map(details.mark, sorted(values))),
            "required": " and ".join(map(details.mark, required)),
            "tone": _safe(scrubber, _tone(wish.context), goes_plain),
            "is_email": wish.channel == Draft.Channel.EMAIL,
        },
    )
    request = render_to_string(
        "sync/prompts/request.txt",
        {
            "kind_template": f"sync/prompts/kinds/{Draft.Kind(wish.kind).value}.txt",
            "facts": _facts(scrubber, wish.context, goes_plain),
            "conversation": [
                {
                    "who": "Client" if is_client else "Trainer",
                    "text": _safe(scrubber, text, goes_plain, LONGEST_LINE),
                }
                for is_client, text in wish.conversation[-MOST_LINES:]
            ],
            "previous": _safe(scrubber, wish.previous, goes_plain),
            "hint": _safe(scrubber, wish.hint, goes_plain),
        },
    )
    return Prompt(system, request, values, required)


def _facts(scrubber: Scrubber, context: dict[str, Any], goes_plain: bool) -> str:
    facts = json.dumps(_redacted(scrubber.facts(context), goes_plain), ensure_ascii=False, indent=1)
    return _closed_in(facts)


def _redacted(value: Any, goes_plain: bool) -> Any:
    """Have each text looked at once more by what the whole house redacts with."""
    if goes_plain:
        return value
    if isinstance(value, dict):
        return {name: _redacted(part, goes_plain) for name, part in value.items()}
    if isinstance(value, list):
        return [_redacted(part, goes_plain) for part in value]
    return personal_data.redacted(value) if isinstance(value, str) else value


def _safe(scrubber: Scrubber, text: str, goes_plain: bool, longest: int = 4000) -> str:
    """Return a text of others as it may be told: scrubbed first, for half a name is still one, then cut."""
    told = str(_redacted(scrubber.text(text), goes_plain))
    if len(told) > longest:
        told = told[:longest].rsplit(None, 1)[0] + " …"
    return _closed_in(told)


def _closed_in(text: str) -> str:
    """Return a text that cannot end the marks around it."""
    return text.replace("<", "(").replace(">", ")")


def _tone(context: dict[str, Any]) -> str:
    trainer = context.get("trainer")
    tone = trainer.get("tone") if isinstance(trainer, dict) else None
    return " ".join(tone.split())[:300] if isinstance(tone, str) else ""
