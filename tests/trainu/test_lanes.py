"""Lanes: they work while there is work, say that they live, and leave when they are told to."""

import multiprocessing
import os
import signal
import time

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries
from structlog.testing import capture_logs

from observability.models import Heartbeat
from trainu import lanes
from trainu.lanes import Flag

forked = multiprocessing.get_context("fork")


def test_a_raised_flag_wakes_who_waits_for_it_in_another_process() -> None:
    flag = Flag()
    waiting = forked.Process(target=flag.wait, args=(20,))
    waiting.start()
    before = time.monotonic()
    flag.set()
    waiting.join(20)
    assert waiting.exitcode == 0
    assert time.monotonic() - before < 10


def test_a_process_killed_while_it_waits_keeps_the_flag_from_nobody() -> None:
    flag = Flag()
    waiting = forked.Process(target=flag.wait, args=(20,))
    waiting.start()
    assert waiting.pid
    os.kill(waiting.pid, signal.SIGKILL)
    waiting.join(20)
    assert not flag.is_set()
    flag.set()
    flag.set()
    assert flag.is_set()
    flag.clear()
    assert not flag.wait(0)


@pytest.mark.django_db
def test_a_lane_that_is_told_to_leave_does_not_begin_another_step() -> None:
    def step() -> bool:
        lanes.stopping.set()
        return True

    try:
        assert lanes.run("tests", step, run_for_s=20) == 1
    finally:
        lanes.stopping.clear()


@pytest.mark.django_db
def test_a_sign_of_life_is_one_statement_and_one_row_a_name(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "cluster", "host:1")
    with django_assert_num_queries(2):
        lanes.beat("tests", {"steps": 1})
        lanes.beat("tests", {"steps": 2})
    assert Heartbeat.objects.get().detail == {"steps": 2, "cluster": "host:1"}


@pytest.mark.django_db
def test_a_sign_of_life_that_cannot_be_written_does_not_end_the_lane() -> None:
    with connection.cursor() as cursor:
        cursor.execute("alter table observability_heartbeat rename to elsewhere")
    left = [True, False]
    with capture_logs() as logs:
        assert lanes.run("tests", lambda: left.pop(0), run_for_s=0.05, idle_s=0.2) == 2
    assert [(line["event"], line["lane"]) for line in logs] == [("heartbeat_not_written", "tests")]
