"""The kinds of properties that events are made of, each with its meaning, its bounds and its unit.

The rule: ids and words cannot hold names or addresses, for neither a space, an @ nor a + fits into them.
Free text is `Text`, the one kind that redaction has to read.
"""

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

# An id of TrainU or GoHighLevel: never a name, an address or a number that one can dial.
Id = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"),
    Field(json_schema_extra={"id": True}),
]
# A word from the reporting app's own short list, such as a page or a channel.
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
# A route with its variables left as names: /trainers/{id}. No query, no values.
Route = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9_./{}<>:-]{0,199}$")]
# Free text: redacted before it is stored.
Text = Annotated[str, StringConstraints(max_length=500), Field(json_schema_extra={"redacted": True})]

Count = Annotated[int, Field(ge=0, le=2**53)]
Milliseconds = Annotated[float, Field(ge=0, le=86_400_000, json_schema_extra={"unit": "ms"})]
Minutes = Annotated[int, Field(ge=0, le=100_000, json_schema_extra={"unit": "min"})]
Seconds = Annotated[float, Field(ge=0, le=31_536_000, json_schema_extra={"unit": "s"})]
Bytes = Annotated[int, Field(ge=0, le=2**53, json_schema_extra={"unit": "B"})]
Percent = Annotated[float, Field(ge=0, le=100, json_schema_extra={"unit": "%"})]
Moment = Annotated[AwareDatetime, Field(json_schema_extra={"unit": "UTC"})]
