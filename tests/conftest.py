"""Fixtures that every test may want. PostgreSQL is real and ours; nothing of our own is mocked."""

from collections.abc import Iterator

import pytest

from observability import api_keys, custom_events, health, rate_limit, timings


@pytest.fixture(autouse=True)
def _clean_memory() -> Iterator[None]:
    """Forget what a process holds across requests, so that no test sees the keys of another."""
    yield
    api_keys.forget()
    custom_events.forget()
    health.monitor.forget()
    rate_limit.forget()
    timings.recorder.reset()


@pytest.fixture
def key(db: None) -> str:
    """An API key that may report events."""
    return api_keys.issue("tests", ["events:write"], limit_per_minute=0)[1]
