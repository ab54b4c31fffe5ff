"""Pages of dashboards: every number with its meaning, tables that say what pictures say, who sees them."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from observability.charts.formatting import write
from observability.charts.tables import units
from observability.dashboards import registry
from observability.dashboards.definitions import WORDS
from observability.dashboards.panels import Cell, Chart, Dashboard
from observability.dashboards.question import BadQuestion, Question, parse
from tests.conftest import Staff
from tests.costs import asked_again
from tests.observability import made_up_dashboard as made_up
from trainu.admin_rendering import seen
from trainu.bounded_query import TooBroad

pytestmark = pytest.mark.django_db

PAGE = "/admin/dashboards/made_up/"
QUERY = "from=2026-11-01&to=2026-11-28&zone=Europe/Berlin"


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    cache.clear()
    with made_up.registered():
        yield


@pytest.fixture
def viewer(staff: Staff) -> Client:
    return staff("view_dashboard")


def counted() -> Dashboard:
    """Return what the page should show for QUERY."""
    asked = dict(part.split("=") for part in QUERY.split("&"))
    return made_up.dashboard(parse(asked, now=timezone.now()), now=timezone.now())


class Tables(HTMLParser):
    """Collects the rows of tables by the id of the chart they are in."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self._chart, self._is_in_cell = "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "figure":
            self._chart = str(dict(attrs)["id"]).removeprefix("chart-")
            self.rows[self._chart] = []
        elif tag == "tr" and self._chart:
            self.rows[self._chart].append([])
        elif tag in ("td", "th") and self._chart:
            self.rows[self._chart][-1].append("")
            self._is_in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._is_in_cell = False
        elif tag == "figure":
            self._chart = ""

    def handle_data(self, data: str) -> None:
        if self._is_in_cell:
            self.rows[self._chart][-1][-1] += data


def shown(html: str) -> dict[str, list[list[str]]]:
    parser = Tables()
    parser.feed(html)
    return parser.rows


def test_every_number_stands_beside_the_words_that_say_what_it_means(viewer: Client) -> None:
    html = viewer.get(f"{PAGE}?{QUERY}").content.decode()
    for section in counted().sections:
        for one in (*section.figures, *section.charts):
            kind = "figure" if one in section.figures else "chart"
            part = html.split(f'id="{kind}-{one.key}"')[1].split("</section>")[0].split("</figure>")[0]
            assert WORDS[one.key].replace("'", "&#x27;") in part


def test_a_figure_says_how_it_stands_and_what_is_not_known(viewer: Client) -> None:
    html = viewer.get(f"{PAGE}?{QUERY}").content.decode().replace("\u00a0", " ")
    cards = {
        key: part.split("</section>")[0]
        for key, part in re.findall(r'id="figure-(\w+)"(.*?</section>)', html, re.S)
    }
    assert "Target met" in cards["show_rate"]
    assert "Before: 79.3 %" in cards["show_rate"]
    assert "(+3.1 pp)" in cards["show_rate"]
    assert "95 % interval: 78.4 % to 85.7 %" in cards["show_rate"]
    assert f'href="{made_up.EVENTS}"' in cards["show_rate"]
    assert "Target missed" in cards["sync_success"]
    assert "Too few to tell (n = 12)" in cards["recovery"]
    assert "Target met" not in cards["recovery"]
    assert "Before" not in cards["recovery"]
    assert "~ 12,300" in cards["mau"]
    assert "± 400" in cards["mau"]
    assert "No day is old enough yet." in cards["response_rate"]
    assert "3 h 20 min" in cards["first_booking_median"]


def test_the_table_of_each_chart_holds_what_the_chart_holds(viewer: Client) -> None:
    tables = shown(viewer.get(f"{PAGE}?{QUERY}").content.decode())
    charts = [chart for section in counted().sections for chart in section.charts]
    assert len({type(chart) for chart in charts}) == 7
    for chart in charts:
        wanted = [in_words(chart, row) for row in chart.table().rows]
        found = [[cell.strip() for cell in row] for row in tables[chart.key]][1:]
        if chart.key == "retention_cohorts":
            # The first column is shorter than in the file, and percent is said once.
            wanted = [[cell.removesuffix("\u00a0%").replace("–", "") for cell in row[1:]] for row in wanted]  # noqa: RUF001
            found = [row[1:] for row in found]
        if chart.key == "score_risers":
            # Between name and number stands the bar.
            found = [[row[0], row[2]] for row in found]
        assert found == wanted, chart.key


