"""The charts of the show-rate's page: by week, before and now, by segment, by trainer.

The rule: what is made of fewer than MIN_SAMPLE due bookings is shown with its count, and not compared.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Literal
from urllib.parse import urlencode

from observability.dashboards.addresses import rows_url
from observability.dashboards.intervals import newcombe
from observability.dashboards.panels import (
    MIN_SAMPLE,
    BeforeAfter,
    Cell,
    Lines,
    Listing,
    Pair,
    Series,
    Table,
    Unit,
)
from observability.dashboards.question import Question
from observability.dashboards.show_rate_numbers import Counted
from observability.dashboards.tallies import Tally

FEW = "Too few to tell"
# So many rows a listing has on the page, and in files and API.
ON_PAGE, IN_FILES = 50, 1_000
# More segments than that are no picture.
_MOST_PAIRS = 20
_RATE_COLUMNS = ("Due", "Shown", "Show-rate", "From", "To")
_RATE_UNITS: tuple[Unit, ...] = ("number", "number", "share", "share", "share")


def trend(counted: Counted) -> Lines:
    """Return the show-rate of each week, as far as it is in the period, with its interval."""
    question = counted.question
    weeks = [(monday, _of_week(counted, monday)) for monday in question.weeks()]
    few = [f"{monday} ({tally.due})" for monday, tally in weeks if tally.due and tally.is_small]
    bounds = [tally.interval or (None, None) for _, tally in weeks]
    series = Series(
        "Show-rate",
        [tally.rate for _, tally in weeks],
        [low for low, _ in bounds],
        [high for _, high in bounds],
        url=rows_url("bookings", question, which="kept"),
    )
    return Lines(
        key="show_rate_trend",
        title="Show-rate by week",
        unit="share",
        xs=[monday.isoformat() for monday, _ in weeks],
        series=[series],
        target=counted.target,
        floor=None,
        note=f"{question.weeks_in_part()} {_too_few(few)}".strip(),
    )


def _of_week(counted: Counted, monday: date) -> Tally:
    """Return the tally of those days of a week that are in the period."""
    question, sunday = counted.question, monday + timedelta(days=6)
    return counted.between(max(monday, question.first), min(sunday, question.last))


def _too_few(weeks: list[str]) -> str:
    return f"Weeks of fewer than {MIN_SAMPLE} due bookings, too few to tell: {_few(weeks)}." if weeks else ""


def _few(words: list[str]) -> str:
    """Return the first of a list, and how many more there are."""
    return ", ".join(words[:6]) + (f" and {len(words) - 6} more" if len(words) > 6 else "")


def change(counted: Counted) -> BeforeAfter:
    """Return the period before against this one, for all and by segment."""
    question = counted.question
    everyone = (counted.of(question.before()), counted.of(question))
    names = sorted(
        {*counted.segments, *counted.segments_before},
        key=lambda name: (-counted.segments.get(name, Tally()).due, name),
    )
    pairs = [_pair("All", *everyone, url=rows_url("bookings", question, which="kept"))]
    for name in names:
        was, now = counted.segments_before.get(name, Tally()), counted.segments.get(name, Tally())
        if was.due or now.due:
            url = rows_url("bookings", question, which="kept", segment=name)
            pairs.append(_pair(name, was, now, url=url))
    hidden = len(pairs) - 1 - _MOST_PAIRS
    return BeforeAfter(
        key="show_rate_change",
        title="Show-rate before and now",
        pairs=pairs[: _MOST_PAIRS + 1],
        before="The period before",
        after="This period",
        note=f"{hidden:,} more segments have fewer due bookings." if hidden > 0 else "",
    )


def _pair(label: str, was: Tally, now: Tally, *, url: str) -> Pair:
    is_small = was.is_small or now.is_small
    bounds = None if is_small else newcombe(was.shown, was.due, now.shown, now.due)
    low, high = bounds or (None, None)
    return Pair(label, was.rate, now.rate, was.due, now.due, low, high, url)


def segments(counted: Counted) -> Listing:
    """Return the show-rate of each segment."""
    question = counted.question
    found = _most_due_first(counted.segments)
    rows = [[name, *_rate_cells(tally), FEW if tally.is_small else ""] for name, tally in found]
    urls = _due_of("segment", [name for name, _ in found], question)
    return _listing(
        "show_rate_segments",
        "Show-rate by segment",
        Table(("Segment", *_RATE_COLUMNS, "Remark"), rows, urls),
        ("", *_RATE_UNITS, ""),
    )


def trainers(counted: Counted) -> Listing:
    """Return the show-rate of each trainer, against the trainer's own baseline."""
    question = counted.question
    found = _most_due_first(counted.trainers)
    rows = [
        [name, *_rate_cells(tally), *_against(tally, counted.baseline.by_trainer.get(name))]
        for name, tally in found
    ]
    urls = _due_of("trainer", [name for name, _ in found], question)
    columns = ("Trainer", *_RATE_COLUMNS, "Baseline", "Difference", "From", "To", "Remark")
    return _listing(
        "show_rate_trainers",
        "Show-rate by trainer",
        Table(columns, rows, urls),
        ("", *_RATE_UNITS, "share", "points", "points", "points", ""),
    )


def _due_of(word: str, names: Sequence[str], question: Question) -> list[str]:
    """Return where the due bookings of each trainer or segment are listed."""
    # Made once, and not for each of a thousand trainers.
    start = rows_url("bookings", question, which="kept", **{word: ""})
    return [f"{start}&{urlencode({word: name})}" if start else "" for name in names]


def _most_due_first(tallies: Mapping[str, Tally]) -> list[tuple[str, Tally]]:
    """Return those with any due bookings, by how many; of as many, by name."""
    due = [(name, tally) for name, tally in tallies.items() if tally.due]
    return sorted(due, key=lambda pair: (-pair[1].due, pair[0]))


def _rate_cells(tally: Tally) -> list[Cell]:
    return [tally.due, tally.shown, tally.rate, *(tally.interval or (None, None))]


def _against(tally: Tally, base: Tally | None) -> list[Cell]:
    """Return baseline, difference, its interval and a remark."""
    rate = base.rate if base else None
    if tally.is_small:
        return [rate, None, None, None, FEW]
    if base is None:
        return [None, None, None, None, "Baseline is not over"]
    bounds = newcombe(base.shown, base.due, tally.shown, tally.due)
    if base.is_small or rate is None or bounds is None or tally.rate is None:
        return [rate, None, None, None, f"{FEW}: baseline of {base.due}"]
    return [rate, tally.rate - rate, *bounds, ""]


def _listing(key: str, title: str, table: Table, units: Sequence[Unit | Literal[""]]) -> Listing:
    """Return a table cut to what a file may hold, and what is to be said about what is not on the page."""
    count = len(table.rows)
    note = f"{count - ON_PAGE:,} more are in the CSV." if count > ON_PAGE else ""
    if count > IN_FILES:
        note = f"{count - ON_PAGE:,} more are not shown; the CSV has the first {IN_FILES:,}."
    cut = Table(table.columns, table.rows[:IN_FILES], table.urls[:IN_FILES])
    return Listing(key=key, title=title, content=cut, units=units, shown=ON_PAGE, note=note)
