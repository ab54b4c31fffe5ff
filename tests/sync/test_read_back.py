"""Reading a location back from GoHighLevel, begun by staff: who may, what is refused, and how far it is."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from observability.models import AuditEntry
from sync import locations
from sync.models import Location, Reconciliation
from sync.reconciliation import runs
from tests.conftest import Staff
from tests.costs import asked_again

pytestmark = pytest.mark.django_db
LIST = "/admin/sync/reconciliation/"
START = f"{LIST}start/"
PAGE = "/admin/sync/location/studio-1/"
HOUR = timedelta(hours=1)
MAY = ("view_reconciliation", "start_reconciliation", "view_location")


@pytest.fixture(autouse=True)
def studio() -> Location:
    return locations.add("studio-1", "Studio North", now=timezone.now())


def wanted(**more: str) -> dict[str, str]:
    return {"location": "studio-1", "span": "24h", "since": ""} | more


def words(answer: Any) -> str:
    """Return what a page says, without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def run_page(run: Reconciliation) -> str:
    return f"{LIST}{run.pk}/"


def test_it_begins_from_the_list_and_is_audited_under_the_name_of_whoever_pressed(staff: Staff) -> None:
    client = staff(*MAY)
    answer = client.post(START, wanted(span="7d"), follow=True)
    assert answer.redirect_chain == [(LIST, 302)]
    run = Reconciliation.objects.get()
    assert (run.location_id, run.started_by, run.state) == ("studio-1", "staff", "running")
    assert abs(timezone.now() - timedelta(days=7) - run.since) < timedelta(minutes=1)
    assert "Workers begin within a minute. See how far it is" in words(answer)
    assert f'<a href="{run_page(run)}change/">See how far it is</a>' in answer.content.decode()
    [entry] = AuditEntry.objects.filter(action="reconciliation.start")
    assert (entry.actor_id, entry.target_id) == (f"staff:{User.objects.get().pk}", str(run.pk))


def test_a_time_that_is_given_counts_and_is_utc(staff: Staff) -> None:
    at = (timezone.now() - 5 * HOUR).replace(second=0, microsecond=0)
    staff(*MAY).post(START, wanted(span="30d", since=f"{at:%Y-%m-%dT%H:%M}"))
    assert Reconciliation.objects.get().since == at


def test_it_begins_from_the_locations_page_and_stands_in_its_history(boss: Client) -> None:
    shown = words(boss.get(f"{PAGE}change/"))
    assert "Read back from GoHighLevel" in shown
    answer = boss.post(f"{PAGE}read_back/", {"span": "2h", "since": ""}, follow=True)
    assert answer.redirect_chain == [(f"{PAGE}change/", 302)]
    assert Reconciliation.objects.get().location_id == "studio-1"
    assert "Read back since" in words(boss.get(f"{PAGE}history/"))
    assert AuditEntry.objects.filter(target_type="sync.location", action="admin.change").count() == 0


def test_a_second_click_goes_on_with_the_one_under_way(boss: Client) -> None:
    boss.post(START, wanted())
    for path, body in ((START, wanted()), (START, wanted(span="2h")), (f"{PAGE}read_back/", wanted())):
        assert "It is being read back already" in words(boss.post(path, body, follow=True))
    assert Reconciliation.objects.count() == 1
    assert AuditEntry.objects.filter(action="reconciliation.start").count() == 1
    boss.post(START, wanted(span="7d"))
    assert list(Reconciliation.objects.order_by("pk").values_list("state", flat=True)) == [
        "failed",
        "running",
    ]


def test_what_is_refused_is_said_in_words(boss: Client) -> None:
    def said(path: str = START, **more: str) -> str:
        return words(boss.post(path, wanted(**more), follow=True))

    assert "reaches back 2 minutes to 30 days" in said(since="2020-01-01T00:00")
    assert "reaches back 2 minutes to 30 days" in said(f"{PAGE}read_back/", since="2999-01-01T00:00")
    for wrong in ({"location": "nowhere"}, {"location": "a\x00"}, {"span": "1y"}, {"since": "soon"}):
        assert "Choose a location of the list" in said(**wrong)
    assert "Choose how far back" in said(f"{PAGE}read_back/", span="1y")
    locations.pause("studio-1", "They move", now=timezone.now())
    assert "Nothing was begun. The location is paused" in said()
    assert not Reconciliation.objects.exists()


def test_who_may_not_is_offered_nothing_and_begins_nothing(staff: Staff) -> None:
    reader = staff("view_reconciliation", "view_location")
    for path in (LIST, f"{PAGE}change/"):
        assert "Read back" not in words(reader.get(path))
    for path in (START, f"{PAGE}read_back/"):
        assert reader.post(path, wanted()).status_code == 403
    assert not Reconciliation.objects.exists()


def test_who_may_begin_but_not_see_is_led_to_no_page_that_refuses_them(staff: Staff) -> None:
    answer = staff("start_reconciliation").post(START, wanted(), follow=True)
    assert answer.status_code == 200
    assert "See how far it is" not in words(answer)
    assert Reconciliation.objects.count() == 1


def test_the_page_of_a_run_asks_for_itself_again_until_it_has_ended(boss: Client) -> None:
    boss.post(START, wanted())
    run = Reconciliation.objects.get()
    shown = boss.get(f"{run_page(run)}change/").content.decode()
    asks = f"{run_page(run)}progress/?seen=running-"
    assert f'hx-get="{asks}"' in shown
    assert "Workers begin within a minute." in shown
    assert "admin" in shown.partition("How far it is")[2].partition("ago")[0], "who asked for it"
    same = boss.get(asks)
    assert (same.status_code, b"hx-swap-oob" in same.content) == (200, False)
    Reconciliation.objects.update(requests=3, contacts_read=1_200, missed=7)
    news = boss.get(asks)
    assert b"hx-swap-oob" in news.content
    assert "It reads the contacts" in words(news)
    assert "1,200" in words(news)
    [taken] = runs.take(now=timezone.now(), most=1)
    runs.stop(taken, "GoHighLevel did not answer.", now=timezone.now())
    last = boss.get(asks)
    assert (last.status_code, b"hx-get" in last.content) == (286, False)
    assert "Reason GoHighLevel did not answer." in words(last)
    assert b"hx-get" not in boss.get(f"{run_page(run)}change/").content


def test_progress_is_told_to_who_may_see_it_only(boss: Client, staff: Staff) -> None:
    boss.post(START, wanted())
    path = f"{run_page(Reconciliation.objects.get())}progress/"
    assert staff("view_location").get(path).status_code == 403
    signed_out = Client().get(path)
    assert (signed_out.status_code, signed_out["HX-Refresh"]) == (286, "true")
    assert boss.get(f"{LIST}999999/progress/").status_code == 404
    assert boss.post(path).status_code == 405


def test_the_form_costs_the_list_one_query_and_the_locations_page_none(staff: Staff) -> None:
    client = staff("view_reconciliation", "view_location")

    def costs() -> list[int]:
        return [len(asked_again(lambda path=path: client.get(path))) for path in (LIST, f"{PAGE}change/")]  # type: ignore[misc]

    before = costs()
    User.objects.all().delete()
    client = staff(*MAY)
    assert costs() == [before[0] + 1, before[1]]