def in_words(chart: Chart, row: Any) -> list[str]:
    return [
        seen(cell) if isinstance(cell, str) else write(cell, unit or "number")
        for cell, unit in zip(row, units(chart), strict=True)
    ]


def test_files_hold_the_table_as_it_is_and_no_formula(viewer: Client) -> None:
    for section in counted().sections:
        for chart in section.charts:
            answer = viewer.get(f"{PAGE}csv/{chart.key}/?{QUERY}")
            header, *rows = csv.reader(io.StringIO(answer.content.decode()))
            assert answer["Content-Type"] == "text/csv; charset=utf-8"
            assert len(header) == len(chart.table().columns)
            assert rows == [[in_file(cell) for cell in row] for row in chart.table().rows]
            name = f"made_up-{chart.key}-2026-11-01-to-2026-11-28.csv"
            assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    listing = viewer.get(f"{PAGE}csv/show_rate_trainers/?{QUERY}").content.decode()
    assert "'=cmd|" in listing
    assert "'@t-3,'+below,0.5" in listing


def in_file(cell: Cell) -> str:
    if isinstance(cell, str):
        return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell
    return "" if cell is None else str(cell)


def test_numbers_below_nothing_stay_numbers_in_files(viewer: Client) -> None:
    risers = viewer.get(f"{PAGE}csv/score_risers/?{QUERY}").content.decode()
    assert "client:c-5,-5.0" in risers
    assert risers.splitlines()[0] == "Person,Rise of the score (points)"


def test_all_figures_are_one_file(viewer: Client) -> None:
    answer = viewer.get(f"{PAGE}csv/?{QUERY}")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    figures = [one for section in counted().sections for one in section.figures]
    assert [row["key"] for row in rows] == [one.key for one in figures]
    first = rows[0]
    assert (first["value"], first["unit"], first["verdict"]) == ("0.824", "share", "met")
    assert first["definition"] == WORDS["show_rate"]
    assert rows[6]["value"] == ""


def test_hostile_names_are_shown_and_never_run(viewer: Client) -> None:
    html = viewer.get(f"{PAGE}?{QUERY}&trainer=<script>alert(2)</script>%E2%80%AE").content.decode()
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(1)") >= 5
    assert "&lt;script&gt;alert(2)" in html
    # What was written into a field stands in it as it was.
    assert "\u202e" not in re.sub(r'value="[^"]*"', "", html)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-13-01", "from"),
        ("to=yesterday", "to"),
        ("from=2026-11-28&to=2026-11-01", "from"),
        ("from=2001-01-01", "from"),
        ("zone=Mars/Base", "zone"),
        ("trainer=" + "x" * 65, "trainer"),
        ("segment=%00", "segment"),
    ],
)
def test_what_cannot_be_answered_is_said_at_its_field(viewer: Client, query: str, field: str) -> None:
    with pytest.raises(BadQuestion) as wrong:
        parse(dict(one.split("=") for one in query.replace("%00", "\x00").split("&")), now=timezone.now())
    answer = viewer.get(f"{PAGE}?{query}")
    html = answer.content.decode()
    assert answer.status_code == 400
    assert f'id="wrong_{field}">{wrong.value}</span>' in html
    assert f'aria-describedby="wrong_{field}"' in html
    assert html.count('class="wrong"') == 1
    assert "figure-show_rate" not in html
    for path in (f"{PAGE}csv/", f"{PAGE}csv/active_people/"):
        assert viewer.get(f"{path}?{query}").status_code == 400


def test_an_unknown_range_is_said_above_the_fields(viewer: Client) -> None:
    answer = viewer.get(f"{PAGE}?range=3d")
    assert answer.status_code == 400
    assert "Write one of 7d, 28d, 90d, 365d" in answer.content.decode()


def test_the_page_says_for_which_days_and_what_before_means(viewer: Client) -> None:
    html = viewer.get(f"{PAGE}?{QUERY}&segment=solo").content.decode()
    assert "<b>1 Nov 2026 to 28 Nov 2026</b>, 28 days in Europe/Berlin, segment <b>solo</b>" in html
    assert "“Before” is 4 Oct 2026 to 31 Oct 2026." in html
    assert "The filter by segment does not apply to insights." in html
    assert 'name="location"' not in html
    # One click leads to another period with the same filters, and one out of the filters.
    assert "?zone=Europe%2FBerlin&amp;segment=solo&amp;range=7d" in html
    assert 'href="?from=2026-11-01&amp;to=2026-11-28&amp;zone=Europe%2FBerlin">Clear' in html


