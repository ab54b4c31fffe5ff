"""One request to GoHighLevel as a value: what would be sent, before anybody sends it.

The rule: an id can never leave its place in a path, and a token enters at the transport's edge only.
No text made from a request holds its body, the values of its query, or a token.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode

import orjson
from pydantic import SecretStr

_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}", re.ASCII)
_ONLY_DOTS = re.compile(r"\.{1,2}")


class Version:
    """The Version header each family of endpoints wants (facts of 2026-11: all of them supported)."""

    CONTACTS: Final = "2021-07-28"
    OPPORTUNITIES: Final = "2021-07-28"
    LOCATIONS: Final = "2021-07-28"
    OAUTH: Final = "2021-07-28"
    CALENDARS: Final = "2021-04-15"
    CONVERSATIONS: Final = "2021-04-15"


class UnusableToken(ValueError):
    """A token that no HTTP header can carry. The text never holds it."""

    def __init__(self) -> None:
        super().__init__("The token is empty or has characters that no header may carry. Enter it again.")


def path(template: str, **ids: str) -> str:
    """Return a path with ids put in, each quoted whole: `path("/contacts/{id}", id="a/b")`.

    Raises ValueError for an id that is empty or consists of one or two dots: a dot segment climbs out of
    its place however it is quoted.
    """
    for name, value in ids.items():
        if not value or _ONLY_DOTS.fullmatch(value):
            raise ValueError(f"{name} cannot stand in a path: it is empty or made of dots.")
    return template.format(**{name: quote(value, safe="") for name, value in ids.items()})


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One HTTP request. path: quoted, from `path`. query: unquoted values. version: None for no such header.

    body: what becomes JSON, or, with encoding "form", an HTML form; a form's secrets stay wrapped until
    `content` is asked for.
    """

    method: str
    path: str
    version: str | None
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    encoding: Literal["json", "form"] = "json"

    @property
    def target(self) -> str:
        """The path with its query, every value quoted whole (a + in a phone number is %2B)."""
        if not self.query:
            return self.path
        return f"{self.path}?{urlencode(self.query, quote_via=quote, safe='')}"

    def content(self) -> bytes | None:
        """Return the bytes to send, None without a body."""
        if self.body is None:
            return None
        if self.encoding == "form":
            return urlencode({name: _revealed(value) for name, value in self.body.items()}).encode()
        return orjson.dumps(self.body)

    def headers(self, token: SecretStr | None) -> dict[str, str]:
        """Return the headers to send. Raises UnusableToken, which does not say what the token is."""
        headers = {"Accept": "application/json"}
        if self.version is not None:
            headers["Version"] = self.version
        if self.body is not None:
            form = "application/x-www-form-urlencoded"
            headers["Content-Type"] = form if self.encoding == "form" else "application/json"
        if token is not None:
            if not _TOKEN.fullmatch(token.get_secret_value()):
                raise UnusableToken
            headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        return headers

    def __repr__(self) -> str:
        query = f"?{'&'.join(self.query)}" if self.query else ""
        return f"<Request {self.method} {self.path}{query} version={self.version}>"


def _revealed(value: Any) -> str:
    return str(value.get_secret_value()) if isinstance(value, SecretStr) else str(value)
