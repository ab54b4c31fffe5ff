"""The rows that a link of a dashboard leads to, over all pages."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.http import QueryDict

from observability.dashboards import rows
from observability.dashboards.question import parse
from observability.dashboards.rows import Asked, Key


def behind(url: str, *, now: datetime) -> int:
    """Follow a link, and return how many rows are there."""
    path, _, query = url.partition("?")
    words = QueryDict(query).dict()
    asked = Asked(path.split("/")[-2], words["which"], parse(words, now=now), words.get("role", ""))
    return len(every(asked, now=now))


def every(asked: Asked, *, now: datetime) -> list[Any]:
    """Return the rows of all pages, walked from the newest to the oldest and back."""
    pages = list(_older(asked, now))
    there = [row.pk for page in pages for row in page.rows]
    page, back = pages[-1], [row.pk for row in pages[-1].rows]
    while page.newer:
        page = rows.page(asked, now=now, newer_than=page.newer)
        back = [*(row.pk for row in page.rows), *back]
    assert back == there
    assert len(set(there)) == len(there)
    return [row for page in pages for row in page.rows]


def _older(asked: Asked, now: datetime) -> Iterator[rows.Page]:
    key: Key | None = None
    while True:
        page = rows.page(asked, now=now, older_than=key)
        yield page
        assert len(page.rows) == rows.PAGE or page.older is None
        if page.older is None:
            return
        key = rows.parse_key(str(page.older))
