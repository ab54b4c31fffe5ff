"""Tokens: unreadable in the database, whole in memory, refreshed by one at a time, and keys can change."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from pydantic import SecretStr
from pytest_django import Settings

from sync import credentials
from sync.ghl.oauth import Tokens
from sync.models import Location
from trainu.encryption import Unreadable

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ACCESS, REFRESH = SecretStr("access-1-of-the-test"), SecretStr("refresh-1-of-the-test")


@pytest.fixture(autouse=True)
def location() -> Location:
    return Location.objects.create(pk="loc-1", name="Studio", created_at=NOW)


def hold(expires_at: datetime = NOW + HOUR) -> None:
    credentials.hold_oauth("loc-1", Tokens(ACCESS, REFRESH, expires_at), now=NOW)


def in_the_database() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "select convert_from(access_token, 'utf8') || convert_from(refresh_token, 'utf8')"
            " from sync_credential"
        )
        return str(cursor.fetchone()[0])


def test_tokens_come_back_whole_and_no_text_shows_them() -> None:
    hold()
    held = credentials.held("loc-1")
    assert held is not None
    assert (held.access, held.refresh) == (ACCESS, REFRESH)
    for text in (repr(held), str(held), in_the_database()):
        assert "of-the-test" not in text


def test_a_private_token_never_expires_and_is_not_refreshed() -> None:
    credentials.hold_private("loc-1", ACCESS, now=NOW)
    held = credentials.held("loc-1")
    assert held is not None
    assert held.is_usable(NOW + 1000 * HOUR)
    assert not held.is_due(NOW + 1000 * HOUR)
    assert credentials.begin_refresh("loc-1", now=NOW + 1000 * HOUR) is None


def test_a_location_without_tokens_has_none() -> None:
    assert credentials.held("loc-1") is None


def test_one_at_a_time_refreshes_and_who_dies_leaves_the_turn_to_the_next() -> None:
    hold(NOW + timedelta(minutes=5))
    assert credentials.begin_refresh("loc-1", now=NOW) is not None
    assert credentials.begin_refresh("loc-1", now=NOW) is None
    late = NOW + credentials.REFRESH_LEASE
    assert credentials.begin_refresh("loc-1", now=late) is not None
    hold(NOW + 24 * HOUR)
    assert credentials.begin_refresh("loc-1", now=late) is None


def test_who_gives_up_leaves_the_turn_at_once() -> None:
    hold(NOW)
    credentials.begin_refresh("loc-1", now=NOW)
    credentials.give_up_refresh("loc-1")
    assert credentials.begin_refresh("loc-1", now=NOW) is not None


def test_keys_can_be_rotated_without_losing_a_token(settings: Settings) -> None:
    settings.CREDENTIAL_KEYS = "old-key"
    hold()
    settings.CREDENTIAL_KEYS = "new-key, old-key"
    assert credentials.encrypt_anew() == 1
    settings.CREDENTIAL_KEYS = "new-key"
    held = credentials.held("loc-1")
    assert held is not None
    assert held.access == ACCESS


def test_a_lost_key_is_said_and_what_to_do(settings: Settings) -> None:
    hold()
    settings.CREDENTIAL_KEYS = "another-key"
    with pytest.raises(Unreadable, match="Put it back"):
        credentials.held("loc-1")
