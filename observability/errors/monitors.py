"""Sentry's crons: each schedule checks in when it starts and ends, so that one that stays away is noticed.

It is the one thing that no alert of our own can see: that the whole cluster is dead. The rule: nothing
here raises, and without a DSN nothing is sent.
"""

import time
from dataclasses import dataclass
from typing import Any

import sentry_sdk
from django.utils.text import slugify
from sentry_sdk.crons import capture_checkin
from sentry_sdk.crons.consts import MonitorStatus

from trainu import schedules
from trainu.schedules import Entry

# django-q2's scheduler looks every 30 s, and a lane is given up after 110 s.
_MARGIN_MIN = 3
_LONGEST_RUN_MIN = 5
_A_DAY_MIN = 24 * 60


@dataclass(frozen=True, slots=True)
class CheckIn:
    """A run that has started."""

    slug: str
    check_in_id: str | None
    started: float
    config: dict[str, Any]


def is_schedule(task: dict[str, Any]) -> bool:
    """Tell whether django-q2 started this task for one of our schedules: its group is the schedule's name."""
    return _entry(task) is not None


def start(task: dict[str, Any]) -> CheckIn | None:
    """Tell Sentry that a schedule's run has started; None where there is nobody to tell."""
    entry = _entry(task)
    if not sentry_sdk.get_client().is_active() or entry is None:
        return None
    config = monitor_config(entry)
    slug = slugify(entry.name)
    check_in_id = capture_checkin(
        monitor_slug=slug,
        status=MonitorStatus.IN_PROGRESS,
        monitor_config=config,  # type: ignore[arg-type]
    )
    return CheckIn(slug, check_in_id, time.monotonic(), config)


def finish(check_in: CheckIn | None, *, well: bool) -> None:
    """Tell Sentry how the run ended."""
    if check_in is None:
        return
    capture_checkin(
        monitor_slug=check_in.slug,
        check_in_id=check_in.check_in_id,
        status=MonitorStatus.OK if well else MonitorStatus.ERROR,
        duration=time.monotonic() - check_in.started,
        monitor_config=check_in.config,  # type: ignore[arg-type]
    )


def monitor_config(entry: Entry) -> dict[str, Any]:
    """Return what Sentry is to expect of a schedule: how often, how late, how long, all in minutes."""
    is_rare = entry.minutes >= _A_DAY_MIN
    return {
        "schedule": {"type": "interval", "value": entry.minutes, "unit": "minute"},
        "checkin_margin": 30 if is_rare else _MARGIN_MIN,
        "max_runtime": 60 if is_rare else _LONGEST_RUN_MIN,
        # One late start is no outage.
        "failure_issue_threshold": 1 if is_rare else 3,
        "recovery_threshold": 1,
    }


def _entry(task: dict[str, Any]) -> Entry | None:
    entry = schedules.find(str(task.get("group")))
    return entry if entry and task.get("func") == entry.func else None
