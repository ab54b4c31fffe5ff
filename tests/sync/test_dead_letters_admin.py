"""Dead letters in the admin: what staff read of them, nobody's data in it, at one cost for any number."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sync.dead_letters import bulk, groups, ledger, letters
from sync.dead_letters.chosen import Chosen
from sync.models import BulkOperation, CauseGroup, DeadLetter
from tests.sync.dying import NOW, dead_letters, dead_webhook, location

pytestmark = pytest.mark.django_db
LISTS = ["causegroup", "deadletter", "bulkoperation", "ledgercheck"]


def test_pages_say_what_died_and_what_to_do_without_a_name(boss: Client) -> None:
    place = location()
    [id] = dead_letters(1, words="mira.stone@example.org is no email")
    webhook = dead_webhook(place)
    letters.note(id, "Asked them.", by="staff:7", now=NOW)
    group = CauseGroup.objects.get(code="status_422")
    groups.note(group.pk, "Their form.", by="staff:7", now=NOW)
    groups.snooze(group.pk, to_count=5, by="staff:7", now=NOW)
    count = {"shown_count": 2, "by": "staff:7", "now": NOW}
    operation = bulk.start("discard", Chosen(), reason="Spam.", **count)
    check = ledger.check(now=NOW)
    shown = {
        f"causegroup/{group.pk}/change/": ["finds a field wrong", "Their form.", "more than 5"],
        f"deadletter/{id}/change/": ["Asked them.", "c-0", "What to do now"],
        f"deadletter/{webhook.letter.pk}/change/": ["Our own software failed"],
        f"bulkoperation/{operation.pk}/change/": ["0 of 2", "Spam."],
        f"ledgercheck/{check.pk:%Y-%m-%d}/change/": ["Yes"],
        "causegroup/": ["Back again", "contact.update"],
        "deadletter/?group=" + str(group.pk): ["[email]"],
    }
    for path, words in shown.items():
        page = boss.get(f"/admin/sync/{path}").content.decode()
        for word in words:
            assert word in page, (path, word)
        assert "Mira" not in page
        assert "mira.stone" not in page


@pytest.mark.parametrize("name", LISTS)
def test_lists_cost_the_same_however_long_they_are(boss: Client, name: str) -> None:
    location()
    counts = []
    for count in (1, 20):
        for number in range(count):
            dead_letters(1, code=f"code_{count}_{number}")
        BulkOperation.objects.bulk_create(
            [
                BulkOperation(
                    kind="discard", chosen={}, reason="x", by="staff:7", started_at=NOW, looked_at=NOW
                )
                for _ in range(count)
            ]
        )
        boss.get(f"/admin/sync/{name}/")
        with CaptureQueriesContext(connection) as asked:
            assert boss.get(f"/admin/sync/{name}/").status_code == 200
        counts.append(len([one for one in asked if "sync_" in one["sql"]]))
    assert counts[0] == counts[1]
    assert counts[1] <= 6


def test_nothing_is_changed_or_deleted_there(boss: Client) -> None:
    location()
    [id] = dead_letters(1)
    assert boss.post(f"/admin/sync/deadletter/{id}/delete/").status_code == 403
    assert boss.get("/admin/sync/deadletter/add/").status_code == 403
    assert boss.post(f"/admin/sync/deadletter/{id}/change/", {"state": "recovered"}).status_code == 403
    assert DeadLetter.objects.get().state == "open"
