"""Where the rows behind a number are shown.

The rule: a link asks for the same days, zone and filters as the number did, and for nothing else.
"""

from django.urls import NoReverseMatch, reverse

from observability.dashboards.question import Question


def rows_url(kind: str, question: Question, **words: str) -> str:
    """Return the address of the rows of a kind, narrowed by further words; "" where there is no such page."""
    try:
        return reverse("admin:dashboard_rows", args=[kind]) + "?" + question.address(**words)
    except NoReverseMatch:
        return ""
