"""The pages of logs and traces: who may see what, what they cost, and that no stranger's text breaks them."""

from datetime import timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from observability import counters, partitions, trace
from observability.counters import Counter
from observability.logs import search
from observability.models import Event
from observability.trace import Source
from tests.costs import asked_again
from tests.observability.conftest import Staff
from tests.observability.test_log_search import keep
from trainu.bounded_query import TooBroad
from trainu.moments import Moment

pytestmark = pytest.mark.django_db

NOW = timezone.now()
HOSTILE = "<script>alert(1)</script>\u202etxet {{ 7|add:7 }} ' onload=x \x07"
ID = "0123456789abcdef"


def event(correlation_id: str, seconds_ago: float = 60) -> Event:
    moment = NOW - timedelta(seconds=seconds_ago)
    partitions.EVENTS.ensure({moment.date()})
    return Event.objects.create(
        timestamp=moment,
        uuid=uuid4(),
        event="sync_ok",
        distinct_id="svc:sync",
        properties={},
        correlation_id=correlation_id,
        source="api",
        received_at=NOW,
        xid=1,
    )


def test_the_pages_open_for_who_may_view_and_for_nobody_else(client: Client, staff: Staff) -> None:
    pages = ["/admin/logs/", "/admin/logs/tail/", "/admin/trace/", f"/admin/trace/{ID}/"]
    for path in pages:
        assert client.get(path)["Location"].startswith("/admin/login/")
    reader = staff("view_logline")
    assert [reader.get(path).status_code for path in pages] == [200] * 4
    assert b'href="/admin/logs/"' in reader.get("/admin/").content


def test_without_the_permission_they_stay_closed(staff: Staff) -> None:
    nobody = staff("view_apikey")
    for path in ("/admin/logs/", "/admin/logs/tail/", "/admin/trace/", f"/admin/trace/{ID}/"):
        assert nobody.get(path).status_code == 403, path


def test_the_list_shows_lines_with_details_and_the_way_to_their_trace(boss: Client) -> None:
    keep(
        [NOW - timedelta(minutes=1)],
        level="error",
        event="delivery_failed",
        correlation_id=ID,
        user_id="7",
        rest={"exception": "Traceback\nValueError: no", "attempt": 3},
    )
    shown = boss.get("/admin/logs/").content.decode()
    assert '<span class="pill pill-bad">error</span>' in shown
    assert '<strong>delivery_failed</strong> <span class="quiet">attempt 3</span></summary>' in shown
    assert "Traceback\nValueError: no" in shown
    assert "&quot;attempt&quot;: 3" in shown
    assert f'href="/admin/trace/{ID}/"' in shown


