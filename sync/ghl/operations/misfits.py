"""What does not fit about a payload, field by field, in words for whoever has to mend it.

The rule: names of fields and words, never a value: what was typed may be personal.
"""

from dataclasses import dataclass

from pydantic import ValidationError

MOST = 50

_WORDS = {
    "missing": "This is needed.",
    "extra_forbidden": "GoHighLevel's operation has no such field. Leave it out.",
    "string_pattern_mismatch": "It is not written as it has to be.",
    "string_type": "This has to be a text.",
    "bool_type": "This is either yes or no.",
    "bool_parsing": "This is either yes or no.",
    "float_type": "This has to be a number.",
    "float_parsing": "This has to be a number.",
    "list_type": "This has to be a list.",
    "model_type": "This has to be an object with fields.",
}
_MOMENT = "This has to be a time with its zone, such as 2026-11-24T10:00:00+01:00."


@dataclass(frozen=True, slots=True)
class Misfit:
    """path: from the payload down to what does not fit; empty for the payload as a whole."""

    path: tuple[str, ...]
    words: str

    @property
    def field(self) -> str:
        """The payload's field that it belongs to; empty for the payload as a whole."""
        return self.path[0] if self.path else ""

    @property
    def below(self) -> str:
        """Where in the field it is; empty for the field itself. Some names in it may be a stranger's."""
        return ".".join(self.path[1:])[:200]


def misfits(error: ValidationError) -> tuple[Misfit, ...]:
    """Return what does not fit, in the order of the schema; no more than MOST."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return tuple(
        Misfit(tuple(str(part) for part in one["loc"]), _words(one["type"], one["msg"]))
        for one in faults[:MOST]
    )


def _words(kind: str, message: str) -> str:
    if kind.startswith(("datetime_", "timezone_")):
        return _MOMENT
    if kind == "literal_error":
        return message.replace("Input should be", "This has to be", 1) + "."
    return _WORDS.get(kind) or message.removeprefix("Value error, ")
