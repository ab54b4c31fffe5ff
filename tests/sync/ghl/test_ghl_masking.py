"""What may be kept of requests and answers: their shape and ids, no person's data."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.ghl.masking import MASK, mask
from sync.ghl.operations import OPERATIONS, marker
from tests.sync.ghl import payloads
from tests.sync.ghl.test_ghl_operations import ANSWERS, JOB

PERSON = "Ada Lovelace, ada@example.com, +4915112345678"


def test_ids_states_and_times_stay() -> None:
    document = {
        "id": "c1",
        "traceId": "0398c85a-261f-43f7",
        "appointmentStatus": "noshow",
        "startTime": "2026-12-01T09:00:00+01:00",
        "new": True,
        "statusCode": 422,
        "contact": {"assignedTo": None, "messageIds": ["m1", "m2"]},
    }
    assert mask(document) == document


@pytest.mark.parametrize(
    ("document", "masked"),
    [
        ({"email": "ada@example.com"}, {"email": MASK}),
        ({"contactId": "Ada Lovelace"}, {"contactId": MASK}),
        ({"contactId": "+4915112345678"}, {"contactId": MASK}),
        ({"id": "015112345678"}, {"id": MASK}),
        ({"phone": 4915112345678}, {"phone": MASK}),
        ({"tags": ["pregnant"]}, {"tags": [MASK]}),
        ({"status": "Ada is here"}, {"status": MASK}),
        ({"ada@example.com": 1}, {MASK: 1}),
        ({"startTime": "tomorrow at Ada's"}, {"startTime": MASK}),
        ({"access_token": "eyJ0"}, {"access_token": MASK}),
        ({"monetaryValue": 1.5}, {"monetaryValue": MASK}),
        ("Ada", MASK),
    ],
)
def test_everything_else_is_masked(document: Any, masked: Any) -> None:
    assert mask(document) == masked


def test_the_words_of_a_refusal_go_through_the_redaction_that_is_handed_in() -> None:
    refusal = {"statusCode": 400, "message": "ada@example.com is taken"}
    assert mask(refusal) == {"statusCode": 400, "message": MASK}
    assert mask(refusal, text=lambda words: words.replace("ada@example.com", "[email]")) == {
        "statusCode": 400,
        "message": "[email] is taken",
    }
    assert mask({"message": "See you, Ada"}, text=str) == {"message": MASK}, (
        "a message to a person is no refusal"
    )


@given(
    st.recursive(
        st.just(PERSON),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "name", "status", "message", "error", "x"]), inner, max_size=3
            )
        ),
        max_leaves=20,
    )
)
def test_a_person_never_gets_through(document: Any) -> None:
    shown = json.dumps(mask(document))
    assert not any(part in shown for part in ("Ada", "@", "49151"))


def test_depth_and_length_are_bounded() -> None:
    deep: Any = "Ada"
    for _ in range(500):
        deep = [deep]
    assert "Ada" not in json.dumps(mask(deep))
    assert len(mask(list(range(1000)))) == 50


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_no_request_and_no_answer_shows_a_person(name: str) -> None:
    request = OPERATIONS[name].request(payloads.example(name), "loc1", marker(JOB))
    shown = json.dumps([mask(request.body), mask(ANSWERS[name][1])])
    assert not any(part in shown for part in ("Ada", "Byron", "@", "+49", "mornings", "vip", "nine", "Ten"))
