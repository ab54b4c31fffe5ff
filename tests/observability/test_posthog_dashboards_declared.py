"""What is declared for PostHog: events, properties and words that exist, in queries that PostHog can read."""

import json
from collections.abc import Iterator
from typing import Any

import posthog
import pytest

from observability.catalog import CATALOG
from observability.dashboards.definitions import WORDS
from observability.posthog_dashboards import DASHBOARDS, show_rate
from observability.posthog_dashboards.declared import (
    LONGEST_DESCRIPTION,
    LONGEST_NAME,
    LONGEST_TEXT,
    key_of,
    marked,
)
from tests.observability import hogql

INSIGHTS = {one.insight_key(insight): insight for one in DASHBOARDS for insight in one.insights}
SQL = {key: one for key, one in INSIGHTS.items() if one.query["source"]["kind"] == "HogQLQuery"}
CHARTS = {key: one for key, one in INSIGHTS.items() if key not in SQL}


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Return every object in a query."""
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from nodes(one)
    elif isinstance(value, list):
        for one in value:
            yield from nodes(one)


def problems(query: Any) -> list[str]:
    """Return what is wrong with the events and properties of a query that is no HogQL."""
    source = query["source"]
    named = [node["event"] for node in nodes(source) if node.get("kind") == "EventsNode"]
    named += [node["id"] for node in nodes(source) if node.get("type") == "events"]
    found = [f"event {name} is not in the catalog" for name in named if name not in CATALOG]
    for node in nodes(source):
        if node.get("kind") == "EventsNode":
            used = [one["key"] for one in node["properties"]] + [node["math_property"]] * bool(
                node["math_property"]
            )
            found += [
                f"{node['event']} has no {name}"
                for name in used
                if name not in hogql.properties_of([node["event"]])
            ]
        if node.get("type") == "event":
            values = hogql.known_values(node["key"])
            found += [
                f"{node['key']} is never {value}" for value in node["value"] if values and value not in values
            ]
    breakdown = source.get("breakdownFilter", {}).get("breakdown")
    found += [
        f"{name} has no {breakdown}"
        for name in named
        if breakdown and breakdown not in hogql.properties_of([name])
    ]
    by = source.get("funnelsFilter", {}).get("funnelAggregateByHogQL")
    return found + (hogql.problems_of_expression(by, named) if by else [])


def test_there_are_the_four_dashboards_and_every_key_is_there_once() -> None:
    assert [one.key for one in DASHBOARDS] == ["activation", "engagement", "show_rate", "sync_health"]
    assert len(INSIGHTS) == sum(len(one.insights) for one in DASHBOARDS)
    assert not INSIGHTS.keys() & {one.text_key for one in DASHBOARDS}


@pytest.mark.parametrize("key", INSIGHTS)
def test_a_name_and_a_description_fit_into_posthog_and_are_kept_as_they_are(key: str) -> None:
    insight = INSIGHTS[key]
    description = marked(insight.means, key)
    assert len(description) <= LONGEST_DESCRIPTION
    assert len(insight.name) <= LONGEST_NAME
    # PostHog cuts blanks: what begins or ends with one would differ for ever.
    assert (description.strip(), insight.name.strip()) == (description, insight.name)
    assert key_of(description) == key


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one.key)
def test_the_text_of_a_dashboard_defines_every_number_on_it(dashboard: Any) -> None:
    assert len(dashboard.text) <= LONGEST_TEXT
    assert dashboard.text == dashboard.text.strip()
    assert key_of(dashboard.text) == dashboard.text_key
    for insight in dashboard.insights:
        assert f"**{insight.name}**: {insight.means}" in dashboard.text


@pytest.mark.parametrize("key", SQL)
def test_hogql_is_read_by_posthogs_parser_and_uses_only_what_there_is(key: str) -> None:
    assert hogql.problems(SQL[key].query["source"]["query"]) == []


@pytest.mark.parametrize("key", SQL)
def test_a_chart_shows_columns_that_its_query_has(key: str) -> None:
    query = SQL[key].query
    settings = query["chartSettings"]
    axes = [settings["xAxis"], *settings["yAxis"]] if settings else []
    assert {one["column"] for one in axes} <= hogql.columns(query["source"]["query"])
    assert bool(axes) == (query["display"] != "ActionsTable")


@pytest.mark.parametrize("key", CHARTS)
def test_other_queries_use_only_events_properties_and_values_of_the_catalog(key: str) -> None:
    assert problems(CHARTS[key].query) == []


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("properties.booking_id", "properties.boking_id", "field properties.boking_id is not known"),
        # It exists, but no event of this query has it.
        ("properties.booking_id", "properties.draft_id", "field properties.draft_id is not known"),
        ("'booking_rescheduled'", "'booking_moved'", "event booking_moved is not in the catalog"),
        ("state = 'no_show'", "state = 'noshow'", "event noshow is not in the catalog"),
        ("from events", "from sessions", "table sessions is not known"),
        ("group by week", "group by weak", "field weak is not known"),
        ("toStartOfWeek(start, 1)", "toBeginningOfWeek(start)", "function toBeginningOfWeek is not known"),
        ("order by week", "order week", "SyntaxError"),
        ("limit 100", "", "without LIMIT"),
    ],
)
def test_a_mistake_in_hogql_is_caught(right: str, wrong: str, said: str) -> None:
    assert right in show_rate.BY_WEEK
    assert hogql.problems(show_rate.BY_WEEK) == []
    assert said in " ".join(hogql.problems(show_rate.BY_WEEK.replace(right, wrong)))


def test_a_value_that_a_property_never_has_is_caught() -> None:
    query = (
        "select count() as n from events where event = 'user_registered' and properties.role = '{}' limit 1"
    )
    assert hogql.problems(query.format("client")) == []
    assert hogql.problems(query.format("customer")) == ["role is never customer"]


@pytest.mark.parametrize(
    ("key", "right", "wrong", "said"),
    [
        ("sync_health.errors", "sync_retry", "sync_retried", "event sync_retried is not in the catalog"),
        ("sync_health.errors", "'code'", "'cause'", "sync_retry has no cause"),
        ("sync_health.latency", "settled_after_s", "settled_after_ms", "sync_ok has no settled_after_ms"),
        ("activation.sign_ups", "'role'", "'kind'", "user_registered has no kind"),
        ("activation.sign_ups", "['client']", "['customer']", "role is never customer"),
        ("activation.rebooking", "'booking_scheduled'", "'booked'", "event booked is not in the catalog"),
        (
            "engagement.inbox",
            "properties.draft_id",
            "properties.draft",
            "field properties.draft is not known",
        ),
    ],
)
def test_a_mistake_in_another_query_is_caught(key: str, right: str, wrong: str, said: str) -> None:
    text = json.dumps(dict(INSIGHTS[key].query)).replace('"', "'")
    assert right in text
    mistaken = json.loads(text.replace(right, wrong).replace("'", '"'))
    assert said in " ".join(problems(mistaken))


def test_every_word_of_a_definition_is_the_one_of_the_admins_dashboards() -> None:
    """Whoever rewords a definition rewords it here too: these are not copies."""
    means = " ".join(one.means for one in INSIGHTS.values())
    shared = {name for name, words in WORDS.items() if words in means}
    assert {"first_booking_median", "response_rate", "show_rate", "recovery", "sync_success"} <= shared
    assert len(shared) >= 20


def test_the_parsers_stub_leaves_the_real_posthog_as_it_is() -> None:
    assert not hasattr(posthog, "hogql")
    assert posthog.Posthog("phc_test", send=False, sync_mode=True)


def test_only_a_marker_at_the_end_makes_a_thing_ours() -> None:
    assert key_of("Words. [trainu:show_rate.by_week]") == "show_rate.by_week"
    assert key_of(" Words. [trainu:show_rate] \n") == "show_rate"
    assert key_of("[trainu:show_rate] was here before") is None
    assert key_of("[trainu:other] then [trainu:show_rate]") == "show_rate"
    assert [key_of(text) for text in ("", None, "[trainu:]", "[TRAINU:x]", "[managed:x]")] == [None] * 5
