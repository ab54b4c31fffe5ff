"""Fingerprints: what differs between two failures of one cause is out, what tells causes apart is in."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.dead_letters import fingerprint
from sync.dead_letters.death import Death
from sync.dead_letters.fingerprint import LONGEST_MESSAGE, kind_of, normalised

# Ids of GoHighLevel have digits in them, nearly always; one that has none is known by its mix of cases.
IDS = st.from_regex(r"[A-Za-z0-9]{8}[0-9][A-Za-z0-9]{11}", fullmatch=True)
NUMBERS = st.one_of(st.integers().map(str), st.floats(allow_nan=False, allow_infinity=False).map(str))
EMAILS = st.from_regex(r"[a-z0-9][a-z0-9._+-]{0,20}@[a-z][a-z0-9-]{0,20}\.(com|org|co\.uk)", fullmatch=True)
QUOTED = st.one_of(
    st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), max_size=40).map(
        lambda text: f'"{text}"'
    ),
    st.from_regex(r"'[A-Za-z][A-Za-z ']{0,20}[A-Za-z]'", fullmatch=True).filter(
        lambda text: "' " not in text and " '" not in text
    ),
)
VALUES = st.one_of(IDS, NUMBERS, EMAILS, QUOTED, st.uuids().map(str))
SENTENCES = [
    "Contact with id {} not found",
    "The value {} of contact {} is not allowed.",
    "email: {} is used by {}, which is another contact",
    "Duplicate: ({}) {} (location={})",
]


@given(st.sampled_from(SENTENCES), st.lists(VALUES, min_size=6, max_size=6))
def test_messages_that_differ_only_in_values_are_one_message(sentence: str, values: list[str]) -> None:
    assert normalised(sentence.format(*values[:3])) == normalised(sentence.format(*values[3:]))


@given(st.text(max_size=500))
def test_any_message_at_all_gets_a_bounded_one(message: str) -> None:
    kept = normalised(message)
    assert len(kept) <= LONGEST_MESSAGE
    assert not any(character.isdigit() for character in kept)
    assert "\x00" not in kept


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("Contact with id ocQHyuzHvysMo5N5VsXc not found.", "contact with id # not found"),
        ("contact ocQHyuzHvysMoXNfVsXc is gone", "contact # is gone"),
        ("The field 'O'Brien' isn't valid for \"bob\"", "the field # isn't valid for #"),
        ("values 1, 2 and 3 exceed -5.5", "values # and # exceed #"),
        ("/contacts/9a8b/notes failed at 2026-11-23T12:00:00Z", "/contacts/#/notes failed at #"),
        ("[email] is used by [name]", "# is used by #"),
        ("appointmentStartTime is not allowed", "appointmentstarttime is not allowed"),
        ('first_name: "Mira', "first_name: #"),
        ("", ""),
    ],
)
def test_words_stay_and_values_go(message: str, kept: str) -> None:
    assert normalised(message) == kept


def test_integration_subject_code_cause_and_words_tell_causes_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    job, webhook = {"job_id": uuid4(), "webhook_id": None}, {"job_id": None, "webhook_id": 1}
    one = {"location_id": "l", "subject": "contact.update", "cause": "refused", "code": "status_422"}
    last = {"status": 422, "words": ""}
    kinds = [
        kind_of(Death(**job, **one, **last), "email must be an email"),
        kind_of(Death(**job, **one, **last), "phone must be a phone"),
        kind_of(Death(**webhook, **one, **last), "email must be an email"),
        kind_of(Death(**job, **one | {"subject": "note.create"}, **last), "email must be an email"),
        kind_of(Death(**job, **one | {"code": "status_400"}, **last), "email must be an email"),
        kind_of(Death(**job, **one | {"cause": "exhausted"}, **last), "email must be an email"),
    ]
    assert len({kind.fingerprint for kind in kinds}) == 6
    # Locations and statuses do not: the same cause strikes many.
    elsewhere = Death(**job, **one | {"location_id": "other"}, status=None, words="")
    assert kind_of(elsewhere, "email must be an email").fingerprint == kinds[0].fingerprint
    before = kinds[0].fingerprint
    monkeypatch.setattr(fingerprint, "VERSION", fingerprint.VERSION + 1)
    assert kinds[0].fingerprint != before


def test_a_death_is_of_one_job_or_of_one_webhook() -> None:
    rest = {"location_id": "", "subject": "", "cause": "", "code": "", "status": None, "words": ""}
    for both in ({"job_id": uuid4(), "webhook_id": 1}, {"job_id": None, "webhook_id": None}):
        with pytest.raises(ValueError, match="one job or of one webhook"):
            Death(**both, **rest)
