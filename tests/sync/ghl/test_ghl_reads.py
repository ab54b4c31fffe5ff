"""Reading GoHighLevel back: every read is an official request, and pages end."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync.ghl import reads
from sync.ghl.request import Request
from sync.ghl.response import Answer, read
from tests.sync.ghl import official

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY_AGO = NOW - timedelta(days=1)


@pytest.mark.parametrize(
    "request_",
    [
        reads.location("loc1"),
        reads.contact("c1"),
        reads.duplicate_contact("loc1", email="ada+x@example.com", phone="+4915112345678"),
        reads.contacts("loc1", since=DAY_AGO, until=NOW),
        reads.contacts("loc1", since=DAY_AGO, until=NOW, cursor=[1764000000000, "c1"]),
        reads.calendars("loc1"),
        reads.events("loc1", start=DAY_AGO, end=NOW, calendar_id="cal1"),
        reads.appointment("a1_1729821600000_1800"),
        reads.notes("c1"),
        reads.tasks("c1"),
        reads.task("c1", "t1"),
        reads.conversations("loc1", "c1"),
        reads.messages("cv1"),
        reads.opportunity("o1"),
        reads.opportunities("loc1", "c1", "p1"),
    ],
    ids=repr,
)
def test_a_read_is_one_that_the_official_documents_allow(request_: Request) -> None:
    official.check(request_)
    # The search of contacts is the one read that is a POST.
    assert request_.method == "GET" or request_.path == "/contacts/search"


def test_events_are_asked_for_in_milliseconds() -> None:
    query = reads.events("loc1", start=DAY_AGO, end=NOW, calendar_id="cal1").query
    assert (query["startTime"], query["endTime"]) == ("1795348800000", "1795435200000")


def answer(document: Any) -> Answer:
    return read(200, {}, json.dumps(document).encode())


def test_contacts_are_paged_by_a_cursor_until_a_page_is_not_full() -> None:
    first = reads.contacts("loc1", since=DAY_AGO, until=NOW, size=2).body or {}
    assert (first["page"], first["pageLimit"], "searchAfter" in first) == (1, 2, False)
    page = reads.contacts_page(
        answer(
            {"contacts": [{"id": "c1", "searchAfter": [1, "c1"]}, {"id": "c2", "searchAfter": [2, "c2"]}]}
        ),
        size=2,
    )
    assert page.cursor == [2, "c2"]
    after = reads.contacts("loc1", since=DAY_AGO, until=NOW, cursor=page.cursor, size=2).body or {}
    assert after["searchAfter"] == [2, "c2"]
    assert "page" not in after
    last = reads.contacts_page(answer({"contacts": [{"id": "c3", "searchAfter": [3, "c3"]}]}), size=2)
    assert ([one["id"] for one in last.contacts], last.cursor) == (["c3"], None)


@pytest.mark.parametrize(
    "document", [{}, [], {"contacts": None}, {"contacts": [None, 1]}, {"contacts": {"a": 1}}]
)
def test_an_answer_without_contacts_is_the_last_page(document: Any) -> None:
    assert reads.contacts_page(answer(document)) == reads.ContactsPage([], None)


def test_a_page_is_never_larger_than_gohighlevel_allows() -> None:
    assert (reads.contacts("loc1", since=DAY_AGO, until=NOW, size=9999).body or {})["pageLimit"] == 500


def test_calendars_are_known_by_their_ids() -> None:
    assert reads.calendar_ids(answer({"calendars": [{"id": "cal1"}, {"name": "x"}, None]})) == ["cal1"]
