"""Tokens by OAuth: what is asked, what is read, and that no text ever shows one."""

import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from sync.ghl import oauth
from sync.ghl.errors import Code, Outcome, Verdict
from sync.ghl.response import Answer, Cause, Failure, Phase, read
from tests.sync.ghl import official

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CLIENT = oauth.Client("app1", SecretStr("app-secret"))
REFRESH = SecretStr("refresh-1")


def answer(status: int, body: Any) -> Answer:
    return read(status, {}, json.dumps(body).encode())


@pytest.mark.parametrize(
    "request_",
    [
        oauth.refresh(CLIENT, REFRESH),
        oauth.refresh(CLIENT, REFRESH, user_type="Company"),
        oauth.exchange(CLIENT, SecretStr("code-1"), "https://trainu.example/oauth"),
        oauth.location_token("co1", "loc1"),
    ],
    ids=["refresh", "refresh of an agency", "exchange", "location token"],
)
def test_a_request_for_tokens_is_one_that_the_official_documents_allow(request_: oauth.Request) -> None:
    official.check(request_)


def test_a_refresh_is_a_form_with_everything_in_it() -> None:
    assert oauth.refresh(CLIENT, REFRESH).content() == (
        b"client_id=app1&client_secret=app-secret&user_type=Location&grant_type=refresh_token&refresh_token=refresh-1"
    )


SNAKE = {
    "access_token": "a-2",
    "refresh_token": "r-2",
    "expires_in": 86399,
    "token_type": "Bearer",
    "scope": "contacts.readonly contacts.write",
    "userType": "Location",
    "locationId": "loc1",
    "companyId": "co1",
    "userId": "u1",
}
CAMEL = {
    "accessToken": "a-2",
    "refreshToken": "r-2",
    "expiresIn": 86399,
    "scope": "contacts.readonly contacts.write",
    "userType": "Location",
    "locationId": "loc1",
    "companyId": "co1",
}


@pytest.mark.parametrize("document", [SNAKE, CAMEL], ids=["v2", "v3"])
def test_tokens_are_read_in_either_spelling(document: dict[str, Any]) -> None:
    tokens = oauth.read(answer(200, document), now=NOW)
    assert tokens == oauth.Tokens(
        access=SecretStr("a-2"),
        refresh=SecretStr("r-2"),
        expires_at=NOW + timedelta(seconds=86399),
        location_id="loc1",
        company_id="co1",
        user_type="Location",
        scopes=frozenset({"contacts.readonly", "contacts.write"}),
    )


def test_the_official_answer_is_read() -> None:
    official.check_answer(oauth.refresh(CLIENT, REFRESH), 200, SNAKE)


def test_what_a_refresh_leaves_out_stays_as_it_was() -> None:
    before = oauth.Tokens(SecretStr("a-1"), REFRESH, NOW, location_id="loc1", company_id="co1")
    tokens = oauth.read(answer(200, {"access_token": "a-2"}), now=NOW, before=before)
    assert isinstance(tokens, oauth.Tokens)
    assert (tokens.access, tokens.refresh, tokens.location_id) == (SecretStr("a-2"), REFRESH, "loc1")
    assert tokens.expires_at == NOW + timedelta(seconds=oauth.UNSAID_LIFE_S)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": "This refresh token is invalid"},
            Code.GRANT_REVOKED,
        ),
        (400, {"error": "invalid_grant", "error_description": "of another client"}, Code.GRANT_REVOKED),
        (
            401,
            {"error": "UnAuthorized!", "error_description": "Invalid client credentials!"},
            Code.CLIENT_REFUSED,
        ),
        (422, {"message": ["refresh_token must be a string"]}, Code.GRANT_REVOKED),
        (400, {"message": "The authorization code is expired"}, Code.GRANT_REVOKED),
        (401, {"message": "Invalid token: access token is invalid"}, Code.UNAUTHORIZED),
        (404, {"message": "Company not found"}, Code.CLIENT_REFUSED),
    ],
)
def test_a_refusal_is_configuration_and_blames_no_job(status: int, body: Any, code: Code) -> None:
    assert oauth.read(answer(status, body), now=NOW) == Verdict(Outcome.CONFIGURATION, code)


def test_what_passes_is_tried_again() -> None:
    for result in (
        answer(500, {"message": "Internal"}),
        answer(200, {"access_token": ""}),
        read(200, {}, b"<html>"),
        Failure(Phase.MAYBE_SENT, Cause.TIMEOUT),
    ):
        verdict = oauth.read(result, now=NOW)
        assert isinstance(verdict, Verdict)
        assert verdict.outcome is Outcome.TRANSIENT
    limited = oauth.read(answer(429, {}), now=NOW)
    assert isinstance(limited, Verdict)
    assert limited.outcome is Outcome.DEFERRED


def test_a_token_is_refreshed_before_it_ends() -> None:
    tokens = oauth.Tokens(SecretStr("a"), None, NOW + timedelta(hours=1))
    assert not tokens.is_due(NOW)
    assert tokens.is_due(NOW + timedelta(minutes=51))


@pytest.mark.parametrize("life", [None, "3600", -1, 0, True, 1e308, [1]])
def test_a_life_that_is_junk_counts_as_not_said(life: Any) -> None:
    tokens = oauth.read(answer(200, {"access_token": "a", "expires_in": life}), now=NOW)
    assert isinstance(tokens, oauth.Tokens)
    assert tokens.expires_at == NOW + timedelta(seconds=oauth.UNSAID_LIFE_S)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60).map("zqx-{}".format))
def test_no_text_of_anything_shows_a_secret(secret: str) -> None:
    wrapped = SecretStr(secret)
    client = oauth.Client("app1", wrapped)
    tokens = oauth.read(answer(200, {"access_token": secret, "refresh_token": secret}), now=NOW)
    refused = oauth.read(answer(400, {"error": "invalid_grant", "error_description": secret}), now=NOW)
    shown = [
        client,
        tokens,
        refused,
        oauth.refresh(client, wrapped),
        oauth.refresh(client, wrapped).body,
        oauth.exchange(client, wrapped, "https://trainu.example/oauth"),
        answer(200, {"access_token": secret}),
        pickle.loads(pickle.dumps(tokens)),
    ]
    assert all(secret not in f"{one!r}{one}" for one in shown)
