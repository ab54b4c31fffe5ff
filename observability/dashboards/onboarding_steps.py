"""Where people stop on their way through onboarding: a funnel of steps, for clients and for trainers.

The rule: the steps are those that apps report, in the order of their places; no list of them is kept here.
"""

from observability.dashboards.addresses import rows_url
from observability.dashboards.panels import Funnel, Step
from observability.dashboards.question import Question
from observability.dashboards.sign_ups import Role, SignUps, furthest_steps

# What apps call their steps is up to them; a chart of hundreds would tell nothing.
MOST_STEPS = 30


def drop_off(question: Question, sign_ups: dict[Role, SignUps]) -> list[Funnel]:
    """Return the funnels of clients and of trainers who signed up in the period."""
    steps = furthest_steps(question)
    return [
        _funnel(question, "client", "Onboarding of clients", sign_ups["client"], steps["client"]),
        _funnel(question, "trainer", "Onboarding of trainers", sign_ups["trainer"], steps["trainer"]),
    ]


def _funnel(
    question: Question, role: Role, title: str, counted: SignUps, steps: list[tuple[int, str, int]]
) -> Funnel:
    rows = [Step("Signed up", counted.people, rows_url("people", question, which="signed_up", role=role))]
    for position, name, _ in steps[:MOST_STEPS]:
        # Two steps may have the same place; whoever has got to one of them has got to both.
        reached = counted.onboarded + sum(count for place, _, count in steps if place >= position)
        rows.append(Step(name, reached, rows_url("people", question, which=f"step:{position}", role=role)))
    url = rows_url("people", question, which="onboarded", role=role)
    rows.append(Step("Onboarded", counted.onboarded, url))
    left_out = len(steps) - MOST_STEPS
    if not counted.people:
        note = f"No {role} has signed up in this period."
    elif not steps:
        note = "No step of onboarding has been reported for them (onboarding_step_completed)."
    else:
        note = f"{left_out:,} later steps are left out." if left_out > 0 else ""
    return Funnel(key=f"drop_off_{role}s", title=title, steps=rows, note=note)
