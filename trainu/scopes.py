"""Who may call the API: the hook that every router puts before its operations, `auth=Scope("sync:write")`.

Kernel: imports no app. The rule: an operation names one scope, and a request costs its key one of what it
may send a minute. Whoever keeps the keys hands in, from its ready(), how one is recognised.
"""

from typing import Protocol

from django.http import HttpRequest
from ninja.security.base import AuthBase

from trainu.problem import Problem


class Caller(Protocol):
    """Who is calling: the key's number, and what it may do."""

    @property
    def id(self) -> int: ...

    @property
    def scopes(self) -> frozenset[str]: ...


class Recogniser(Protocol):
    """Returns who holds a key. cost: what the request takes out of the key's allowance.

    Raises Problem 401 for no valid key, 403 for a missing scope, 429 when the allowance is used up.
    """

    def __call__(self, key: str | None, scope: str, *, cost: int) -> Caller: ...


_recognise: Recogniser | None = None


def recognise_by(recognise: Recogniser) -> None:
    """Let keys be recognised by this; called once, by the app that keeps them."""
    global _recognise
    _recognise = recognise


def bearer(request: HttpRequest) -> str | None:
    """Return the key of the Authorization header, or None."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def actor(request: HttpRequest) -> str:
    """Return who calls, as the audit log names it: key:3. For a request that a Scope let in."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    return f"key:{caller.id}"


class Scope(AuthBase):
    """Ninja's hook: lets a request pass when its key has the scope; the caller becomes request.auth.

    cost: what a request takes out of the key's allowance; 0 where the operation itself counts what is in it.
    """

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_name = "ApiKey"

    def __init__(self, scope: str, *, cost: int = 1) -> None:
        super().__init__()
        self.scope = scope
        self.cost = cost

    def __call__(self, request: HttpRequest) -> Caller:
        if _recognise is None:
            raise Problem(503, "no_keys", "Nobody is there to recognise API keys. Tell whoever runs this.")
        return _recognise(bearer(request), self.scope, cost=self.cost)
