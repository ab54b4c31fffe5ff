"""Access to GoHighLevel by OAuth: requests for tokens, and tokens out of answers. No locks, no storage.

The rule: a token, a code and the client's secret are wrapped from the moment they are read; nothing here
has a text that shows one. A refresh makes the old refresh token void: store both new tokens in the
transaction that holds the row's lock. For 30 s the same refresh gives the same answer again.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import SecretStr

from sync.ghl.errors import READ, Code, Outcome, Verdict, classify
from sync.ghl.request import Request, Version
from sync.ghl.response import Answer, Failure, id_at, object_at

# A token whose life is not said is used this long: asking for a new one early is harmless.
UNSAID_LIFE_S = 3600
LONGEST_LIFE_S = 366 * 86400
REFRESH_BEFORE = timedelta(minutes=10)
_TOKEN_PATH = "/oauth/token"
_GRANT = re.compile(r"refresh.?token|authori[sz]ation.?code|grant")
UserType = Literal["Company", "Location"]


@dataclass(frozen=True, slots=True)
class Client:
    """Our app at GoHighLevel."""

    id: str
    secret: SecretStr


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a token request gave. refresh: None for a location's token made from the agency's."""

    access: SecretStr
    refresh: SecretStr | None
    expires_at: datetime
    location_id: str | None = None
    company_id: str | None = None
    user_type: str | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to refresh: ten minutes before the access token ends."""
        return now >= self.expires_at - REFRESH_BEFORE


def refresh(client: Client, refresh_token: SecretStr, *, user_type: UserType = "Location") -> Request:
    """Return the request that turns a refresh token into two new tokens. Sent without a bearer."""
    return _token_request(client, user_type, grant_type="refresh_token", refresh_token=refresh_token)


def exchange(
    client: Client, code: SecretStr, redirect_uri: str, *, user_type: UserType = "Location"
) -> Request:
    """Return the request that turns the code of an installation into tokens. Sent without a bearer."""
    return _token_request(
        client, user_type, grant_type="authorization_code", code=code, redirect_uri=redirect_uri
    )


def location_token(company_id: str, location_id: str) -> Request:
    """Return the request for a location's token. Sent with the agency's access token as bearer."""
    body = {"companyId": company_id, "locationId": location_id}
    return Request("POST", "/oauth/locationToken", Version.OAUTH, body=body, encoding="form")


def read(result: Answer | Failure, *, now: datetime, before: Tokens | None = None) -> Tokens | Verdict:
    """Return the tokens in an answer, or the verdict why there are none.

    before: the tokens that were refreshed; what the answer leaves out is taken from them. A refusal is
    always configuration: access withdrawn, or our app's secret wrong. No job is to blame for it.
    """
    verdict = classify(READ, result, now=now)
    if isinstance(result, Failure) or verdict.outcome in {Outcome.TRANSIENT, Outcome.DEFERRED}:
        return verdict
    if verdict.outcome is not Outcome.OK:
        return Verdict(Outcome.CONFIGURATION, _refusal(result, verdict))
    body = object_at(result.body)
    access = _text(body, "access_token", "accessToken")
    if access is None:
        return Verdict(Outcome.TRANSIENT, Code.BAD_RESPONSE)
    new_refresh = _text(body, "refresh_token", "refreshToken")
    return Tokens(
        access=SecretStr(access),
        refresh=SecretStr(new_refresh) if new_refresh else (before.refresh if before else None),
        expires_at=now + timedelta(seconds=_life_s(body)),
        location_id=id_at(body, "locationId") or (before.location_id if before else None),
        company_id=id_at(body, "companyId") or (before.company_id if before else None),
        user_type=id_at(body, "userType") or (before.user_type if before else None),
        scopes=frozenset((_text(body, "scope") or "").split()),
    )


def _token_request(client: Client, user_type: UserType, **values: Any) -> Request:
    body = {"client_id": client.id, "client_secret": client.secret, "user_type": user_type, **values}
    return Request("POST", _TOKEN_PATH, None, body=body, encoding="form")


def _refusal(answer: Answer, verdict: Verdict) -> Code:
    said = f"{object_at(answer.body).get('error')} {answer.message}".lower()
    if "invalid_grant" in said:
        return Code.GRANT_REVOKED
    if "client" in said:
        return Code.CLIENT_REFUSED
    if _GRANT.search(said):
        return Code.GRANT_REVOKED
    return verdict.code if verdict.outcome is Outcome.CONFIGURATION else Code.CLIENT_REFUSED


def _life_s(body: dict[str, Any]) -> float:
    value = body.get("expires_in", body.get("expiresIn"))
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LONGEST_LIFE_S:
        return UNSAID_LIFE_S
    return float(value)


def _text(body: dict[str, Any], *names: str) -> str | None:
    return next((value for name in names if isinstance(value := body.get(name), str) and value), None)
