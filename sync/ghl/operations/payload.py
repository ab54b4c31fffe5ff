"""What payloads are made of: their kinds of fields, each with its bounds, and which of them are personal.

The rule: closed and strict. A field that is not declared is refused, a text is no number, and nothing that
PostgreSQL or JSON cannot hold gets in. Python's names here, GoHighLevel's spelling only on the wire.
"""

from datetime import datetime
from functools import cache
from typing import Annotated, Any, Self

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)
from pydantic.alias_generators import to_camel

MASK = "[masked]"
# The default of an optional field that may not be null: it is left out of the request unless it is set.
LEFT_OUT: Any = None


def _in_our_time(moment: datetime) -> datetime:
    if not 2000 <= moment.year <= 2100:
        raise ValueError("The year must be between 2000 and 2100.")
    return moment.replace(microsecond=0)


_PERSONAL = Field(json_schema_extra={"personal": True})

# An id of GoHighLevel.
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _./-]{0,99}$")]
# A time with its zone, to the second.
Moment = Annotated[
    AwareDatetime,
    AfterValidator(_in_our_time),
    PlainSerializer(lambda moment: moment.isoformat(timespec="seconds"), when_used="json"),
]
Day = Annotated[
    str, StringConstraints(pattern=r"^(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"), _PERSONAL
]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]

Name = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,100}$"), _PERSONAL]
Email = Annotated[
    str,
    StringConstraints(
        pattern=r"^[^\x00-\x20\x7f@<>,;\"]{1,64}@[^\x00-\x20\x7f@<>,;\".]{1,63}(\.[^\x00-\x20\x7f@<>,;\".]{1,63}){1,3}$"
    ),
    _PERSONAL,
]
# E.164: +, country, number.
Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$"), _PERSONAL]
# One line, such as an address or a title.
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,300}$"), _PERSONAL]
Tag = Annotated[
    str,
    StringConstraints(pattern=r"^[^\x00-\x20\x7f,]([^\x00-\x1f\x7f,]{0,78}[^\x00-\x20\x7f,])?$"),
    _PERSONAL,
]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=5_000, pattern=r"^[^\x00]*$"), _PERSONAL]
Html = Annotated[str, StringConstraints(min_length=1, max_length=200_000, pattern=r"^[^\x00]*$"), _PERSONAL]
Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False, strict=False)]


class Payload(BaseModel):
    """The data of one operation. Subclass it, describe every field."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=False,
        hide_input_in_errors=True,
    )

    @classmethod
    def parse(cls, document: dict[str, Any]) -> Self:
        """Return the payload in a JSON document. Raises ValueError (pydantic's, mostly), without values."""
        try:
            content = orjson.dumps(document)
        except orjson.JSONEncodeError:
            raise ValueError("The payload holds a character or a number that JSON cannot carry.") from None
        return cls.model_validate_json(content)

    def document(self) -> dict[str, Any]:
        """Return what to store: only what was set, in our names. `parse` takes it back."""
        return self.model_dump(mode="json", exclude_unset=True)

    def wire(self, *leave_out: str) -> dict[str, Any]:
        """Return what to send: only what was set, in GoHighLevel's names, without the fields named here."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=set(leave_out))

    def masked(self) -> dict[str, Any]:
        """Return what may be logged or shown to anybody: the document with every personal value masked."""
        personal = personal_fields(type(self))
        return {name: MASK if name in personal else value for name, value in self.document().items()}


class CustomField(Payload):
    """One custom field of a contact: its id in GoHighLevel, and its value."""

    id: Id = Field(description="The field's id in GoHighLevel.")
    value: Annotated[str, StringConstraints(max_length=5_000, pattern=r"^[^\x00]*$")] | Amount | list[Tag] = (
        Field(alias="field_value", description="A text, a number, or the options chosen.")
    )


CustomFields = Annotated[list[CustomField], Field(min_length=1, max_length=50), _PERSONAL]


@cache
def personal_fields(payload: type[Payload]) -> frozenset[str]:
    """Return the names of the fields of a payload that hold personal data."""
    # From the schema, for an optional or listed value carries its mark one level down.
    properties = payload.model_json_schema(by_alias=False).get("properties", {})
    return frozenset(name for name, schema in properties.items() if _marked(schema))


def _marked(schema: dict[str, Any]) -> bool:
    branches = (schema, schema.get("items", {}), *schema.get("anyOf", ()))
    return any(branch.get("personal") is True for branch in branches)
