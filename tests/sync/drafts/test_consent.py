"""What counts as a wish for no more messages, and that the last word counts, in whatever order they come."""

from datetime import timedelta
from itertools import groupby
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.drafts import consent
from sync.drafts.consent import Said, Source
from sync.models import Consent, Location
from tests.examples import examples
from tests.sync.working import NOW

MINUTE = timedelta(minutes=1)
NOT_SMS = {"sms": False, "email": True}
WORDS = ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"]


@pytest.fixture
def location(db: None) -> Location:
    return Location.objects.create(pk="loc-1", name="Studio", created_at=NOW)


def said(may_be_sent: bool, minute: int = 0, **overrides: Any) -> Said:
    given = {"contact_id": "c-1", "location_id": "loc-1", "channel": "sms", "source": Source.MESSAGE}
    return Said(**(given | overrides), may_be_sent=may_be_sent, at=NOW + minute * MINUTE)


@pytest.mark.parametrize(
    "text", [*WORDS, " stop. ", "Stop!!", "“STOP”", "opt-out", "Opt out", "stop all", "S.T.O.P"]
)
def test_the_words_of_the_carriers_end_sms_however_they_are_written(text: str) -> None:
    assert consent.read(text, "sms") is False


@pytest.mark.parametrize("text", ["START", "yes", "Unstop."])
def test_and_these_bring_them_back(text: str) -> None:
    assert consent.read(text, "sms") is True


@pytest.mark.parametrize(
    "text",
    ["", "Please do not stop!", "The end", "Can I cancel Tuesday?", "no", "🛑", "stop" * 20, "yes, do"],
)
def test_a_message_that_only_has_such_a_word_in_it_is_none(text: str) -> None:
    assert consent.read(text, "sms") is None


def test_an_email_ends_them_by_one_word_alone() -> None:
    assert consent.read("Unsubscribe", "email") is False
    for text in ("STOP", "Cancel", "yes", "How do I unsubscribe?"):
        assert consent.read(text, "email") is None


@pytest.mark.parametrize(
    ("everything", "channels", "is_whole", "expected"),
    [
        (True, None, False, {"sms": False, "email": False}),
        (True, {"SMS": {"status": "inactive"}}, True, {"sms": False, "email": False}),
        (False, {"SMS": {"status": "active"}}, True, {"sms": False, "email": True}),
        (
            False,
            {"sms": {"status": "permanent"}, "email": {"status": "inactive"}},
            True,
            {"sms": False, "email": True},
        ),
        (None, {"Email": {"status": "active"}}, False, {"email": False}),
        (False, None, True, {"sms": True, "email": True}),
        # Any change of a contact says this, also of one with a single channel off.
        (False, None, False, {}),
        (None, None, True, {}),
        ("true", "SMS", True, {}),
        (None, {"SMS": "active", "Email": {"status": ["active"]}}, True, {}),
    ],
)
def test_do_not_disturb_as_it_comes(
    everything: object, channels: object, is_whole: bool, expected: dict[str, bool]
) -> None:
    found = consent.of_do_not_disturb(
        "c-1", "loc-1", everything=everything, settings=channels, is_whole=is_whole, at=NOW
    )
    assert {one.channel: one.may_be_sent for one in found} == expected


def test_each_source_can_forbid_and_none_lifts_what_the_other_forbids(location: Location) -> None:
    assert consent.allows("c-1", "loc-1", "sms")
    consent.note([said(False, 1), said(True, 2, source=Source.DND)])
    assert not consent.allows("c-1", "loc-1", "sms")
    assert consent.allows("c-1", "loc-1", "email")
    assert consent.allows("c-2", "loc-1", "sms")
    assert consent.refused(["c-1", "c-2"]) == {("c-1", "loc-1", "sms")}
    consent.note([said(True, 3), said(False, 4, source=Source.DND)])
    assert not consent.allows("c-1", "loc-1", "sms")
    consent.note([said(True, 5, source=Source.DND)])
    assert consent.allows("c-1", "loc-1", "sms")


A_WORD = st.builds(
    said,
    st.booleans(),
    st.integers(0, 4),
    channel=st.sampled_from(["sms", "email"]),
    source=st.sampled_from(list(Source)),
)
SOME_WORDS = st.lists(A_WORD, min_size=1, max_size=8)


@settings(
    max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    st.lists(A_WORD, min_size=1, max_size=8).flatmap(
        lambda words: st.tuples(st.just(words), st.permutations(words))
    )
)
def test_the_last_word_counts_in_whatever_order_and_batches_they_come(
    location: Location, given: tuple[list[Said], list[Said]]
) -> None:
    words, order = given
    Consent.objects.all().delete()
    for start in range(0, len(order), 3):
        consent.note(order[start : start + 3])
    expected = {}
    for key, of_key in groupby(sorted(words, key=lambda one: one.key), key=lambda one: one.key):
        told = list(of_key)
        newest = max(one.at for one in told)
        expected[key] = (all(one.may_be_sent for one in told if one.at == newest), newest)
    rows = Consent.objects.values_list("contact_id", "location_id", "channel", "source", "may_be_sent", "at")
    assert {row[:4]: row[4:] for row in rows} == expected
