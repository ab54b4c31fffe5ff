"""The environment is read strictly: a wrong value stops the start, and the message names the variable."""

from datetime import time

import pytest
from django.core.exceptions import ImproperlyConfigured

from trainu import env


def test_a_number_beyond_its_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUR", "23")
    assert env.number("HOUR", 7, maximum=23) == 23
    for wrong in ("24", "-1", "seven"):
        monkeypatch.setenv("HOUR", wrong)
        with pytest.raises(ImproperlyConfigured, match="HOUR"):
            env.number("HOUR", 7, maximum=23)


def test_hours_are_two_times_of_day(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.hours("QUIET", "21:00-08:00") == (time(21), time(8))
    monkeypatch.setenv("QUIET", "22:30 - 06:15")
    assert env.hours("QUIET", "21:00-08:00") == (time(22, 30), time(6, 15))


@pytest.mark.parametrize("wrong", ["21:00", "21:00-08:00-09:00", "21-25:00", "21:00+01:00-08:00", "night"])
def test_what_are_not_two_times_of_day_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIET", wrong)
    with pytest.raises(ImproperlyConfigured, match="QUIET must be two times of day"):
        env.hours("QUIET", "21:00-08:00")
