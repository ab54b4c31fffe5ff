"""What a dashboard is made of: figures and charts as plain values, which page, CSV and API render alike.

The rule: whatever a chart shows can be read from its `table()`; None is what is not known, and never a zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

# number: counted things. share: 0 to 1, shown in percent. points: a difference of shares.
Unit = Literal["number", "share", "points", "seconds", "milliseconds", "minutes", "score"]
Cell = str | int | float | None
# Below so many cases a share is not held against anything: the page says how few there are.
MIN_SAMPLE = 30


@dataclass(frozen=True, slots=True)
class Target:
    """Where a figure should be. low, high: a band, or one bound of it. words: such as "at least 99.5 %"."""

    words: str
    low: float | None = None
    high: float | None = None

    def is_met(self, value: float) -> bool:
        """Whether a value is where it should be: not below the lower bound, nor above the upper one where
        that is the only one."""
        if self.low is not None:
            return value >= self.low
        return self.high is None or value <= self.high


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. key: unique on its dashboard, also that of its words in `definitions`.

    sample: of how many cases it is made, where that matters. low, high: its 95 % interval. before: the same
    number of the period before. url: the rows behind it. note: what a reader must know, such as how few.
    is_rough: from a sample of people, with its error in low and high.
    """

    key: str
    label: str
    value: float | None
    unit: Unit = "number"
    sample: int | None = None
    low: float | None = None
    high: float | None = None
    before: float | None = None
    target: Target | None = None
    url: str = ""
    note: str = ""
    is_rough: bool = False

    @property
    def is_small(self) -> bool:
        """Whether it is made of too few cases to be compared with anything."""
        return self.sample is not None and self.sample < MIN_SAMPLE

    @property
    def verdict(self) -> Literal["", "met", "missed"]:
        """How it stands to its target; nothing where there is none, or too few cases to tell."""
        if self.target is None or self.value is None or self.is_small:
            return ""
        return "met" if self.target.is_met(self.value) else "missed"


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows; of a row's cells the first names it. urls: by row, where it leads; may be empty."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    urls: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """Values along the x of a chart. low, high: a band around them, of the same length, or empty."""

    label: str
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What all charts share. key: as a figure's. note: shown below, such as why there is nothing."""

    key: str
    title: str
    unit: Unit = "number"
    note: str = ""

    def table(self) -> Table:
        """Return everything the chart shows, as a table."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines(Chart):
    """Series over time. xs: labels of the points, such as days. floor: where the axis begins; None: at what
    fits. stacked: areas on one another instead of lines."""

    xs: Sequence[str]
    series: Sequence[Series]
    target: Target | None = None
    floor: float | None = 0.0
    stacked: bool = False

    def table(self) -> Table:
        columns = ["When"]
        for one in self.series:
            columns.append(one.label)
            if one.low:
                columns += [f"{one.label}, from", f"{one.label}, to"]
        rows: list[list[Cell]] = []
        for i, x in enumerate(self.xs):
            row: list[Cell] = [x]
            for one in self.series:
                row.append(one.values[i])
                if one.low:
                    row += [one.low[i], one.high[i]]
            rows.append(row)
        return Table(columns, rows)


@dataclass(frozen=True, slots=True)
class Step:
    label: str
    people: float
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel(Chart):
    """Steps that ever fewer people take. nested: whoever is in a step is in the one before it; otherwise
    each step is a share of the first, such as who uses which feature."""

    steps: Sequence[Step]
    nested: bool = True

    def table(self) -> Table:
        first = self.steps[0].people if self.steps else 0
        rows: list[list[Cell]] = []
        for i, step in enumerate(self.steps):
            share = step.people / first if first else None
            row: list[Cell] = [step.label, step.people, share]
            if self.nested:
                row.append(self.steps[i - 1].people - step.people if i else None)
            rows.append(row)
        columns = ["Step", "Number", "Share of the first", *(["Lost before it"] if self.nested else [])]
        return Table(columns, rows, [step.url for step in self.steps])


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat(Chart):
    """A grid of values by row and column, such as weekday and hour."""

    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float | None]]

    def table(self) -> Table:
        filled = [[name, *values] for name, values in zip(self.rows, self.values, strict=True)]
        return Table(["", *self.columns], filled)


@dataclass(frozen=True, slots=True)
class Cohort:
    """People who began together. values: by the time since; shares of `people`, None where it is not over."""

    label: str
    people: float
    values: Sequence[float | None]
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohorts(Chart):
    """Cohorts below each other. columns: names of the times since."""

    columns: Sequence[str]
    cohorts: Sequence[Cohort]
    unit: Unit = "share"

    def table(self) -> Table:
        rows = [[one.label, one.people, *one.values] for one in self.cohorts]
        return Table(["Began", "People", *self.columns], rows, [one.url for one in self.cohorts])


@dataclass(frozen=True, slots=True)
class Pair:
    """A share before and after, each with its cases. low, high: 95 % interval of the difference."""

    label: str
    before: float | None
    after: float | None
    cases_before: int
    cases_after: int
    low: float | None = None
    high: float | None = None
    url: str = ""

    @property
    def is_small(self) -> bool:
        return min(self.cases_before, self.cases_after) < MIN_SAMPLE


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeAfter(Chart):
    """Pairs of shares and the interval of their difference. before, after: what the two are called."""

    pairs: Sequence[Pair]
    before: str
    after: str
    unit: Unit = "share"

    def table(self) -> Table:
        columns = ["", self.before, "Cases", self.after, "Cases", "Difference", "From", "To", "Remark"]
        rows: list[list[Cell]] = []
        for one in self.pairs:
            known = one.before is not None and one.after is not None and not one.is_small
            difference = one.after - one.before if known else None  # type: ignore[operator]
            remark = "Too few to tell" if one.is_small else ""
            rows.append(
                [
                    one.label,
                    one.before,
                    one.cases_before,
                    one.after,
                    one.cases_after,
                    difference,
                    one.low,
                    one.high,
                    remark,
                ]
            )
        return Table(columns, rows, [one.url for one in self.pairs])


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars(Chart):
    """Values by name, the longest list of which the page scrolls. urls: by bar."""

    bars: Sequence[tuple[str, float | None]]
    urls: Sequence[str] = ()
    first_column: str = ""

    def table(self) -> Table:
        return Table([self.first_column, self.title], [list(bar) for bar in self.bars], self.urls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Chart):
    """A table that is no other chart, such as trainers. units: by column; the first column names the row.

    shown: so many rows stand on the page, all of them in files and API; None: all of them everywhere.
    """

    content: Table
    units: Sequence[Unit | Literal[""]] = ()
    shown: int | None = None

    def table(self) -> Table:
        return self.content


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a dashboard under a heading of its own. is_live: about now, so that the page asks again."""

    title: str
    figures: Sequence[Figure] = ()
    charts: Sequence[Chart] = ()
    is_live: bool = False


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A whole page of numbers. name: as in its address. counted_at: up to when events are in it.

    notes: above everything, such as that a filter does not apply here.
    """

    name: str
    title: str
    counted_at: datetime | None
    sections: Sequence[Section]
    notes: Sequence[str] = field(default=())

    def figure(self, key: str) -> Figure:
        """Return a figure by its key; raises KeyError."""
        return {one.key: one for section in self.sections for one in section.figures}[key]

    def chart(self, key: str) -> Chart:
        """Return a chart by its key; raises KeyError."""
        return {one.key: one for section in self.sections for one in section.charts}[key]
