"""Faults: closed words, ids only, and a fingerprint that knows of neither."""

import pickle
import re
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainu import faults
from trainu.faults import (
    AuthFault,
    DatabaseFault,
    DataLossFault,
    DegradedFault,
    Fault,
    GHLWebhookFault,
    LLMFault,
    MassSendFault,
    Provider,
    Severity,
    SyncFault,
    UIFault,
)

PLAIN = (DataLossFault, MassSendFault, SyncFault, AuthFault, DatabaseFault, DegradedFault, UIFault)


def every_fault(**ids: object) -> list[Fault]:
    """Return one of each code of each class."""
    made: list[Fault] = [kind(code, **ids) for kind in PLAIN for code in kind.codes]
    made += [GHLWebhookFault("ContactUpdate", code, **ids) for code in GHLWebhookFault.codes]
    made += [LLMFault(provider, code, **ids) for provider in Provider for code in LLMFault.codes]
    return made


def test_severity_is_a_property_of_the_failure() -> None:
    worst = {DataLossFault, MassSendFault}
    assert {type(one) for one in every_fault() if one.severity is Severity.SEV1} == worst
    assert {type(one) for one in every_fault() if one.severity is Severity.SEV3} == {UIFault}


def test_every_class_of_the_room_has_a_category_of_its_own_and_codes() -> None:
    kinds = [kind for kind in vars(faults).values() if isinstance(kind, type) and issubclass(kind, Fault)]
    concrete = [kind for kind in kinds if kind is not Fault]
    assert {type(one) for one in every_fault()} == set(concrete)
    assert len({kind.category for kind in concrete}) == len(concrete)
    assert all(issubclass(kind.codes, StrEnum) for kind in concrete)


@pytest.mark.parametrize("kind", PLAIN)
def test_an_unknown_code_is_refused(kind: type[Fault]) -> None:
    with pytest.raises(ValueError, match="is not a valid"):
        kind("something_else")


def test_an_unknown_provider_or_code_of_a_provider_is_refused() -> None:
    for provider, code in (("skynet", "timeout"), ("openai", "sulking")):
        with pytest.raises(ValueError, match="is not a valid"):
            LLMFault(provider, code)
    with pytest.raises(ValueError, match="is not a valid"):
        GHLWebhookFault("ContactUpdate", "sulking")


def test_what_is_no_id_is_left_out_of_the_context() -> None:
    fault = SyncFault("timeout", job_id=7, location_id="ve9EPM428h8vShlRW1KT", contact="jane@mail.example")
    assert fault.context == {"job_id": "7", "location_id": "ve9EPM428h8vShlRW1KT"}
    assert SyncFault("timeout", contact="Jane Roe", phone="+33639981234", note="").context == {}


def test_nothing_that_an_unsigned_request_says_gets_into_the_fingerprint() -> None:
    assert GHLWebhookFault("ContactUpdate", "bad_signature").fingerprint[1] == "unverified"
    assert GHLWebhookFault("ContactUpdate", "bad_payload").fingerprint[1] == "ContactUpdate"
    for name in ("", "Contact Update", "Contact1", "x" * 49, "jane@mail.example"):
        assert GHLWebhookFault(name, "bad_payload").fingerprint[1] == "unknown"


def test_it_survives_the_way_to_another_process() -> None:
    for fault in every_fault(job_id="j-1"):
        copy = pickle.loads(pickle.dumps(fault))
        assert (type(copy), copy.fingerprint, copy.context) == (type(fault), fault.fingerprint, fault.context)


@given(st.dictionaries(st.sampled_from(["job_id", "event_id", "contact_id"]), st.text(max_size=40)))
def test_a_fingerprint_holds_no_id_and_no_digit(ids: dict[str, str]) -> None:
    for plain, fault in zip(every_fault(), every_fault(**ids), strict=True):
        assert fault.fingerprint == plain.fingerprint
        assert str(fault) == str(plain)
        assert not re.search(r"[0-9]", " ".join(fault.fingerprint).replace("5xx", ""))


@given(st.text(max_size=60))
def test_whatever_an_event_type_is_its_fingerprint_is_letters(name: str) -> None:
    for code in GHLWebhookFault.codes:
        assert re.fullmatch(r"[A-Za-z]{1,48}", GHLWebhookFault(name, code).fingerprint[1])
