"""Who sees what in the sidebar, and how times read."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.template import engines
from django.template.loader import render_to_string

from trainu import correlation, navigation
from trainu.templatetags.time import ago, in_words

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (timedelta(seconds=4), "just now"),
        (timedelta(seconds=5), "5 seconds ago"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=119), "1 hour ago"),
        (timedelta(days=29, hours=23), "29 days ago"),
        (timedelta(days=30), "24 Oct 2026"),
        (timedelta(hours=-2), "in 2 hours"),
        (timedelta(days=-40), "2 Jan 2027"),
    ],
)
def test_a_distance_is_told_in_its_largest_unit(distance: timedelta, words: str) -> None:
    assert in_words(NOON - distance, NOON) == words


def test_a_time_carries_its_exact_moment_in_utc() -> None:
    assert 'datetime="2020-01-02T03:04:05+00:00" title="2 Jan 2020, 03:04:05 UTC"' in ago(
        datetime.fromisoformat("2020-01-02T04:04:05+01:00")
    )


def test_no_time_leaves_room_for_a_default() -> None:
    template = engines["django"].from_string('{% load time %}{{ moment|ago|default:"never" }}')
    assert template.render({"moment": None}) == "never"


def test_a_badge_that_cannot_be_counted_is_left_out_and_not_asked_again() -> None:
    asked = []

    def count() -> int:
        asked.append(1)
        raise OperationalError("canceling statement due to statement timeout")

    cache.clear()
    assert navigation._count("x", {"x": count}) is None
    assert navigation._count("x", {"x": count}) is None
    assert asked == [1]


@pytest.mark.parametrize("name", ["403.html", "403_csrf.html", "404.html", "500.html"])
def test_error_pages_need_no_context_and_show_the_correlation_id(name: str) -> None:
    with correlation.bound("abcdef0123456789"):
        assert "abcdef0123456789" in render_to_string(name)
    assert "<h1>" in render_to_string(name)
