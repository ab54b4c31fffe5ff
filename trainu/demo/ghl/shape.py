"""What a body may hold: a name, a type, whether it must be there.

The rule: complaints are worded and listed as GHL lists them, all at once.
"""

from collections.abc import Collection, Mapping
from typing import Any

from trainu.demo.ghl.call import Document, Refused

_SAID = {str: "a string", bool: "a boolean value", float: "a number", list: "an array", dict: "an object"}


class Shape:
    """The fields of a body. status: how a bad one is answered (contacts 422, calendars 400)."""

    def __init__(
        self,
        fields: Mapping[str, type],
        *,
        required: Collection[str] = (),
        choices: Mapping[str, Collection[str]] | None = None,
        status: int = 422,
        closed: bool = True,
    ) -> None:
        self.fields = fields
        self.required = tuple(required)
        self.choices = choices or {}
        self.status = status
        self.closed = closed

    def check(self, body: Document) -> Document:
        """Return the body; raise Refused with everything that is wrong with it."""
        complaints = [f"{name} should not be empty" for name in self.required if body.get(name) in (None, "")]
        for name, value in body.items():
            wanted = self.fields.get(name)
            if wanted is None:
                if self.closed:
                    complaints.append(f"property {name} should not exist")
            elif value is not None and not _is(value, wanted):
                complaints.append(f"{name} must be {_SAID[wanted]}")
            elif name in self.choices and value is not None and value not in self.choices[name]:
                complaints.append(f"{name} must be one of: {', '.join(self.choices[name])}")
        if complaints:
            raise Refused(self.status, complaints)
        return body


def _is(value: Any, wanted: type) -> bool:
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, wanted)
