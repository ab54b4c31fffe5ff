"""Whoever is called at night reads what happened, and lands on the page that says what to do about it."""

import pytest

from observability import runbooks
from observability.alerts import incident_words
from sync.models import CauseGroup
from tests.sync.dying import dead_letters, location
from trainu.faults import DataLossCode, MassSendCode

CODES = [*DataLossCode, *MassSendCode]


@pytest.mark.parametrize("code", CODES)
def test_each_fault_of_sev1_is_told_as_what_happened_and_has_its_runbook(code: str) -> None:
    told = incident_words.title("sev1_fault", code)
    assert code not in told
    assert len(told) > len("Data lost")
    found = runbooks.find(incident_words.runbook("sev1_fault", code))
    assert found is not None
    assert found.code in {"mass_send", "data_loss"}
    assert (found.code == "mass_send") == (code in set(MassSendCode))


def test_what_has_no_words_is_told_by_rule_and_group() -> None:
    assert incident_words.title("breaker_open", "loc-1") == "GoHighLevel does not answer: loc-1"
    assert incident_words.title("breaker_open", "") == "GoHighLevel does not answer"
    assert incident_words.title("sev1_fault", "of_a_newer_release").endswith(": of_a_newer_release")
    # A location that happens to be called like a page leads nowhere else.
    assert incident_words.runbook("breaker_open", "mass_send") == "breaker_open"


@pytest.mark.django_db
def test_a_new_cause_is_told_by_what_fails_and_why() -> None:
    location()
    dead_letters(1)
    [cause] = CauseGroup.objects.values_list("pk", flat=True)
    told = incident_words.title("new_cause", str(cause))
    assert told == "A new cause of dead letters: status_422 of contact.update"
    assert incident_words.title("new_cause", "others") == "A new cause of dead letters: others"
    assert incident_words.title("new_cause", "999999") == "A new cause of dead letters: 999999"
