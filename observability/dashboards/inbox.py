"""The agent's drafts on their way to clients: approved, edited, sent.

The rule: a draft belongs to the day it was made on. "Before" is given where it does not depend on how long
ago that is.
"""

from datetime import date, datetime

from observability.dashboards import cells
from observability.dashboards.addresses import rows_url
from observability.dashboards.cells import Span
from observability.dashboards.estimates import ratio, share
from observability.dashboards.panels import Figure, Funnel, Step
from observability.dashboards.question import Question

# drafted, approved, edited, sent: as `observability.dashboards.counting` keeps them.
_NUMBERS = 4


def drafts(question: Question, *, now: datetime) -> tuple[list[Figure], Funnel]:
    """Return the figures and the funnel of drafts of the period."""
    before = question.before()
    span = Span("drafts", question.zone, before.first, question.last, question.trainer, question.segment)
    by_day = cells.by_day(span, now=now)
    drafted, approved, edited, sent = _total(by_day, question)
    drafted_before, approved_before, edited_before, _ = _total(by_day, before)

    def url(which: str) -> str:
        return rows_url("drafts", question, which=which)

    figures = [
        Figure("drafts_created", "Drafts created", drafted, before=drafted_before, url=url("drafted")),
        share("drafts_approved", "Drafts approved", approved, drafted, url=url("approved")),
        share("drafts_sent", "Approved drafts sent", sent, approved, url=url("sent")),
        share(
            "drafts_edited",
            "Approved drafts edited",
            edited,
            approved,
            before=ratio(edited_before, approved_before),
            url=url("edited"),
        ),
    ]
    steps = [
        Step("Created", drafted, url("drafted")),
        Step("Approved", approved, url("approved")),
        Step("Sent", sent, url("sent")),
    ]
    note = "" if drafted else "The agent has drafted nothing in this period."
    return figures, Funnel(key="inbox_funnel", title="From draft to client", steps=steps, note=note)


def _total(by_day: dict[date, list[int]], question: Question) -> list[int]:
    return cells.total(
        (numbers for day, numbers in by_day.items() if question.first <= day <= question.last), _NUMBERS
    )
