"""Which letters a filter means: written to an address, read back, found by an index, and never others."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from hypothesis import example, given
from hypothesis import strategies as st

from sync.dead_letters import cursors, filters, letters, search
from sync.dead_letters.chosen import Chosen
from sync.dead_letters.filters import BadFilter, chosen_of, query_of, state_of
from sync.dead_letters.refusal import Refused
from sync.models import BulkItem, BulkOperation, CauseGroup, DeadLetter, SyncJob
from tests.sync.dying import HOUR, NOW, dead_letters, location

WORD = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=90).map(str.strip)
NAME = WORD.map(lambda word: word.replace("=", "").strip())
MOMENT = st.integers(0, 3_180_000_000_000_000).map(
    lambda microseconds: datetime(2000, 1, 2, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
BIG = st.integers(1, 2**63 - 1)


@st.composite
def choices(draw: Callable[..., Any]) -> Chosen:
    """Any filter that an address can say."""
    name, value = draw(st.tuples(NAME, WORD).filter(all) | st.just(("", "")))
    return Chosen(
        draw(st.none() | BIG),
        draw(WORD),
        draw(WORD),
        draw(WORD),
        draw(st.none() | MOMENT),
        draw(st.none() | MOMENT),
        draw(st.none() | st.integers(100, 599)),
        draw(st.none() | st.integers(0, 2**63 - 1)),
        draw(st.none() | st.integers(1, 10**6)),
        name,
        value,
        draw(st.none() | BIG),
    )


@given(choices())
@example(Chosen(payload_name="city", payload_value="a=b&c=d %+#;"))
@example(Chosen(location_id="?&=#", died_before=datetime(2026, 11, 23, tzinfo=UTC)))
def test_what_was_written_to_an_address_is_read_back_as_the_same(chosen: Chosen) -> None:
    address = QueryDict(query_of(chosen)).dict()
    assert chosen_of(address) == chosen
    # The list's links, which keep what was typed, mean the same.
    assert chosen_of(QueryDict(filters.changed(address, state="all", cursor="1-2")).dict()) == chosen


@given(st.dictionaries(st.sampled_from([*filters.LABELS, "state"]), st.text(max_size=300)))
def test_whatever_stands_in_an_address_is_read_or_refused_with_the_name_of_the_part(
    query: dict[str, str],
) -> None:
    try:
        chosen, state = chosen_of(query), state_of(query)
    except BadFilter as refusal:
        assert refusal.name in query
        assert refusal.code == "invalid_filter"
    else:
        assert chosen_of(QueryDict(query_of(chosen)).dict()) == chosen
        assert state in filters.STATES


@pytest.mark.parametrize(
    ("name", "word", "said"),
    [
        ("status", "9", "HTTP status: write a whole number from 100 to 599."),
        ("status", "٤٢٢", "HTTP status: write a whole number"),
        ("times", "0", "Died at least: write a whole number from 1 to 1,000,000."),
        ("group", "-1", "Cause: write a whole number from 1 on."),
        ("group", "9" * 190, "Cause: write a whole number"),
        ("assignee", "me", "Owner: write a whole number from 0 on."),
        ("before", "yesterday", "Died before: it is a moment such as 2026-11-23T12:00 (UTC), or an age"),
        ("after", "1999-12-31", "Died since: the year is from 2000 to 2100."),
        ("payload", "city", "Payload: write a field and its value as name=value"),
        ("payload", "=Ulm", "Payload: write a field"),
        ("payload", "city=", "Payload: write a field"),
        ("location", "a\x00b", "Location: it holds a character"),
        ("code", "x" * 201, "Code: it is longer than 200 characters."),
        ("state", "opened", "State: there is no 'opened'. There are: open, redriving"),
    ],
)
def test_a_part_that_cannot_be_read_says_what_it_should_be(name: str, word: str, said: str) -> None:
    with pytest.raises(BadFilter) as refused:
        chosen_of({name: word})
        state_of({name: word})
    assert refused.value.name == name
    assert said in str(refused.value)


def test_an_age_counts_back_from_now_and_a_link_to_what_it_chose_does_not_move_with_the_clock() -> None:
    chosen = chosen_of({"after": "24h", "before": "90m"}, now=NOW)
    assert (chosen.died_after, chosen.died_before) == (NOW - timedelta(days=1), NOW - 1.5 * HOUR)
    assert chosen_of({"before": "7d"}, now=NOW).died_before == NOW - timedelta(days=7)
    assert chosen_of(QueryDict(query_of(chosen)).dict(), now=NOW + HOUR) == chosen
    assert filters.changed({"after": "24h", "cursor": "1-1", "x": "y"}, code="z") == "after=24h&code=z"


def test_a_moment_without_a_zone_is_utc_and_no_zone_leads_out_of_what_postgresql_holds() -> None:
    assert chosen_of({"before": "2026-11-23T12:00"}).died_before == NOW
    assert chosen_of({"before": "2026-11-23T13:00+01:00"}).died_before == NOW
    assert chosen_of({"before": "2100-12-31T23:59-23:59"}).died_before is not None


def test_a_name_that_no_address_can_say_is_not_written_as_another() -> None:
    with pytest.raises(BadFilter):
        query_of(Chosen(payload_name="a=b", payload_value="c"))


@given(MOMENT, BIG)
def test_a_cursor_is_read_as_it_was_written(at: datetime, id: int) -> None:
    assert cursors.read(cursors.written((at, id))) == (at, id)


@pytest.mark.parametrize("word", ["x", "1-", "-1", "1-0", "9e99-1", "1_0-1", " 1-1", "٣-1", "9" * 18 + "-1"])
def test_no_other_word_is_a_cursor(word: str) -> None:
    with pytest.raises(Refused):
        cursors.read(word)


# --- with letters ---------------------------------------------------------------------------------


@pytest.fixture
def mixed(db: None) -> User:
    """Letters of many kinds, several of which died in the same moment; and who owns some of them."""
    user = User.objects.create_user("nora", is_staff=True)
    location()
    location("loc-2")
    for number, (code, place) in enumerate(
        product(("status_422", "timeout", "status_404"), ("loc-1", "loc-2"))
    ):
        status = None if code == "timeout" else int(code[-3:])
        ids = dead_letters(
            4, at=NOW - (number % 3) * HOUR, code=code, status=status, location_id=place, words=code
        )
        DeadLetter.objects.filter(pk=ids[0]).update(assigned_to=user, deaths=1 + number)
        SyncJob.objects.filter(letter=ids[1]).update(payload={"city": "Ulm", "visits": number})
        letters.discard(ids[3:], "Spam.", by="staff:7", now=NOW)
    return user


def plainly(where: Callable[[DeadLetter], bool], state: str = "open") -> list[int]:
    """The same by reading every letter."""
    everything = DeadLetter.objects.select_related("group", "job").order_by("-died_at", "-pk")
    return [one.pk for one in everything if where(one) and (not state or one.state == state)]


def walked(chosen: Chosen, state: str = "open", most: int = 3) -> list[int]:
    """All that pages of a few letters show, one after another."""
    found: list[int] = []
    older = None
    while True:
        page = search.page(chosen, state=state, older_than=older, most=most)
        found += [letter.pk for letter in page.letters]
        older = page.older
        if older is None:
            return found


Where = Callable[[DeadLetter], bool]
FILTERS: list[tuple[dict[str, str], Where]] = [
    ({}, lambda one: True),
    ({"location": "loc-2"}, lambda one: one.location_id == "loc-2"),
    ({"code": "status_422"}, lambda one: one.group.code == "status_422"),
    ({"code": "nothing"}, lambda one: False),
    ({"subject": "contact.update"}, lambda one: True),
    (
        {"code": "timeout", "location": "loc-1"},
        lambda one: (one.group.code, one.location_id) == ("timeout", "loc-1"),
    ),
    ({"status": "404"}, lambda one: one.status == 404),
    ({"before": "2026-11-23T11:00:00"}, lambda one: one.died_at < NOW - HOUR),
    ({"after": "2026-11-23T11:00:00"}, lambda one: one.died_at >= NOW - HOUR),
    ({"assignee": "0"}, lambda one: one.assigned_to_id is None),
    ({"times": "3"}, lambda one: one.deaths >= 3),
    ({"times": "1"}, lambda one: True),
    ({"payload": "visits=4"}, lambda one: one.job.payload.get("visits") == 4),
    (
        {"payload": "city=Ulm", "code": "timeout"},
        lambda one: (one.job.payload.get("city"), one.code) == ("Ulm", "timeout"),
    ),
]


def test_a_filter_finds_its_letters_and_no_others_however_the_pages_are_cut(mixed: User) -> None:
    for (query, where), state in product(FILTERS, ("open", "discarded", "")):
        expected = plainly(where, state)
        assert walked(chosen_of(query), state) == expected, (query, state)
        assert search.count(chosen_of(query), state=state).figure == len(expected)


def test_who_owns_a_letter_which_cause_it_has_and_what_it_was_done_in_are_filters_too(mixed: User) -> None:
    group = CauseGroup.objects.get(code="timeout")
    assert walked(chosen_of({"assignee": str(mixed.pk)})) == plainly(
        lambda one: one.assigned_to_id == mixed.pk
    )
    assert walked(chosen_of({"group": str(group.pk)}), "") == plainly(
        lambda one: one.group_id == group.pk, ""
    )
    assert walked(chosen_of({"group": str(group.pk), "code": "status_422"})) == []
    [first, other, *_] = plainly(lambda one: True)
    operation = BulkOperation.objects.create(
        kind="discard", chosen={}, reason="x", by="staff:7", started_at=NOW, looked_at=NOW
    )
    for id, state in ((first, "done"), (other, "skipped")):
        BulkItem.objects.create(operation=operation, letter_id=id, group=group, state=state, ended_at=NOW)
    assert walked(chosen_of({"operation": str(operation.pk)})) == [first]


@pytest.mark.parametrize(("probed", "most"), [(2_000, 5_000), (3, 5_000), (3, 1)])
def test_a_payload_is_found_among_the_newest_by_its_index_or_in_the_order_of_time(
    mixed: User, monkeypatch: pytest.MonkeyPatch, probed: int, most: int
) -> None:
    monkeypatch.setattr(search, "MOST_PROBED", probed)
    monkeypatch.setattr(search, "MOST_BY_PAYLOAD", most)
    for state in ("open", "discarded", ""):
        expected = plainly(lambda one: one.job.payload.get("city") == "Ulm", state)
        assert walked(chosen_of({"payload": "city=Ulm"}), state, most=2) == expected
    assert walked(chosen_of({"payload": "city=Ulm"}), "recovered") == []


def test_more_groups_than_are_asked_for_one_by_one_are_found_all_the_same(
    mixed: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST_GROUPS", 1)
    assert walked(chosen_of({"subject": "contact.update"})) == plainly(lambda one: True)


def test_one_group_is_counted_by_its_counters_and_a_list_no_further_than_it_must(
    mixed: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST_COUNTED", 5)
    group = CauseGroup.objects.get(code="timeout")
    assert str(search.count(Chosen(), state="open")) == "5+"
    with CaptureQueriesContext(connection) as asked:
        assert str(search.count(Chosen(group_id=group.pk), state="open")) == "6"
        assert str(search.count(Chosen(group_id=group.pk))) == "8"
    assert not [one for one in asked if "sync_deadletter" in one["sql"]]
    assert str(search.count(Chosen(group_id=group.pk, location_id="loc-1"), state="open")) == "3"
    assert search.count(Chosen(group_id=2**60)).figure == 0


# Of 20,000 letters most are of loc-0 and of cause 1; what is rare is old, behind all that is common.
_MANY = """
set local session_replication_role = replica;
insert into sync_location (id, name, timezone, state, state_reason, burst_limit, daily_limit, created_at)
select 'loc-' || n, 'Studio', 'UTC', 'active', '', 95, 190000, now() from generate_series(0, 9) n;
insert into auth_user (id, username, password, is_superuser, first_name, last_name, email, is_staff,
    is_active, date_joined)
