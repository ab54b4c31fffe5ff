"""Keys: issued once, recognised by hash, scoped, expiring, revocable, limited."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from observability import api_keys, rate_limit
from observability.models import ApiKey
from tests import make
from tests.observability.test_ingestion import post
from trainu.problem import Problem

pytestmark = pytest.mark.django_db


def test_the_key_itself_is_kept_nowhere() -> None:
    row, key = api_keys.issue("booking-app", ["events:write"])
    row.refresh_from_db()
    secret = key.rsplit("_", 1)[1]
    assert key.startswith(f"trainu_{row.prefix}_")
    assert secret not in str(ApiKey.objects.values().get())


def test_a_valid_key_lets_in_and_its_use_is_noted(client: Client) -> None:
    row, key = api_keys.issue("booking-app", ["events:write"])
    assert post(client, make.event(), key).status_code == 200
    row.refresh_from_db()
    assert row.last_used_at is not None


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Basic abc", "Bearer trainu_é"])
def test_without_a_valid_key_it_is_401(client: Client, header: str) -> None:
    answer = client.post("/api/events", b"{}", "application/json", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_api_key")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_missing_scope_is_403_and_names_it(client: Client) -> None:
    _, key = api_keys.issue("uptime", ["health:read"])
    answer = post(client, make.event(), key)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert "events:write" in answer.json()["detail"]


def test_an_expired_key_is_refused_also_when_it_is_held_in_memory(client: Client) -> None:
    row, key = api_keys.issue("old", ["events:write"], expires_at=timezone.now() + timedelta(hours=1))
    assert post(client, make.event(), key).status_code == 200
    ApiKey.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    api_keys.forget()
    assert post(client, make.event(), key).status_code == 401


def test_a_revoked_key_is_refused(client: Client) -> None:
    row, key = api_keys.issue("lost", ["events:write"])
    assert post(client, make.event(), key).status_code == 200
    api_keys.revoke(row, now=timezone.now())
    assert post(client, make.event(), key).status_code == 401


def test_a_known_key_costs_no_query(django_assert_num_queries: Any) -> None:
    _, key = api_keys.issue("busy", ["events:write"])
    api_keys.require(key, "events:write")
    with django_assert_num_queries(0):
        api_keys.require(key, "events:write")
    with django_assert_num_queries(1), pytest.raises(Problem):
        api_keys.require("trainu_unknown", "events:write")
    with django_assert_num_queries(0), pytest.raises(Problem):
        api_keys.require("trainu_unknown", "events:write")


def test_the_database_refuses_a_scope_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="There is no scope events:delete"):
        api_keys.issue("wrong", ["events:delete"])


def test_the_command_prints_the_key_alone(capsys: pytest.CaptureFixture[str]) -> None:
    out = StringIO()
    call_command("create_api_key", "booking-app", "--scopes", "events:write, health:read", stdout=out)
    [key] = out.getvalue().splitlines()
    assert api_keys.require(key, "events:write", "health:read")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a", "--scopes", "events:read"], "There is no scope events:read"),
        (["a", "--scopes", ","], "at least one scope"),
        (["a", "--scopes", "events:write", "--expires-in-days", "0"], "must be 1 or more"),
        (["taken", "--scopes", "events:write"], "already is a key called taken"),
    ],
)
def test_the_command_says_what_is_wrong(arguments: list[str], words: str) -> None:
    api_keys.issue("taken", ["events:write"])
    with pytest.raises(CommandError, match=words):
        call_command("create_api_key", *arguments)


def test_a_limit_counts_events_and_says_when_to_come_back(client: Client) -> None:
    _, key = api_keys.issue("small", ["events:write"], limit_per_minute=1_000)
    assert post(client, {"batch": make.events(900)}, key).status_code == 200
    answer = post(client, {"batch": make.events(200)}, key)
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    # 200 events at 1,000 a minute, 100 of which are still free: six seconds.
    assert 5 <= int(answer["Retry-After"]) <= 7
    assert post(client, {"batch": make.events(80)}, key).status_code == 200


def test_a_small_limit_is_exact_over_processes() -> None:
    """Each process keeps its own grants; forgetting them is what another process looks like."""
    _, key = api_keys.issue("small", ["health:read"], limit_per_minute=10)
    caller = api_keys.require(key)
    let_in = 0
    for _ in range(20):
        rate_limit.forget()
        try:
            rate_limit.spend(caller, 1)
            let_in += 1
        except Problem as refusal:
            assert refusal.status == 429
            assert refusal.retry_after is not None
            assert 1 <= refusal.retry_after <= 7
    assert let_in == 10


def test_a_bucket_refills_with_time() -> None:
    row, key = api_keys.issue("small", ["health:read"], limit_per_minute=60)
    caller = api_keys.require(key)
    rate_limit.spend(caller, 60)
    with pytest.raises(Problem):
        rate_limit.spend(caller, 1)
    with connection.cursor() as cursor:
        cursor.execute(
            "update observability_apikey set full_at = full_at - interval '10 s' where id = %s", [row.pk]
        )
    rate_limit.forget()
    rate_limit.spend(caller, 10)
    with pytest.raises(Problem):
        rate_limit.spend(caller, 1)


def test_a_busy_key_asks_the_database_once_for_many_requests(django_assert_max_num_queries: Any) -> None:
    _, key = api_keys.issue("busy", ["events:write"], limit_per_minute=60_000)
    caller = api_keys.require(key)
    with django_assert_max_num_queries(11):
        for _ in range(120):
            rate_limit.spend(caller, 100)
