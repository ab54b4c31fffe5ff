"""`Authorization: Bearer <key>` for the API, with the scope that each operation asks for."""

from django.http import HttpRequest
from ninja.security.base import AuthBase

from observability import api_keys
from observability.api_keys import Caller


def bearer(request: HttpRequest) -> str | None:
    """Return the key of the Authorization header, or None."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


class Scope(AuthBase):
    """Ninja's hook: lets a request pass when its key has the scope; the caller becomes request.auth."""

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_name = "ApiKey"

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope

    def __call__(self, request: HttpRequest) -> Caller:
        return api_keys.require(bearer(request), self.scope)
