"""One journey on one page: letters, operations, later acts; on an axis that seconds and hours share."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from observability import trace, trace_axis
from observability.audit.recording import record
from sync.models import BulkItem, DeadLetter
from tests.conftest import Staff
from tests.costs import asked_again
from tests.observability.trails import bulk, job, letter
from trainu import correlation
from trainu.admin_site import site
from trainu.moments import Moment

NOW = timezone.now().astimezone(UTC)
ID = "journey-to-the-end"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(seconds: float, kind: str = "Event", tone: str = "") -> Moment:
    return Moment(NOON + timedelta(seconds=seconds), kind, f"{kind} at {seconds}", tone=tone)


@pytest.fixture
def dead(db: None) -> DeadLetter:
    """A job has died twice; somebody redrove it in bulk, and later discarded it, in requests of their own."""
    died = letter(job(ID, state="dead", cause="refused", minutes_ago=300))
    DeadLetter.objects.update(
        first_died_at=NOW - timedelta(hours=4), died_at=NOW - timedelta(hours=2), deaths=2
    )
    operation = bulk([died])
    BulkItem.objects.update(state="failed_same_cause", ended_at=NOW - timedelta(hours=2))
    for action, target in (
        ("dead_letter.discard", ("sync.deadletter", died.pk)),
        ("job.retry_now", ("sync.syncjob", died.job_id)),
        ("bulk.start", ("sync.bulkoperation", operation.pk)),
    ):
        with correlation.bound("a-request-of-staff"), transaction.atomic():
            record(action, actor="staff:7", target=target, reason="Wrong address")
    DeadLetter.objects.update(
        state="discarded", resolved_at=NOW, discard_reason="Wrong address", discarded_by="staff:7"
    )
    return DeadLetter.objects.get()


def test_a_journey_tells_its_letter_the_bulk_operation_and_what_was_done_to_them_later(
    dead: DeadLetter, boss: Client
) -> None:
    told = [(one.kind, one.title, one.by) for one in trace.trace(ID, may=lambda _: True, now=NOW).moments]
    assert told[:3] == [
        ("Job", "contact.update: dead, refused", ""),
        ("Dead letter", "contact.update: dead, invalid", ""),
        ("Dead letter", "contact.update: dead again, 2 times in all", ""),
    ]
    assert set(told[3:]) == {
        ("Bulk operation", "Redrive: Failed again, same cause", "staff:1"),
        ("Dead letter", "contact.update: discarded", "staff:7"),
        ("Audit", "Dead letters: discard", "staff:7"),
        ("Audit", "Sync jobs: retry now", "staff:7"),
    }
    shown = boss.get(f"/admin/trace/{ID}/").content.decode()
    assert f"/admin/sync/deadletter/{dead.pk}/change/" in shown
    assert "by staff:7" in shown
    assert "+1 h later" in shown


def test_letters_and_operations_are_for_who_may_see_them(dead: DeadLetter, staff: Staff) -> None:
    shown = staff("view_syncjob").get(f"/admin/trace/{ID}/").content.decode()
    assert "dead again" not in shown
    assert "Redrive" not in shown
    assert "dead letters, bulk operations" in shown.partition("Not shown with your account:")[2]


def test_the_kinds_narrow_the_page_and_an_unknown_one_does_not(dead: DeadLetter, boss: Client) -> None:
    everything = boss.get(f"/admin/trace/{ID}/").context["rows"]
    for kind, count in (("Dead letter", 3), ("Job", 1), ("nonsense", len(everything)), ("", len(everything))):
        shown = boss.get(f"/admin/trace/{ID}/", {"kind": kind})
        assert len(shown.context["rows"]) == count, kind
    assert 'href="?kind=Dead%20letter" aria-current="true"' in boss.get(
        f"/admin/trace/{ID}/", {"kind": "Dead letter"}
    ).content.decode().replace("  ", " ")


def test_the_picture_has_a_dot_for_each_moment_that_leads_to_its_row(dead: DeadLetter, boss: Client) -> None:
    shown = boss.get(f"/admin/trace/{ID}/")
    content, picture = shown.content.decode(), shown.context["picture"]
    assert '<title id="lanes-title">' in content
    assert '<desc id="lanes-desc">' in content
    assert {lane.name for lane in picture.lanes} == {"Job", "Dead letter", "Bulk operation", "Audit"}
    for dot in (dot for lane in picture.lanes for dot in lane.dots):
        assert f'href="#moment-{dot.number}"' in content
        assert f'id="moment-{dot.number}"' in content
        assert escape(dot.words) in content


def test_a_journey_with_much_in_it_costs_no_query_more(dead: DeadLetter, boss: Client) -> None:
    def cost() -> int:
        return len(asked_again(lambda: boss.get(f"/admin/trace/{ID}/")))

    few = cost()
    bulk([letter(job(ID, state="dead", cause="refused")) for _ in range(30)])
    assert (cost(), few) == (55, 55)


def test_a_record_knows_what_was_done_to_it(dead: DeadLetter, staff: Staff, boss: Client) -> None:
    request = boss.get("/admin/").wsgi_request
    told = site.history(request, "sync.deadletter", str(dead.pk))
    assert [(one.title, one.by, one.detail) for one in told] == [
        ("Dead letters: discard", "staff:7", f"sync.deadletter {dead.pk}: Wrong address")
    ]
    assert boss.get(told[0].url).status_code == 200
    assert site.history(request, "sync.deadletter", "0") == []
    stranger = staff("view_deadletter").get("/admin/").wsgi_request
    assert site.history(stranger, "sync.deadletter", str(dead.pk)) == []


def test_as_long_as_waits_are_alike_time_runs_evenly() -> None:
    picture = trace_axis.draw([at(0), at(1), at(2), at(4), at(5)])
    assert picture
    assert picture.is_even
    [lane] = picture.lanes
    assert [dot.x for dot in lane.dots] == [130, 298, 466, 802, 970]


def test_a_long_wait_is_shortened_and_written_out() -> None:
    picture = trace_axis.draw([at(0), at(1), at(2), at(7_202), at(7_203)])
    assert picture
    assert not picture.is_even
    [lane] = picture.lanes
    places = [dot.x for dot in lane.dots]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (130, 970)
    # On an even axis the first three would stand on one spot.
    assert places[2] - places[1] > 50
    assert "+2 h later" in [gap.words for gap in picture.gaps]
    assert picture.words == "5 moments in 1 lane over 2 h."


def test_each_kind_has_a_lane_and_levels_of_lines_share_one() -> None:
    moments = [at(0, "Log, info"), at(1, "Job"), at(2, "Log, error", "bad"), at(3, "Attempt")]
    picture = trace_axis.draw(moments)
    assert picture
    assert [(lane.name, [dot.number for dot in lane.dots]) for lane in picture.lanes] == [
        ("Log", [0, 2]),
        ("Job", [1]),
        ("Attempt", [3]),
    ]


def test_dots_that_would_cover_each_other_are_one_which_says_so_and_shows_the_worst() -> None:
    picture = trace_axis.draw([at(0), at(0.01, tone="bad"), at(0.02, tone="ok"), at(10), at(20), at(30)])
    assert picture
    first = picture.lanes[0].dots[0]
    assert (first.tone, first.number) == ("bad", 0)
    assert first.words == "12:00:00 Event at 0, and 2 more"
    assert len(picture.lanes[0].dots) == 4


def test_a_single_moment_needs_no_picture() -> None:
    assert trace_axis.draw([]) is None
    assert trace_axis.draw([at(0)]) is None
    assert trace_axis.draw([at(0), at(0)]) is None


def test_a_thousand_moments_leave_a_bounded_number_of_dots_and_words() -> None:
    picture = trace_axis.draw([at(second) for second in range(1_000)])
    assert picture
    assert len(picture.lanes[0].dots) <= trace_axis.WIDTH / 9
    assert len(picture.gaps) <= 6


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.25, "+0.250 s"),
        (65, "+1 min 5 s"),
        (9_000, "+2.5 h"),
        (86_400 * 3, "+3.0 days"),
    ],
)
def test_the_distance_to_the_first_moment_is_told(seconds: float, words: str) -> None:
    assert trace_axis.after(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (59, ""),
        (60, "+1 min later"),
        (5_400, "+1.5 h later"),
        (86_400, "+24 h later"),
        (864_000, "+10 days later"),
    ],
)
def test_a_wait_that_a_reader_should_notice_is_told(seconds: float, words: str) -> None:
    assert trace_axis.waited(timedelta(seconds=seconds)) == words