values (7000, 'rare', '!', false, '', '', '', true, true, now());
insert into sync_causegroup (id, fingerprint, version, integration, subject, code, cause, message, state,
    acknowledged_by, is_proven, open, redriving, recovered, discarded, superseded, total, first_seen_at,
    last_seen_at)
select n + 1, 'f' || n, 1, 'ghl', case when n = 3 then 'rare.one' else 'contact.update' end,
    case when n > 1 then 'timeout' else 'status_422' end, 'refused', '', 'open', '', false, 0, 0, 0, 0, 0, 0,
    now(), now() from generate_series(0, 4) n;
create temp table many on commit drop as
select n, gen_random_uuid() as id, now() - n * interval '1 minute' as at, n > 19000 and n % 50 = 0 as is_rare
from generate_series(1, 20000) n;
insert into sync_syncjob (id, location_id, operation, payload, idempotency_key, ordering_key, writes, state,
    cause, code, is_lookup, is_redrive, is_suspect, tries, lookups, fence, next_at, result, correlation_id,
    created_at, settled_at)
select id, 'loc-0', 'contact.update', jsonb_build_object('n', n, 'city', case when is_rare then 'Ulm' else
    'Bonn' end), '', '', '{}', 'dead', 'refused', '', false, false, false, 1, 0, 1, at, '{}', 'c', at, at
