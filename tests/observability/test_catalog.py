"""The catalog promises: thirty-one events, each explained, each strict, and no room for personal data."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from observability.catalog import CATALOG, Event
from observability.catalog.booking import BookingEvent, BookingScheduled
from observability.catalog.properties import Id, Word

DESIGN = {
    "authentication and onboarding": "user_registered user_logged_in onboarding_step_completed "
    "trainer_onboarded client_onboarded",
    "directory": "directory_search trainer_profile_viewed booking_cta_clicked",
    "booking": "lead_created booking_scheduled booking_confirmed booking_rescheduled "
    "no_show booking_canceled",
    "AI agent": "message_drafted trainer_approved message_sent insight_created weekly_digest_viewed",
    "goals": "goal_updated goal_achieved progress_logged",
    "files": "file_uploaded template_applied",
    "sync": "sync_ok sync_retry sync_dropped webhook_received",
    "performance": "page_load_time api_response_time database_query_time",
}
EVENTS = sorted(CATALOG)
UNITS = {"_ms": "ms", "_s": "s", "_min": "min", "_bytes": "B", "_at": "UTC"}


def schema_of(name: str) -> dict[str, dict[str, Any]]:
    properties: dict[str, dict[str, Any]] = CATALOG[name].model_json_schema()["properties"]
    return properties


def branches(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the schema and its alternatives: an optional property says what it is in one of them."""
    yield schema
    yield from schema.get("anyOf", [])


def mistakes(name: str, properties: dict[str, Any]) -> dict[str, str]:
    """Return the kind of mistake by property, other than properties that are missing."""
    with pytest.raises(ValidationError) as refusal:
        CATALOG[name].model_validate(properties)
    errors = refusal.value.errors()
    return {str(error["loc"][0]): error["type"] for error in errors if error["type"] != "missing"}


def test_the_catalog_holds_the_events_of_the_design_and_one_for_steps() -> None:
    declared: dict[str, set[str]] = {}
    for event in CATALOG.values():
        declared.setdefault(event.category, set()).add(event.name)
    assert declared == {group: set(names.split()) for group, names in DESIGN.items()}
    assert len(CATALOG) == 31


@pytest.mark.parametrize("name", EVENTS)
def test_event_and_properties_say_what_they_are(name: str) -> None:
    assert CATALOG[name].description().endswith(".")
    for title, schema in schema_of(name).items():
        assert schema.get("description", "").endswith("."), title


@pytest.mark.parametrize("name", EVENTS)
def test_every_property_called_id_is_an_id(name: str) -> None:
    for title, schema in schema_of(name).items():
        assert any("id" in branch for branch in branches(schema)) is title.endswith("_id"), title


def test_an_event_knows_its_ids_also_those_that_are_optional() -> None:
    for name, event in CATALOG.items():
        ids = [title for title in schema_of(name) if title.endswith("_id")]
        assert event.identifiers() == ids, name


@pytest.mark.parametrize("name", EVENTS)
def test_every_measure_has_the_unit_that_its_name_says(name: str) -> None:
    for title, schema in schema_of(name).items():
        said = next((unit for ending, unit in UNITS.items() if title.endswith(ending)), None)
        units = [branch["unit"] for branch in branches(schema) if "unit" in branch]
        assert units == ([said] if said else ["%"] if title == "progress" else []), title


@pytest.mark.parametrize("name", EVENTS)
def test_the_text_5_is_no_number(name: str) -> None:
    numbers = {
        title: "5"
        for title, schema in schema_of(name).items()
        if any(branch.get("type") in ("integer", "number") for branch in branches(schema))
    }
    if numbers:
        assert mistakes(name, numbers).keys() == numbers.keys()


@pytest.mark.parametrize("name", EVENTS)
def test_a_property_that_is_not_declared_is_refused(name: str) -> None:
    assert mistakes(name, {"surprise": 1}) == {"surprise": "extra_forbidden"}


PERSONAL = ["ada@example.org", "+14155550123", "(415) 555 0123", "415 555 0123", "Ada Lovelace"]


@pytest.mark.parametrize("kind", [Id, Word])
@pytest.mark.parametrize("value", [*PERSONAL, "", "id\n", "-id", "x" * 65])
def test_personal_data_does_not_fit_an_id_or_a_word(kind: Any, value: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize("value", ["c-kqtrmspwhdbg", "ocQHyuzHvysMo5N5VsXc", "client:7", "x" * 64])
def test_ids_of_trainu_and_gohighlevel_fit(value: str) -> None:
    assert TypeAdapter(Id).validate_python(value) == value


def test_a_moment_without_a_time_zone_is_refused() -> None:
    booking = {"booking_id": "b-1", "client_id": "c-1", "trainer_id": "t-1"}
    BookingScheduled.model_validate_json(_json(booking, "2026-11-23T10:00:00+05:30"))
    with pytest.raises(ValidationError, match="timezone"):
        BookingScheduled.model_validate_json(_json(booking, "2026-11-23T10:00:00"))


def _json(booking: dict[str, str], starts_at: str) -> bytes:
    return TypeAdapter(dict[str, str]).dump_json({**booking, "starts_at": starts_at})


def test_what_nobody_did_makes_nobody_active() -> None:
    machines = set(DESIGN["sync"].split()) | set(DESIGN["performance"].split())
    agent = {"message_drafted", "message_sent", "insight_created"}
    assert {name for name, event in CATALOG.items() if not event.human} == machines | agent | {"no_show"}


def test_a_second_class_of_the_same_name_is_refused() -> None:
    with pytest.raises(TypeError, match="already is an event called no_show"):

        class NoShow(BookingEvent):
            """Another one."""

    assert CATALOG["no_show"].__module__ == "observability.catalog.booking"


def test_an_event_without_a_docstring_is_refused() -> None:
    with pytest.raises(TypeError, match="needs a docstring"):

        class BookingForgotten(BookingEvent):
            pass

    assert "booking_forgotten" not in CATALOG


def test_an_event_outside_of_any_group_is_refused() -> None:
    with pytest.raises(TypeError, match="has no category"):

        class Homeless(Event):
            """Belongs nowhere."""

    assert "homeless" not in CATALOG
