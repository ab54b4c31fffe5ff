"""Nothing that is to be told gets lost, overtakes what came before it, or is told twice without need."""

import random
import threading
from collections import defaultdict
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from observability.alerts import incidents, outbox, rules
from observability.alerts.outbox import Again, Delivered, Impossible, Outcome
from observability.models import AlertRule, Channel, Incident, Notification

NOW = timezone.now()
SECOND = timedelta(seconds=1)


def prepare(*channels: str) -> None:
    rules.seed()
    on = channels or ("slack", "pagerduty", "email")
    for kind in ("slack", "pagerduty", "email"):
        Channel.objects.update_or_create(kind=kind, defaults={"is_enabled": kind in on})


def fire(code: str = "sev1_fault", group: str = "") -> Incident:
    return incidents.fire(
        AlertRule.objects.get(pk=code), group, title="Data lost", words="1", value=1, now=NOW
    )


def take(*, at: timedelta = timedelta(0)) -> list[Notification]:
    claimed = dict(outbox.claim(now=NOW + at))
    return list(Notification.objects.filter(pk__in=claimed).order_by("id"))


def settle(one: Notification, outcome: Outcome, *, at: timedelta = timedelta(0)) -> bool:
    return outbox.settle(one.pk, one.fence, outcome, now=NOW + at)


@pytest.mark.django_db
def test_what_resolves_waits_for_what_triggered() -> None:
    prepare("slack")
    incident = fire()
    incidents.recover(incident.rule, "", words="0", now=NOW)
    [trigger] = take()
    assert trigger.act == "trigger"
    assert settle(trigger, Again("timeout"))
    assert take(at=outbox.FIRST_PAUSE - SECOND) == []
    [trigger] = take(at=outbox.FIRST_PAUSE)
    assert settle(trigger, Delivered(), at=outbox.FIRST_PAUSE)
    [resolve] = take(at=outbox.FIRST_PAUSE + SECOND)
    assert resolve.act == "resolve"


@pytest.mark.django_db
def test_a_lease_that_ran_out_is_void() -> None:
    prepare("slack")
    fire()
    [first] = take()
    assert take(at=outbox.LEASE - SECOND) == []
    [second] = take(at=outbox.LEASE)
    assert first.pk == second.pk
    assert not settle(first, Impossible("status_404"), at=outbox.LEASE)
    assert settle(second, Delivered(), at=outbox.LEASE)
    assert Notification.objects.filter(channel="slack").get().state == "sent"


@pytest.mark.django_db
def test_pauses_grow_and_the_other_sides_word_rests_the_whole_channel() -> None:
    prepare("slack")
    fire()
    at = timedelta(0)
    for pause in (2, 4, 8, 16, 32, 64, 128, 256, 300, 300):
        [one] = take(at=at)
        settle(one, Again("timeout"), at=at)
        assert take(at=at + pause * SECOND - SECOND) == []
        at += pause * SECOND
    [one] = take(at=at)
    settle(one, Again("status_429", timedelta(seconds=70)), at=at)
    fire("database_down")
    assert take(at=at + 69 * SECOND) == []
    [first] = take(at=at + 70 * SECOND)
    # Slack takes a message a second: while one is in hand, and for a second after, no other goes.
    assert take(at=at + 80 * SECOND) == []
    assert settle(first, Delivered(), at=at + 80 * SECOND)
    assert take(at=at + 81 * SECOND - timedelta(milliseconds=1)) == []
    assert len(take(at=at + 81 * SECOND)) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("outcome", [Impossible("status_404"), Again("timeout")])
def test_what_cannot_be_delivered_is_told_on_the_other_channels(outcome: Outcome) -> None:
    prepare("slack", "email")
    fire("error_rate")
    at = timedelta(0)
    while (one := take(at=at)) and one[0].channel == "slack":
        settle(one[0], outcome, at=at)
        at += outbox.LONGEST_PAUSE
    dead = Notification.objects.get(channel="slack")
    assert dead.state == "dead"
    assert dead.tries == (1 if isinstance(outcome, Impossible) else outbox.MOST_TRIES)
    told = Notification.objects.get(channel="email")
    assert told.body["escalated"] == "slack"
    settle(one[0], Impossible("refused"), at=at)
    # What tells of a dead one and dies too is not told on, or they would go on for ever.
    assert Notification.objects.count() == 2


@pytest.mark.django_db
def test_a_channel_that_is_off_keeps_what_is_to_be_told() -> None:
    prepare("slack")
    fire()
    assert {one.channel for one in take()} == {"slack"}
    Channel.objects.filter(kind="pagerduty").update(is_enabled=True)
    assert {one.channel for one in take()} == {"pagerduty"}


@pytest.mark.usefixtures("transactional_db")
def test_three_dispatchers_that_die_and_fail_lose_nothing_and_keep_the_order() -> None:
    prepare()
    for number in range(6):
        incident = fire(group=f"loc-{number}")
        incidents.acknowledge(incident, by="staff:1", now=NOW)
        incidents.recover(incident.rule, incident.group, words="0", now=NOW)
    told: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    repeats, lock = [], threading.Lock()
    # One clock for all three: a lease is void only when it has run out for everybody.
    together = threading.Barrier(3, timeout=20)

    def dispatch(seed: int) -> None:
        dice = random.Random(seed)
        try:
            # A virtual clock: each turn is half a minute on, so that the leases of the dead run out.
            for turn in range(80):
                together.wait()
                now = NOW + turn * 30 * SECOND
                for key, fence in outbox.claim(now=now, most=4):
                    fate = dice.random()
                    if fate < 0.15:
                        continue  # killed before it was sent
                    outcome = Again("timeout") if fate < 0.4 else Delivered()
                    one = Notification.objects.get(pk=key)
                    if isinstance(outcome, Delivered):
                        with lock:
                            told[one.incident_id or 0, one.channel].append(one.act)
                    if fate > 0.9:
                        repeats.append(key)
                        continue  # killed after it was sent
                    outbox.settle(key, fence, outcome, now=now)
        finally:
            connection.close()

    threads = [threading.Thread(target=dispatch, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(Notification.objects.values_list("state", flat=True)) == {"sent"}
    assert len(told) == 18
    order = ["trigger", "acknowledge", "resolve"]
    for acts in told.values():
        assert list(dict.fromkeys(acts)) == order
        assert acts == sorted(acts, key=order.index)
    # Only what was killed after it was sent is told again.
    assert sum(map(len, told.values())) - 54 == len(repeats)