def test_the_period_of_one_click_is_marked_when_it_is_shown(viewer: Client) -> None:
    marked = re.compile(r'<a href="[^"]*" aria-current="true">([^<]*)</a>')
    assert marked.findall(viewer.get(f"{PAGE}?range=90d").content.decode()) == ["90 days"]
    assert marked.findall(viewer.get(PAGE).content.decode()) == ["28 days"]
    assert marked.findall(viewer.get(f"{PAGE}?from=2026-01-01&to=2026-01-28").content.decode()) == []


def test_what_is_offered_for_a_filter_can_be_chosen(viewer: Client) -> None:
    with made_up.registered(choices=lambda name: [f"{name} of ours"]):
        html = viewer.get(PAGE).content.decode()
    assert '<option value="segment of ours"></option>' in html


@pytest.mark.parametrize("path", ["", "csv/", "csv/active_people/", "live/"])
def test_each_address_opens_for_who_may_and_for_nobody_else(staff: Staff, client: Client, path: str) -> None:
    with made_up.registered(is_live=True, permission="observability.view_sync_health"):
        signed_out = client.get(PAGE + path)
        if path == "live/":
            assert (signed_out.status_code, signed_out["HX-Refresh"]) == (286, "true")
        else:
            assert signed_out.status_code == 302
        member = staff("view_dashboard")
        assert member.get(PAGE + path).status_code == 403
        with made_up.registered(is_live=True):
            assert member.get(PAGE + path).status_code == 200


def test_what_is_not_registered_is_not_found(boss: Client) -> None:
    for path in ("/admin/dashboards/nothing/", "/admin/dashboards/nothing/csv/", f"{PAGE}csv/nothing/"):
        assert boss.get(path).status_code == 404
    # Not live, so there is no live part.
    assert boss.get(f"{PAGE}live/").status_code == 404


def test_a_dashboard_of_the_sidebar_has_an_address_of_its_own(boss: Client) -> None:
    entry = registry.Entry("activation", "Activation", made_up.VIEW, made_up.dashboard)
    kept = registry.find("activation")
    registry.register(entry)
    try:
        html = boss.get("/admin/dashboards/activation/").content.decode()
    finally:
        registry.register(kept) if kept else registry.forget("activation")
    assert 'href="/admin/dashboards/activation/" aria-current="page"' in html


def test_what_takes_too_long_says_so(viewer: Client) -> None:
    def slow(question: Question, *, now: Any) -> Dashboard:
        raise TooBroad

    with made_up.registered(build=slow, is_live=True):
        page = viewer.get(PAGE)
        assert page.status_code == 200
        assert "It takes too long to count" in page.content.decode()
        assert viewer.get(f"{PAGE}csv/").status_code == 503
        assert viewer.get(f"{PAGE}live/").status_code == 503


def test_the_live_part_asks_again_for_what_the_page_was_asked(viewer: Client) -> None:
    with made_up.registered(is_live=True):
        html = viewer.get(f"{PAGE}?{QUERY}&trainer=t-7").content.decode()
        poll = f"{PAGE}live/?from=2026-11-01&amp;to=2026-11-28&amp;zone=Europe%2FBerlin&amp;trainer=t-7"
        assert f'hx-get="{poll}" hx-trigger="every 10s"' in html
        live = viewer.get(poll.replace("&amp;", "&"))
    assert live.status_code == 200
    assert "<html" not in live.content.decode()
    assert "Updated at" in live.content.decode()
    assert shown(live.content.decode()) == shown(html)
    assert "hx-get" not in viewer.get(PAGE).content.decode()


def test_however_many_look_a_live_dashboard_is_counted_once_in_a_while(viewer: Client) -> None:
    asked = []

    def build(question: Question, *, now: Any) -> Dashboard:
        asked.append(question.trainer)
        return made_up.dashboard(question, now=now)

    with made_up.registered(build=build, is_live=True):
        for trainer in ("a", "a", "b", "a"):
            viewer.get(f"{PAGE}live/?trainer={trainer}")
    assert asked == ["a", "b"]


def test_a_page_costs_no_query_of_its_own(viewer: Client) -> None:
    # Session, user, permissions, and lines above every page: what is counted, its own tests count.
    assert len(asked_again(lambda: viewer.get(PAGE))) <= 7


def test_newer_numbers_are_told_by_when_they_were_counted(viewer: Client) -> None:
    html = viewer.get(PAGE).content.decode()
    assert f'datetime="{(timezone.now() - timedelta(minutes=2)):%Y-%m-%dT%H:}' in html
    assert "2 minutes ago" in html
