"""Goals of the demo's clients: one at a time, each set, worked on, and reached or given up.

The rule: a goal follows from the days of its client alone, so that none is reached before it is set.
"""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from math import ceil
from random import Random
from typing import Literal

from observability.catalog.goals import GoalAchieved, GoalUpdated, ProgressLogged
from trainu.demo.people import Client
from trainu.demo.rhythm import Happening, later

GOAL_DAYS = 30
KINDS = ("strength", "endurance", "weight", "habit", "nutrition")


def stage(client: Client, day: int) -> Literal["set", "reached", "given up", "working", "resting"]:
    """Return what the client's goal does on a day, counted from the first day after onboarding."""
    place = day % GOAL_DAYS
    # Nobody reaches a goal on its first day; who is too slow gives it up on its last.
    reached_on = ceil(GOAL_DAYS / client.pace) - 1
    if place == 0:
        return "set"
    if place == reached_on:
        return "reached"
    if place > reached_on:
        return "resting"
    return "given up" if place == GOAL_DAYS - 1 else "working"


def _goal_id(client: Client, number: int) -> str:
    """Return an id in letters, as all of the demo's are: digits could be taken for a telephone number."""
    digest = sha256(f"{client.client_id} {number}".encode()).hexdigest()[:12]
    return "g-" + digest.translate(str.maketrans("0123456789abcdef", "bcdfghjklmnpqrst"))


def happenings(rng: Random, client: Client, at: datetime, day: int) -> Iterator[Happening]:
    """Tell what a client does about the goal during a visit that began at a time."""
    who, number = client.distinct_id, day // GOAL_DAYS
    goal = {
        # An id of its own: one that held the client's would outlive the client's erasure.
        "goal_id": _goal_id(client, number),
        "client_id": client.client_id,
        "trainer_id": client.trainer.trainer_id,
        "kind": KINDS[(ord(client.client_id[-1]) + number) % len(KINDS)],
    }
    now = stage(client, day)
    if now == "resting":
        return
    if now == "set":
        yield later(at, rng, 30, 60), who, GoalUpdated(**goal, change="created")
    elif rng.random() < 0.04:
        yield later(at, rng, 30, 60), who, GoalUpdated(**goal, change=rng.choice(("target", "deadline")))
    if now == "reached" or rng.random() < 0.5:
        done = min(100.0, round(100 * client.pace * (day % GOAL_DAYS + 1) / GOAL_DAYS, 1))
        by: Literal["client", "trainer"] = "client" if rng.random() < 0.85 else "trainer"
        yield later(at, rng, 90, 150), who, ProgressLogged(**goal, progress=done, logged_by=by)
    if now == "reached":
        yield later(at, rng, 160, 190), who, GoalAchieved(**goal)
    elif now == "given up":
        yield later(at, rng, 160, 190), who, GoalUpdated(**goal, change="abandoned")
