"""Erasing a person from jobs and attempts: their data goes, what was to be sent is not sent, others stay."""

from collections.abc import Iterator

import pytest
from django.db import transaction

from sync import personal
from sync.models import DeadLetter, SyncAttempt, SyncJob
from tests.sync.working import Studio
from trainu.demo.ghl import Simulator

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def studio(transactional_db: None) -> Iterator[Studio]:
    with Simulator(seed=1, limits=False) as simulator:
        yield Studio(simulator)


def find(contact: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for place in personal.places():
        found[place.name] = found.get(place.name, 0) + place.find(contact)
    return found


def test_nothing_in_jobs_and_attempts_names_an_erased_person_and_nothing_of_others_goes(
    studio: Studio,
) -> None:
    contact, other = studio.contact("ada"), studio.contact("grace")
    longer = f"{contact}0"
    for who in (contact, other, longer):
        studio.enqueue("contact.add_tags", {"contact_id": who, "tags": ["vip"]})
    studio.work()
    before = {name: find(name) for name in (other, longer)}
    # The upsert that made the contact, and the tag; an attempt each.
    assert find(contact) == {"sync_jobs": 2, "sync_attempts": 2}
    with transaction.atomic():
        for place in personal.places():
            place.erase(contact)
    assert find(contact) == {"sync_jobs": 0, "sync_attempts": 0}
    assert {name: find(name) for name in (other, longer)} == before
    assert SyncJob.objects.count() == 5
    assert SyncAttempt.objects.count() == 5


def test_what_was_still_to_be_sent_about_an_erased_person_is_not_sent(studio: Studio) -> None:
    contact = studio.contact()
    job = studio.enqueue("contact.update", {"contact_id": contact, "city": "Ulm"})
    sent = studio.ghl.ledger.total(studio.id)
    with transaction.atomic():
        assert personal.erase(contact) == 2
    assert studio.work() == 0
    row = SyncJob.objects.get(pk=job)
    assert (row.state, row.code, row.payload) == ("superseded", "erased", {})
    assert studio.ghl.ledger.total(studio.id) == sent


def test_the_letter_of_an_erased_job_is_closed_and_the_ledger_still_adds_up(studio: Studio) -> None:
    job = studio.enqueue("contact.update", {"contact_id": "nobodyAtAll", "city": "Ulm"})
    studio.work()
    assert DeadLetter.objects.get(job_id=job).state == "open"
    with transaction.atomic():
        personal.erase("nobodyAtAll")
    assert DeadLetter.objects.get(job_id=job).state == "superseded"
