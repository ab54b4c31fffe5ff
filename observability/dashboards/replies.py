"""Whether and how soon clients write back.

The rule: only messages whose 48 hours are over are asked about, so that no answer is missed for being young.
"""

from datetime import date, datetime, timedelta

from observability.dashboards import cells
from observability.dashboards.addresses import rows_url
from observability.dashboards.cells import Span
from observability.dashboards.estimates import ratio, share
from observability.dashboards.panels import Figure
from observability.dashboards.question import Question
from observability.rollups.messages import ANSWERED_WITHIN_HOURS

# sent, answered: as `observability.dashboards.counting` keeps them, before the minutes that answers took.
_NUMBERS = 2
_ANSWERED_WITHIN = timedelta(hours=ANSWERED_WITHIN_HOURS)


def responses(question: Question, *, now: datetime) -> list[Figure]:
    """Return the share of messages answered, and the median time it took."""
    before = question.before()
    span = Span("replies", question.zone, before.first, question.last, question.trainer, question.segment)
    by_day = cells.by_day(span, now=now)
    sent, answered, minutes = _answers(by_day, question, now=now)
    sent_before, answered_before, minutes_before = _answers(by_day, before, now=now)
    is_settled = question.last in question.settled(_ANSWERED_WITHIN, now=now)
    note = "" if is_settled else "Messages of the last two days may still be answered; they are left out."
    return [
        share(
            "response_rate",
            "Messages answered within 48 h",
            answered,
            sent,
            before=ratio(answered_before, sent_before),
            url=rows_url("messages", question, which="answered"),
            note=note,
        ),
        Figure(
            "response_median",
            "Time to answer, median",
            minutes,
            "minutes",
            sample=answered,
            before=minutes_before,
            url=rows_url("messages", question, which="answered"),
            note=note,
        ),
    ]


def _answers(
    by_day: dict[date, list[int]], question: Question, *, now: datetime
) -> tuple[int, int, float | None]:
    """Return messages, of these answered, and the median of the answers' minutes."""
    rows = [by_day[day] for day in question.settled(_ANSWERED_WITHIN, now=now) if day in by_day]
    sent, answered = cells.total(rows, _NUMBERS)
    return sent, answered, _median(cells.histogram(rows, skipped=_NUMBERS))


def _median(counts: dict[int, int]) -> float | None:
    """Return the value in the middle, or what lies between the two there are; None without any."""
    cases = sum(counts.values())
    if not cases:
        return None
    places = {(cases - 1) // 2, cases // 2}
    found, passed = [], 0
    for value in sorted(counts):
        found += [value for place in places if passed <= place < passed + counts[value]]
        passed += counts[value]
    return sum(found) / len(found)
