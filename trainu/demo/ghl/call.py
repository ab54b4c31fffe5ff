"""A request to the simulated GoHighLevel, and its answer, apart from the network that carries them.

The rule: a refusal is raised as `Refused`, in one of the shapes the official documents give to errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

Document = dict[str, Any]
_REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    422: "Unprocessable Entity",
}


class Refused(Exception):
    """An answer that is an error. document: the body as GHL writes it."""

    def __init__(self, status: int, message: str | list[str], **more: Any) -> None:
        super().__init__(status)
        self.status = status
        self.document: Document = {"statusCode": status, "message": message, **more}
        if status in {401, 403, 422}:
            self.document["error"] = _REASONS[status]


class TokenRefused(Refused):
    """An error of the token endpoint, whose shape is that of OAuth 2."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(status, description)
        self.document = {"error": error, "error_description": description}


@dataclass(slots=True)
class Reply:
    """What goes back: after_s of waiting, then the answer, or silence (hang), or a cut connection."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0
    hang: bool = False
    cut: bool = False
    # Not served yet: wait first, then serve the call.
    late: bool = False


class Call:
    """One request. ids: the parts of the path that its route leaves open, in order."""

    __slots__ = ("_query", "grant", "headers", "ids", "method", "parts", "path", "raw")

    def __init__(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> None:
        self.method = method
        self.path, _, self._query = target.partition("?")
        self.headers = headers
        self.raw = raw
        parts = self.path.split("/")[1:]
        self.parts = [unquote(part) for part in parts] if "%" in self.path else parts
        self.ids: list[str] = []
        self.grant: Any = None

    @property
    def token(self) -> str:
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        return token if kind == "Bearer" else ""

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self._query, keep_blank_values=True)) if self._query else {}

    def json(self) -> Document:
        """Return the body, an object; raise Refused where it is none."""
        if not self.raw:
            return {}
        try:
            document = orjson.loads(self.raw)
        except orjson.JSONDecodeError:
            raise Refused(400, "Unexpected token in JSON") from None
        if not isinstance(document, dict):
            raise Refused(400, "The body must be a JSON object")
        return document

    def form(self) -> dict[str, str]:
        """Return the fields of a body that is a form or, as the newest version allows, JSON."""
        if self.headers.get("Content-Type", "").startswith("application/json"):
            return {name: str(value) for name, value in self.json().items()}
        return dict(parse_qsl(self.raw.decode(errors="replace")))

    def number(self, name: str, default: int, *, most: int) -> int:
        """Return a number of the query; raise Refused for what is none."""
        given = self.query.get(name)
        if given is None:
            return default
        if not given.isascii() or not given.isdigit():
            raise Refused(422, [f"{name} must be a number"])
        if int(given) > most:
            raise Refused(422, [f"{name} must not be greater than {most}"])
        return int(given)


def json_reply(status: int, document: Any, headers: dict[str, str] | None = None) -> Reply:
    """Return an answer in JSON."""
    answer = {"Content-Type": "application/json; charset=utf-8"}
    if headers:
        answer.update(headers)
    return Reply(status, orjson.dumps(document), answer)