def test_filters_stand_in_the_form_narrow_the_list_and_go_along_to_the_next_page(boss: Client) -> None:
    keep([NOW - timedelta(minutes=1)] * (search.PAGE + 1), event="a&b=c happened", service="trainu-worker")
    keep([NOW - timedelta(minutes=1)], event="other")
    asked = {"text": "a&b=c", "service": "trainu-worker", "range": "7d", "level": "info"}
    answer = boss.get("/admin/logs/", asked)
    shown = answer.content.decode()
    assert len(answer.context["rows"]) == search.PAGE
    assert "other</summary>" not in shown
    assert 'value="a&amp;b=c"' in shown
    assert '<option value="7d" selected>' in shown
    older = answer.context["page"].older
    address = f"level=info&amp;service=trainu-worker&amp;text=a%26b%3Dc&amp;range=7d&amp;older={older}"
    assert f'href="?{address}"' in shown
    following = boss.get("/admin/logs/", asked | {"older": str(older)})
    assert len(following.context["rows"]) == 1
    assert b"Live tail" not in following.content
    until = (NOW - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    assert b"No lines match" in boss.get("/admin/logs/", {"until": until}).content


def test_the_tail_answers_rows_and_from_when_to_ask_next(boss: Client) -> None:
    [line] = keep([NOW - timedelta(seconds=2)], event="just_now")
    answer = boss.get("/admin/logs/tail/", {"since": (NOW - timedelta(seconds=20)).isoformat()}).json()
    assert answer["is_cut"] is False
    assert answer["since"] == line.logged_at.isoformat()
    assert f'<tr data-key="{search.key_of(line)}">' in answer["rows"]
    assert "just_now" in answer["rows"]
    assert boss.get("/admin/logs/tail/", {"text": "nowhere"}).json()["rows"].strip() == ""
    for since in ("", "x", "0001-01-01T00:00:00", "9999-12-31T23:59:59+00:00"):
        assert boss.get("/admin/logs/tail/", {"since": since}).status_code == 200


def test_a_search_that_takes_too_long_asks_for_less(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_broad(*_asked: Any, **_named: Any) -> None:
        raise TooBroad

    monkeypatch.setattr(search, "search", too_broad)
    monkeypatch.setattr(search, "tail", too_broad)
    assert b"Choose a shorter time, or add a filter" in boss.get("/admin/logs/").content
    assert boss.get("/admin/logs/tail/").json() == {"too_broad": True}


def test_drops_of_the_last_day_are_told_and_so_is_that_nothing_is_kept(boss: Client, settings: Any) -> None:
    settings.LOG_STORE = True
    assert b"errornote" not in boss.get("/admin/logs/").content
    counters.add(Counter.LOG_LINE_DROPPED, "info", 1_200)
    counters.add(Counter.LOG_LINE_DROPPED, "warn", 3)
    counters.add(Counter.LOG_LINE_DROPPED, "error", 9, now=NOW - timedelta(days=2))
    counters.flush()
    shown = boss.get("/admin/logs/").content.decode()
    assert "1,203 lines of the last 24 hours could not be kept (1,200 info, 3 warn)" in shown
    settings.LOG_STORE = False
    assert b"TRAINU_LOG_STORE" in boss.get("/admin/logs/").content


def test_a_trace_is_in_the_order_of_time_and_leads_to_its_parts(boss: Client) -> None:
    keep([NOW - timedelta(seconds=90)], correlation_id=ID, event="began")
    happened = event(ID, 60)
    keep([NOW - timedelta(seconds=30)], level="error", correlation_id=ID, rest={"exception": "E" * 300})
    keep([NOW - timedelta(seconds=45)], correlation_id="another-id")
    event("another-id")
    shown = boss.get(f"/admin/trace/{ID}/")
    moments = [moment for moment, _, _ in shown.context["rows"]]
    assert [moment.kind for moment in moments] == ["Log, info", "Event", "Log, error"]
    assert [after for _, after, _ in shown.context["rows"]] == ["+0.000 s", "+30.000 s", "+1 min 0 s"]
    assert f"/{happened.uuid.hex}/" not in moments[0].url
    assert happened.uuid.hex in moments[1].url
    assert boss.get(moments[1].url).status_code == 200
    assert b"events of the last 30 days" in shown.content
    assert f'href="/admin/trace/{ID}/"'.encode() in boss.get(moments[1].url).content


def test_each_source_is_shown_only_to_who_may_see_it(staff: Staff) -> None:
    keep([NOW - timedelta(seconds=90)], correlation_id=ID, event="secret_line")
    event(ID)
    shown = staff("view_event").get(f"/admin/trace/{ID}/").content.decode()
    assert "sync_ok" in shown
    assert "secret_line" not in shown
    assert "Not shown with your account:" in shown


def test_a_long_trace_is_cut_to_the_newest_and_a_slow_source_is_left_out_both_told(
    boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "MOST", 3)
    lines = keep([NOW - timedelta(seconds=9 - step) for step in range(5)], correlation_id=ID)

    def slow(*_asked: Any) -> list[Moment]:
        raise TooBroad

    monkeypatch.setattr(trace, "_sources", dict(trace._sources))
    trace.register(Source("attempts", "observability.view_event", slow, timedelta(days=1)))
    answer = boss.get(f"/admin/trace/{ID}/")
    assert [moment.at for moment, _, _ in answer.context["rows"]] == [line.logged_at for line in lines[2:]]
    assert b"Of the log lines only the newest 3 are shown" in answer.content
    assert b"Attempts are missing here" in answer.content


def test_an_id_is_entered_and_leads_to_its_trace(boss: Client) -> None:
    assert boss.get("/admin/trace/", {"id": f" {ID} "})["Location"] == f"/admin/trace/{ID}/"
    assert "Nothing was found for “a/b”" in boss.get("/admin/trace/", {"id": "a/b"}).content.decode()
    assert b"Nothing is stored under this id" in boss.get("/admin/trace/nowhere-to-be-found/").content


def test_no_strangers_text_becomes_markup_or_breaks_a_page(boss: Client) -> None:
    words = dict.fromkeys(("event", "service", "logger", "correlation_id", "user_id"), HOSTILE)
    keep([NOW - timedelta(minutes=1)], **words, rest={"exception": HOSTILE, HOSTILE: [HOSTILE]})
    keep([NOW - timedelta(minutes=1)], **words | {"correlation_id": ID}, rest={})
    for path in ("/admin/logs/", "/admin/logs/tail/", f"/admin/trace/{ID}/"):
        asked = {"since": (NOW - timedelta(minutes=5)).isoformat()} if "tail" in path else {}
        answer = boss.get(path, asked)
        content = answer.json()["rows"] if "tail" in path else answer.content.decode()
        assert "&lt;script&gt;alert(1)" in content, path
        assert "<script>alert" not in content
        assert "\u202e" not in content
    fields = ("text", "level", "range", "until", "service", "correlation_id", "user_id", "older", "since")
    words = ("\x00", "<script>alert(1)</script>", "\u202etxet", "x" * 5_000, "²", "-1_1")
    # The page and what it asks for anew read their words alike: each gets every second one.
    for (place, field), (number, word) in product(enumerate(fields), enumerate(words)):
        path = ("/admin/logs/", "/admin/logs/tail/")[(place + number) % 2]
        answer = boss.get(path, {field: word})
        assert answer.status_code == 200, (path, field, word)
        assert b"<script>alert" not in answer.content
    for word in ("\x00", "%3Cscript%3Ealert(1)%3C%2Fscript%3E", "%0A", "x" * 3_000, "%E2%80%AEtxet"):
        answer = boss.get(f"/admin/trace/{word}/")
        assert answer.status_code in {200, 404}, word
        assert b"<script>alert" not in answer.content


QUERIES = {
    # Two for who is asking, two for the transaction, its limits, the lines, the drops.
    "/admin/logs/": 8,
    "/admin/logs/?text=x&level=warn-up&service=y&user_id=7&range=90d": 8,
    "/admin/logs/tail/": 6,
}


@pytest.mark.parametrize("page", QUERIES)
def test_a_page_costs_the_same_queries_however_much_there_is(boss: Client, page: str) -> None:
    def cost() -> int:
        statements = asked_again(lambda: boss.get(page))
        assert not [sql for sql in statements if 'COUNT(*) FROM "observability_logline"' in sql]
        return len(statements)

    few = cost()
    keep([NOW - timedelta(seconds=1)] * 80, correlation_id=ID)
    keep([NOW - timedelta(seconds=1)] * 80, level="error", correlation_id=ID)
    event(ID)
    assert (cost(), few) == (QUERIES[page], QUERIES[page])


def test_a_trace_costs_the_same_queries_however_much_there_is(boss: Client) -> None:
    def cost() -> int:
        return len(asked_again(lambda: boss.get(f"/admin/trace/{ID}/")))

    few = cost()
    keep([NOW - timedelta(seconds=1)] * 300, correlation_id=ID)
    for seconds_ago in range(20):
        event(ID, seconds_ago)
    # Two for who is asking; letters, operations and audit ask for jobs and webhooks first.
    expected = 3 + 4 * len(trace.sources()) + 6
    assert (cost(), few) == (expected, expected)
