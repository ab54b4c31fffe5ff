"""Histories promise to be the same each time, to hold all there is, and to reach the edges."""

from collections import Counter, defaultdict
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from observability.catalog import CATALOG
from observability.dashboards.question import Question, midnight
from tests.observability.dashboards import oracle
from tests.observability.dashboards.edges import FIRST, NOW, ZONES
from tests.observability.dashboards.histories import History, Tale, asked, histories, history, told
from tests.observability.dashboards.past import Past
from tests.observability.dashboards.stories import STORIES

MANY: list[Tale] = [(name, number) for name in STORIES for number in range(120)]
# Nothing that the dashboards count is made of these.
IDLE = {"api_response_time", "database_query_time"}


def some() -> list[Past]:
    """Return a hundred pasts of twenty tales each, as examples are."""
    rng = Random(7)
    return [Past(history(rng.sample(MANY, 20), home=rng.choice(ZONES)).events) for _ in range(100)]


def test_the_same_tales_give_the_same_history() -> None:
    assert history(MANY[:50], 7).batches == history(MANY[:50], 7).batches
    assert told(("booked", 3)) != told(("booked", 4))


@given(histories())
def test_everything_is_told_before_now_and_keeps_its_identity(made: History) -> None:
    assert all(one.timestamp < NOW for one in made.events)
    facts: dict[object, object] = {}
    for one in made.events:
        assert facts.setdefault(one.uuid, (one.timestamp, one.distinct_id, one.event)) == (
            one.timestamp,
            one.distinct_id,
            one.event,
        )


@given(histories(), st.integers(1, 99))
def test_delivery_changes_the_order_and_nothing_else(made: History, delivery: int) -> None:
    again = history(made.tales, delivery, made.home)
    assert {one.uuid for one in again.events} == {one.uuid for one in made.events}
    assert Past(again.events).events == Past(made.events).events


@given(histories())
def test_a_draft_and_a_booking_are_always_of_the_same_client(made: History) -> None:
    whose: dict[str, object] = {}
    for one in Past(made.events).events:
        for name in ("booking_id", "draft_id"):
            if name in one.properties:
                who = one.properties["client_id"], name == "draft_id" and one.properties["trainer_id"]
                assert whose.setdefault(one.properties[name], who) == who
    assert NOW not in {one.starts_at for one in Past(made.events).bookings}


@given(asked())
def test_the_oracle_answers_every_question_and_adds_up(pair: tuple[History, Question]) -> None:
    made, question = pair
    past = Past(made.events)
    activation = oracle.activation(past, question, made.now)
    engagement = oracle.engagement(past, question, made.now)
    shown = oracle.show_rate(past, question, made.now)
    sync = oracle.sync_health(past, question, made.now)
    signed_up = activation["clients_signed_up"]
    for key in ("booking_cohorts", "retention_cohorts"):
        assert sum(row["people"] for row in activation[key]) == signed_up
    for key in ("drop_off_clients", "drop_off_trainers", "drop_off_clients_furthest"):
        counts = [people for _, people in activation[key]]
        assert counts == sorted(counts, reverse=True)
    for row in activation["booking_cohorts"]:
        known = [value for value in row["values"] if value is not None]
        assert known == sorted(known)
    assert sorted(engagement["inbox_funnel"], reverse=True) == engagement["inbox_funnel"]
    if engagement["dau"] is not None:
        assert engagement["wau"] <= engagement["mau"]
    assert sum(row["due"] for row in shown["show_rate_trend"]) == shown["due"]
    assert sum(row["due"] for row in shown["show_rate_trainers"]) == shown["due"]
    assert sum(row["due"] for row in shown["show_rate_segments"].values()) == shown["due"]
    assert (
        sum(ok + dropped for ok, _, dropped in sync["sync_outcomes"].values())
        == sync["cases"]["sync_success"]
    )


def test_every_event_that_is_counted_and_every_edge_appears() -> None:
    events = [one for tale in MANY for one in told(tale)]
    assert {one.event.name for one in events} == set(CATALOG) - IDLE
    days = sorted({one.timestamp.date() for one in events})
    for zone in ZONES:
        midnights = {midnight(day, zone) for day in days}
        at_home = [one for tale in MANY for one in told(tale, zone)]
        assert sum(one.timestamp in midnights for one in at_home) > 100, zone
    bookings = [one for made in some() for one in made.bookings]
    states = Counter(one.state for one in bookings)
    assert min(states["booked"], states["canceled"], states["missed"]) > 50
    assert sum(one.starts_at > NOW for one in bookings) > 50
    assert sum(a.timestamp == b.timestamp for made in some() for a, b in pairwise(made.events)) > 50


def test_every_figure_takes_many_values() -> None:
    question = Question(FIRST, NOW.date(), "America/New_York")
    values: dict[str, set[str]] = defaultdict(set)
    for made in some():
        for answer in (
            oracle.activation(made, question, NOW),
            oracle.engagement(made, question, NOW),
            oracle.show_rate(made, question, NOW),
            oracle.sync_health(made, question, NOW),
        ):
            for key, value in answer.items():
                values[key].add(repr(value))
    assert {key: seen for key, seen in values.items() if len(seen) < 3} == {}
