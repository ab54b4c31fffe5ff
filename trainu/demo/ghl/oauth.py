"""Tokens of the simulated GoHighLevel: private integrations, OAuth, their ends.

The rule: a refresh token works once; repeated within 30 seconds it gives the same successor again.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from trainu.demo.ghl.call import Call, Document, Refused, TokenRefused
from trainu.demo.ghl.route import Route
from trainu.demo.ghl.state import World

VERSION = "2021-07-28"
LIFETIME_S = 86_399
REFRESH_LIFETIME_S = 365 * 86_400
GRACE_S = 30.0
SCOPES = (
    "contacts.readonly contacts.write calendars.readonly calendars/events.readonly calendars/events.write "
    "conversations.readonly conversations.write conversations/message.readonly conversations/message.write "
    "opportunities.readonly opportunities.write locations.readonly locations/customFields.readonly "
    "locations/tasks.readonly users.readonly oauth.readonly oauth.write"
)


@dataclass(slots=True)
class Grant:
    """What a token allows. location_id: None for a token of the agency. scopes: None for all."""

    token: str
    location_id: str | None
    company_id: str
    scopes: frozenset[str] | None = None
    expires_at: float | None = None
    revoked: bool = False

    @property
    def resource(self) -> str:
        """Whose rate limit it draws on."""
        return self.location_id or self.company_id


@dataclass(slots=True)
class Refresh:
    """A refresh token, and what it became."""

    token: str
    grant: Grant
    expires_at: float
    used_at: float | None = None
    successor: "Refresh | None" = None
    revoked: bool = False


@dataclass(slots=True)
class Tokens:
    """Every token given out. calls: how often the token endpoints answered, by grant type."""

    world: World
    clients: dict[str, str] = field(default_factory=lambda: {"demo-client": "demo-client-secret"})
    grants: dict[str, Grant] = field(default_factory=dict)
    refreshes: dict[str, Refresh] = field(default_factory=dict)
    codes: dict[str, Grant] = field(default_factory=dict)
    calls: "Counter[str]" = field(default_factory=Counter)
    refused: "Counter[str]" = field(default_factory=Counter)

    def private(self, location_id: str, *, token: str = "", scopes: frozenset[str] | None = None) -> str:
        """Issue a private integration token: it does not expire."""
        token = token or f"pit-{self.world.new_id()}"
        self.grants[token] = Grant(token, location_id, self._company(location_id), scopes)
        return token

    def pair(self, location_id: str | None, *, scopes: frozenset[str] | None = None) -> Document:
        """Issue an access and a refresh token, as /oauth/token answers them. None: the agency's."""
        grant = self._access(location_id, scopes)
        refresh = Refresh(self._new("refresh"), grant, self.world.clock.now() + REFRESH_LIFETIME_S)
        self.refreshes[refresh.token] = refresh
        return self._document(grant, refresh)

    def code(self, location_id: str | None) -> str:
        """Issue a code for the first exchange."""
        code = self._new("code")
        self.codes[code] = Grant("", location_id, self._company(location_id))
        return code

    def allow(self, call: Call, scope: str) -> Grant:
        """Return the grant of a request; raise Refused (401) where it has none that holds."""
        grant = call.grant
        if grant is None or grant.revoked:
            raise Refused(401, "Invalid token: access token is invalid")
        if grant.expires_at is not None and grant.expires_at <= self.world.clock.now():
            raise Refused(401, "The token has expired.")
        if scope and grant.scopes is not None and scope not in grant.scopes:
            raise Refused(401, "The token is not authorized for this scope.")
        return grant  # type: ignore[no-any-return]

    def expire(self, location_id: str | None = None) -> int:
        """Let every access token (of a location) expire now; private ones do not. Return how many."""
        chosen = [one for one in self._of(location_id) if one.expires_at is not None]
        for grant in chosen:
            grant.expires_at = self.world.clock.now()
        return len(chosen)

    def revoke(self, location_id: str | None = None) -> int:
        """Revoke all tokens (of a location), refresh tokens and private ones too. Return how many."""
        chosen = list(self._of(location_id))
        for grant in chosen:
            grant.revoked = True
        for refresh in list(self.refreshes.values()):
            if location_id in (None, refresh.grant.location_id):
                refresh.revoked = True
        return len(chosen)

    def exchange(self, form: dict[str, str]) -> Document:
        """Answer /oauth/token; raise TokenRefused."""
        kind = form.get("grant_type", "")
        self.calls[kind] += 1
        client = form.get("client_id", "")
        if self.clients.get(client) != form.get("client_secret", ""):
            self.refused[kind] += 1
            raise TokenRefused(401, "UnAuthorized!", "Invalid client credentials!")
        if kind == "authorization_code" and form.get("code") in self.codes:
            grant = self.codes.pop(form["code"])
            return self.pair(grant.location_id, scopes=grant.scopes)
        if kind == "refresh_token":
            found = self.refreshes.get(form.get("refresh_token", ""))
            if found is not None and self._usable(found):
                return self._refreshed(found)
        self.refused[kind] += 1
        raise TokenRefused(400, "invalid_grant", "This refresh token is invalid")

    def for_location(self, agency: Grant, location_id: str) -> Document:
        """Answer /oauth/locationToken: the agency's token buys one of a location."""
        self.calls["location_token"] += 1
        if agency.location_id is not None:
            raise Refused(401, "This authClass type is not allowed to access this scope.")
        self.world.location(location_id)
        grant = self._access(location_id, agency.scopes)
        document = self._document(grant, None)
        return {name: value for name, value in document.items() if name not in {"companyId", "userType"}}

    def _usable(self, refresh: Refresh) -> bool:
        now = self.world.clock.now()
        spent = refresh.used_at is not None and now - refresh.used_at > GRACE_S
        return not spent and not refresh.revoked and refresh.expires_at > now

    def _refreshed(self, refresh: Refresh) -> Document:
        now = self.world.clock.now()
        if refresh.successor is None:
            grant = self._access(refresh.grant.location_id, refresh.grant.scopes)
            refresh.successor = Refresh(self._new("refresh"), grant, now + REFRESH_LIFETIME_S)
            refresh.used_at = now
            self.refreshes[refresh.successor.token] = refresh.successor
        return self._document(refresh.successor.grant, refresh.successor)

    def _access(self, location_id: str | None, scopes: frozenset[str] | None) -> Grant:
        expires_at = self.world.clock.now() + LIFETIME_S
        grant = Grant(self._new("access"), location_id, self._company(location_id), scopes, expires_at)
        self.grants[grant.token] = grant
        return grant

    def _document(self, grant: Grant, refresh: Refresh | None) -> Document:
        document: dict[str, Any] = {
            "access_token": grant.token,
            "token_type": "Bearer",
            "expires_in": max(0, round((grant.expires_at or 0) - self.world.clock.now())),
            "scope": " ".join(sorted(grant.scopes)) if grant.scopes is not None else SCOPES,
            "userType": "Location" if grant.location_id else "Company",
            "companyId": grant.company_id,
            "userId": "userOfTheInstaller01",
        }
        if grant.location_id:
            document["locationId"] = grant.location_id
        if refresh is not None:
            document["refresh_token"] = refresh.token
        return document

    def _new(self, kind: str) -> str:
        return f"{kind}-{self.world.new_id()}{self.world.new_id()}"

    def _company(self, location_id: str | None) -> str:
        if location_id is None:
            return next((one.company_id for one in self.world.locations.values()), "companyOfTheDemo0001")
        return self.world.location(location_id).company_id

    def _of(self, location_id: str | None) -> list[Grant]:
        return [one for one in list(self.grants.values()) if location_id in (None, one.location_id)]


def routes(tokens: Tokens) -> list[Route]:
    """Return the endpoints of tokens."""

    def token(world: World, call: Call) -> tuple[int, Document]:
        return 200, tokens.exchange(call.form())

    def location_token(world: World, call: Call) -> tuple[int, Document]:
        form = call.form()
        missing = [
            f"{name} should not be empty" for name in ("companyId", "locationId") if not form.get(name)
        ]
        if missing:
            raise Refused(422, missing)
        return 200, tokens.for_location(call.grant, form["locationId"])

    return [
        Route("POST", "/oauth/token", "", token, version=None),
        Route("POST", "/oauth/locationToken", "oauth.write", location_token, version=VERSION),
    ]
