"""Dispatchers killed while they tell: all arrives, in order, and twice only what they had in hand."""

import os
import random
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pydantic import SecretStr

from observability.alerts import incidents, rules
from observability.models import AlertRule, Channel, Notification
from tests.alert_servers import MailServer, PagerDutyServer, SlackServer, all_three
from tests.journeys.database import eventually
from tests.servers import Reply
from trainu.encryption import seal
from trainu.supervisor import Supervisor

# Three lanes as django-q2 runs them, each forked anew when it was killed, with shorter times. As in earnest,
# a request is over well before its lease: one that arrives later than that would come out of order.
THREE_LANES = """
import os
import django
django.setup()
from datetime import timedelta
from observability import tasks
from observability.alerts import dispatch, outbox
from observability.alerts.channels import pagerduty, slack
outbox.LEASE = timedelta(seconds=6)
outbox.FIRST_PAUSE, outbox.LONGEST_PAUSE = timedelta(seconds=0.1), timedelta(seconds=0.4)
outbox.PACE = {"slack": timedelta(seconds=0.02)}
dispatch.DEADLINE_S = 5.0
slack.TIMEOUT_S = pagerduty.TIMEOUT_S = 3
running = 0
while True:
    while running < 3:
        if os.fork() == 0:
            tasks.notify()
            os._exit(0)
        running += 1
    os.wait()
    running -= 1
"""
INCIDENTS, LATENCY_S = 8, 0.08
ACTS = ("trigger", "acknowledge", "resolve")


@pytest.fixture
def three(transactional_db: None) -> Iterator[tuple[SlackServer, PagerDutyServer, MailServer]]:
    rules.seed()
    with all_three() as servers:
        secrets = {"slack": servers[0].webhook, "pagerduty": PagerDutyServer.KEY}
        for kind in ("slack", "pagerduty", "email"):
            secret = seal(SecretStr(secrets[kind])) if kind in secrets else b""
            wanted = {"is_enabled": True, "secret": secret, "recipients": "on-call@example.com"}
            Channel.objects.update_or_create(kind=kind, defaults=wanted)
        for server in servers[:2]:
            server.latency_s = LATENCY_S
        yield servers


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def waiting() -> int:
    return Notification.objects.filter(state="waiting").count()


def tell() -> None:
    now = timezone.now()
    rule = AlertRule.objects.get(pk="sev1_fault")
    for number in range(INCIDENTS):
        incident = incidents.fire(rule, f"loc-{number}", title="Data lost", words="1", value=1, now=now)
        incidents.acknowledge(incident, by="staff:1", now=now)
        incidents.recover(rule, f"loc-{number}", words="0", now=now)


def kill_some(pid: int, dice: random.Random) -> list[float]:
    """Kill one dispatcher after another at moments of chance, once all three at once; return when."""
    killed = []
    for round in range(7):
        time.sleep(dice.uniform(0.1, 0.35))
        there = children(pid)
        for child in there if round == 3 else there[:1]:
            os.kill(child, signal.SIGKILL)
            killed.append(time.monotonic())
    return killed


def test_killed_dispatchers_lose_nothing_and_keep_the_order(
    three: tuple[SlackServer, PagerDutyServer, MailServer], supervise: Callable[..., Supervisor]
) -> None:
    slack, pagerduty, mail = three
    place = {"PAGERDUTY_URL": pagerduty.url, "EMAIL_URL": mail.url, "TRAINU_PROCESS": "worker"}
    supervisor = supervise(("Dispatchers", [sys.executable, "-c", THREE_LANES], place))
    [service] = supervisor.services
    assert service.process is not None
    pid = service.process.pid
    assert eventually(lambda: len(children(pid)) == 3, 60)
    tell()
    assert eventually(lambda: bool(slack.taken), 60)
    killed = kill_some(pid, random.Random(11))
    assert waiting(), "everything was told before the last kill"
    slack.script(Reply(500), Reply(drop=True, stores=True))
    assert eventually(lambda: not waiting(), 60)

    assert set(Notification.objects.values_list("state", flat=True)) == {"sent"}
    about = {one.pk: (one.incident_id, one.act) for one in Notification.objects.all()}
    said = [int(text.splitlines()[-1].removeprefix("Delivery ")) for text in slack.texts]
    in_order([about[pk] for pk in said])
    once: dict[int, float] = {}
    unexplained = 0
    for pk, moment in zip(said, slack.taken_at, strict=True):
        if pk in once and not any(once[pk] <= kill <= once[pk] + LATENCY_S + 1 for kill in killed):
            unexplained += 1
        once[pk] = moment
    assert unexplained <= 1, "one answer got lost; of the others, whoever asked was killed"
    in_order([(body["dedup_key"], body["event_action"]) for body in pagerduty.taken])
    assert set(pagerduty.opened.values()) == {1}, "a repeat is none there"
    assert len(pagerduty.state) == INCIDENTS
    assert set(pagerduty.state.values()) == {"resolved"}
    assert len({one["Message-ID"] for one in mail.mails}) == INCIDENTS * len(ACTS)
    assert len(mail.mails) - INCIDENTS * len(ACTS) <= 2 * len(killed)


def in_order(told: list[tuple[Any, str]]) -> None:
    """Of each incident all acts, none behind a later one."""
    acts = defaultdict(list)
    for incident, act in told:
        acts[incident].append(ACTS.index(act))
    assert len(acts) == INCIDENTS
    assert all(one == sorted(one) and set(one) == {0, 1, 2} for one in acts.values())
