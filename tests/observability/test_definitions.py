"""The mirror of the catalog: the code declares, the rows follow, and staff's own fields stay."""

import json
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from observability import definitions, models, receivers
from observability.catalog import CATALOG, Event
from observability.catalog.properties import Count
from observability.models import EventDefinition
from tests import make
from tests.observability.test_ingestion import post

pytestmark = pytest.mark.django_db


@pytest.fixture
def new_event() -> Iterator[str]:
    """Declare an event as a developer would: one class, and nothing else."""

    class Streaks(Event):
        category = "goals"

    class StreakReached(Streaks):
        """A client has kept a goal for so many days in a row."""

        days: Count

    yield StreakReached.name
    del CATALOG[StreakReached.name]


def test_adding_an_event_is_one_class(client: Client, key: str, new_event: str) -> None:
    definitions.mirror_catalog()
    mirrored = EventDefinition.objects.get(name=new_event)
    assert mirrored.description.startswith("A client has kept a goal")
    answer = post(client, make.event(event=new_event, properties={"days": 7}), key)
    assert answer.json()["accepted"] == 1, answer.json()
    assert models.Event.objects.get().event == new_event
    document = client.get("/api/openapi.json").json()
    assert "StreakReachedEvent" in document["components"]["schemas"]
    wrong = post(client, make.event(event="streak_reach"), key).json()
    assert f"Did you mean {new_event}?" in wrong["rejected"][0]["message"]


def test_all_events_are_mirrored_and_documented(client: Client) -> None:
    assert EventDefinition.objects.filter(kind="catalog").count() == len(CATALOG) == 31
    document = client.get("/api/openapi.json").json()
    text = json.dumps(document["components"]["schemas"]["Event"])
    for name, cls in CATALOG.items():
        schema = document["components"]["schemas"][f"{cls.__name__}Event"]
        assert schema["title"] == name
        assert f"{cls.__name__}Event" in text
        assert cls.description() in schema["description"]


def test_what_staff_have_set_survives() -> None:
    EventDefinition.objects.filter(name="goal_updated").update(
        owner="growth", forwarded=False, volume=7, description="changed by hand", schema={}
    )
    definitions.mirror_catalog()
    definition = EventDefinition.objects.get(name="goal_updated")
    assert (definition.owner, definition.forwarded, definition.volume) == ("growth", False, 7)
    assert definition.description == CATALOG["goal_updated"].description()
    assert definition.schema["properties"]


def test_an_event_that_left_the_code_is_retired_and_not_deleted(new_event: str) -> None:
    definitions.mirror_catalog()
    cls = CATALOG.pop(new_event)
    definitions.mirror_catalog()
    assert EventDefinition.objects.get(name=new_event).kind == "retired"
    CATALOG[new_event] = cls
    definitions.mirror_catalog()
    assert EventDefinition.objects.get(name=new_event).kind == "catalog"


def test_ids_are_marked_in_the_schema() -> None:
    schema = EventDefinition.objects.get(name="user_logged_in").schema
    assert schema["properties"]["user_id"]["id"] is True


def test_on_the_way_back_to_an_older_migration_nothing_is_mirrored() -> None:
    called: list[int] = []

    def note(**signal: object) -> None:
        called.append(1)

    mirror = receivers.when_whole(note)
    mirror()
    with connection.cursor() as cursor:
        cursor.execute("alter table observability_reading rename to observability_not_there")
    mirror()
    assert called == [1]