from many;
insert into sync_deadletter (job_id, group_id, location_id, state, code, status, words, died_at,
    first_died_at, deaths, discard_reason, discarded_by, assigned_to_id)
select id, case when is_rare then 3 + n / 50 % 3 else 1 + n % 2 end,
    case when is_rare then 'loc-9' when n > 15000 then 'loc-2' else 'loc-' || n % 2 end, 'open', '',
    case when is_rare then 429 else 422 end, '', at, at, case when is_rare then 2 else 1 end,
    '', '', case when is_rare then 7000 end
from many;
analyze sync_deadletter; analyze sync_syncjob; analyze sync_causegroup;
"""


def read(node: dict[str, Any]) -> float:
    """How many rows of tables a plan has looked at."""
    looked = (
        node["Actual Rows"]
        + node.get("Rows Removed by Filter", 0)
        + node.get("Rows Removed by Join Filter", 0)
    )
    mine = looked * node["Actual Loops"] if "Relation Name" in node else 0
    return mine + sum(read(below) for below in node.get("Plans", []))


def test_no_list_reads_more_than_a_few_of_many_letters(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_PROBED", 100)
    with connection.cursor() as cursor:
        cursor.execute(_MANY)
    common = [
        {},
        {"group": "1"},
        {"code": "status_422"},
        {"subject": "contact.update"},
        {"location": "loc-1"},
        {"status": "422"},
        {"assignee": "0"},
        {"before": "1d"},
        {"after": "1d"},
        {"payload": "city=Bonn"},
    ]
    rare = [
        {"group": "3"},
        {"code": "timeout"},
        {"subject": "rare.one"},
        {"code": "timeout", "subject": "contact.update"},
        {"code": "nothing"},
        {"location": "loc-9"},
        # Of these there are many, and all are old.
        {"location": "loc-2"},
        {"location": "loc-8"},
        {"status": "429"},
        {"assignee": "7000"},
        {"times": "2"},
        {"payload": "city=Ulm"},
        {"payload": "n=19999"},
        {"location": "loc-1", "before": "8d"},
        {"group": "3", "location": "loc-9"},
        {"status": "429", "location": "loc-9"},
        {"code": "timeout", "assignee": "7000"},
    ]
    for query, state in product([*common, *rare], ("open", "")):
        chosen = chosen_of(query)
        with CaptureQueriesContext(connection) as asked:
            first = search.page(chosen, state=state, most=10)
            search.page(chosen, state=state, most=10, older_than=first.older)
        looked = 0.0
        with connection.cursor() as cursor:
            for one in asked:
                if "sync_deadletter" in one["sql"] or "sync_syncjob" in one["sql"]:
                    cursor.execute(f"explain (analyze, timing off, format json) {one['sql']}")
                    looked += read(cursor.fetchone()[0][0]["Plan"])
        assert looked < 1_500, (query, state, looked)
