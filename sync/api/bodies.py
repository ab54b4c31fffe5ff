"""Reading a request's body by hand: where it is larger than most, or must not be parsed twice.

The rule: what declares itself too large is refused unread; an error names fields, and never values.
"""

from typing import TypeVar

import orjson
from django.http import HttpRequest
from ninja.errors import ValidationError as InvalidRequest
from pydantic import BaseModel, ValidationError

from trainu.problem import Problem

T = TypeVar("T", bound=BaseModel)


def read(request: HttpRequest, shape: type[T], *, most_bytes: int, what: str) -> T:
    """Return what the body asks for. what: a noun with its article, "A job".

    Raises Problem 413 over most_bytes, 415 for an encoded body, 400 for no JSON; InvalidRequest, which the
    API answers with 422 and the fields, for what does not fit the shape.
    """
    if int(request.META.get("CONTENT_LENGTH") or 0) > most_bytes or len(request.body) > most_bytes:
        raise Problem(413, "body_too_large", f"{what} holds up to {most_bytes // 1024} KiB.")
    if request.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}:
        raise Problem(415, "unsupported_encoding", "Send the body as it is, without Content-Encoding.")
    try:
        document = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise Problem(400, "malformed_json", "The body is no JSON. Send an object in UTF-8.") from None
    try:
        return shape.model_validate(document)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        raise InvalidRequest([dict(fault) for fault in faults]) from None
