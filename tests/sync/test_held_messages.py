"""Messages that the kill switch holds: some released, some discarded, each gone once or never."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection

from sync import jobs, kill_switch, queue
from sync.dead_letters import ledger, letters
from sync.dead_letters.refusal import Refused
from sync.held_messages import deciding, groups
from sync.held_messages.chosen import ALONE, Chosen, last_position
from sync.models import DeadLetter, Location, SyncJob
from sync.signals import Act
from sync.stats import kill_switch as figures
from tests.sync.working import Studio
from trainu.demo.ghl import Simulator

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
BOSS, WHY = "staff:1", "They are meant"


@pytest.fixture
def places(db: None) -> list[str]:
    for id in ("loc-1", "loc-2"):
        Location.objects.create(pk=id, name=f"Studio {id}", created_at=NOW, burst_limit=1_000)
    kill_switch.turn_on("Too many", by=BOSS, now=NOW)
    return ["loc-1", "loc-2"]


def message(contact: str, said: str = "See you at 9.", place: str = "loc-1", at: datetime = NOW) -> UUID:
    payload = {"channel": "SMS", "contact_id": contact, "message": said}
    return jobs.enqueue("message.send", place, payload, now=at).job_id


def release(chosen: Chosen, most: int = 10, at: datetime = NOW + SECOND) -> int:
    return deciding.release(chosen, most=most, reason=WHY, by=BOSS, now=at).messages


def discard(chosen: Chosen, most: int = 10) -> int:
    return deciding.discard(chosen, most=most, reason="A wrong list", by=BOSS, now=NOW + SECOND).messages


def claimed(at: datetime = NOW + 2 * SECOND) -> set[UUID]:
    return {one.id for one in queue.claim(now=at, most=10)}


def text_of(job: UUID) -> str:
    return str(SyncJob.objects.get(pk=job).text_key)


def test_what_is_held_stands_in_groups_of_equal_texts_and_those_that_nobody_shares_together(
    places: list[str],
) -> None:
    same = [message(f"c-{n}", f"See you at {n}.", at=NOW + n * SECOND) for n in range(4)]
    for n in range(2):
        message(f"c-{n}", f"Hello {'x' * n}!", place="loc-2")
    looked_up = message("c-9")
    SyncJob.objects.filter(pk=looked_up).update(is_lookup=True)
    found = groups.held(NOW)
    assert [(one.location_id, one.text, one.messages, one.texts) for one in found.groups] == [
        ("loc-1", text_of(same[0]), 4, 1),
        ("loc-2", ALONE, 2, 2),
    ]
    first = found.groups[0]
    assert (first.first_at, first.last_at) == (NOW, NOW + 3 * SECOND)
    assert "See you" not in str(first.example)
    assert (first.example["contact_id"], found.messages.number) == ("c-0", 6)


def test_a_released_message_is_claimed_although_the_switch_is_on_and_only_for_as_long(
    places: list[str],
) -> None:
    first, second = message("c-1"), message("c-2")
    assert release(Chosen("loc-1", text_of(first)), most=1) == 1
    assert claimed() == {first}
    assert claimed() == set()
    assert release(Chosen(ids=(second,))) == 1
    assert figures.look(now=NOW + SECOND).held.number == 0
    kill_switch.turn_off("Mended", by=BOSS, now=NOW + 3 * SECOND)
    kill_switch.turn_on("Again", by=BOSS, now=NOW + 4 * SECOND)
    assert claimed(NOW + 5 * SECOND) == set(), "an earlier release lets nothing go"
    assert groups.held(NOW + 4 * SECOND).messages.number == 1


def test_a_release_by_a_host_whose_clock_is_behind_counts(places: list[str]) -> None:
    job = message("c-1")
    assert release(Chosen("loc-1"), at=NOW - SECOND) == 1
    assert claimed() == {job}


def test_what_stands_behind_another_message_of_its_contact_waits_for_that_one(places: list[str]) -> None:
    first, second = message("c-1"), message("c-1", "And bring a towel.")
    release(Chosen(ids=(second,)))
    assert claimed() == set()
    discard(Chosen(ids=(first,)))
    assert claimed() == {second}


def test_what_came_after_the_set_was_shown_is_left(places: list[str]) -> None:
    shown = message("c-1")
    until = last_position()
    later = message("c-2")
    assert release(Chosen("loc-1", until=until)) == 1
    assert claimed() == {shown}
    assert SyncJob.objects.get(pk=later).released_at is None


def test_those_whose_text_nobody_shares_are_chosen_together(places: list[str]) -> None:
    message("c-1"), message("c-2")
    alone = {message("c-3", "Hi Ada"), message("c-4", "Hi Bo"), message("c-5", "Hi Ada", "loc-2")}
    assert discard(Chosen(text=ALONE)) == 3
    assert set(SyncJob.objects.filter(state="dead").values_list("pk", flat=True)) == alone


def test_a_discarded_message_is_a_discarded_letter_and_the_ledger_adds_up(places: list[str]) -> None:
    job = message("c-1")
    assert discard(Chosen("loc-1")) == 1
    row, letter = SyncJob.objects.get(pk=job), DeadLetter.objects.get()
    assert (row.state, row.cause, row.code) == ("dead", "withdrawn", "kill_switch")
    assert (letter.state, letter.discard_reason, letter.discarded_by) == ("discarded", "A wrong list", BOSS)
    check = ledger.check(now=NOW)
    assert (check.differences, check.dead, check.discarded, check.open) == ([], 1, 1, 0)
    kill_switch.turn_off("Mended", by=BOSS, now=NOW + HOUR)
    assert claimed(NOW + 2 * HOUR) == set()


def test_a_discard_is_undone_like_any_other_and_what_was_never_sent_is_sent_then(places: list[str]) -> None:
    never, maybe = message("c-1"), message("c-2")
    SyncJob.objects.filter(pk=maybe).update(tries=1)
    discard(Chosen("loc-1"))
    both = list(DeadLetter.objects.values_list("pk", flat=True))
    assert letters.restore(both, by=BOSS).done == set(both)
    assert letters.redrive(both, by=BOSS, now=NOW + 2 * SECOND).done == set(both)
    assert groups.held(NOW).messages.number == 1, "the switch holds it again"
    kill_switch.turn_off("Mended", by=BOSS, now=NOW + 3 * SECOND)
    found = {one.id: one.is_lookup for one in queue.claim(now=NOW + HOUR, most=10)}
    assert found == {never: False, maybe: True}
    assert ledger.check(now=NOW).differences == []


def test_what_is_in_hand_done_or_not_held_is_never_touched(places: list[str]) -> None:
    leased, other = message("c-1"), message("c-2")
    SyncJob.objects.filter(pk=leased).update(state="leased")
    tags = jobs.enqueue("contact.add_tags", "loc-1", {"contact_id": "c-3", "tags": ["a"]}, now=NOW).job_id
    for verb in (release, discard):
        with pytest.raises(Refused, match="None of these is held"):
            verb(Chosen(ids=(leased, tags)))
    assert release(Chosen()) == 1
    with pytest.raises(Refused, match="None of these is held"):
        discard(Chosen(ids=(other,)))


def test_each_verb_wants_a_reason_a_bound_and_a_switch_that_is_on(places: list[str]) -> None:
    message("c-1")
    for verb, most in ((deciding.release, 1_001), (deciding.discard, 5_001), (deciding.release, 0)):
        with pytest.raises(Refused, match="the oldest are taken first"):
            verb(Chosen(), most=most, reason=WHY, by=BOSS, now=NOW)
        with pytest.raises(Refused, match="Give a reason"):
            verb(Chosen(), most=1, reason=" ", by=BOSS, now=NOW)
    kill_switch.turn_off("Mended", by=BOSS, now=NOW)
    with pytest.raises(Refused, match="is off"):
        release(Chosen())
    with pytest.raises(ValueError, match="No text"):
        Chosen(text=str(2**63))


def test_each_act_is_audited_by_message_or_by_group(places: list[str], acts: list[Act]) -> None:
    one, two = message("c-1"), message("c-2")
    message("c-3")
    release(Chosen(ids=(one, two)))
    discard(Chosen("loc-1"))
    assert sorted((act.action, act.target_kind, act.reason) for act in acts) == [
        ("message.discard", "sync.location", "A wrong list"),
        *[("message.release", "sync.syncjob", WHY)] * 2,
    ]
    assert {act.target_id for act in acts} == {str(one), str(two), "loc-1"}


def test_five_thousand_are_discarded_at_once_and_only_their_index_is_read(places: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("truncate sync_syncjob cascade")
        cursor.execute(_MANY, [NOW, NOW])
        cursor.execute(f"explain (costs off) {groups._GROUPS}", {"since": NOW, "most": 100, "groups": 50})
        shown = "\n".join(line for (line,) in cursor.fetchall())
    assert "using message_waiting" in shown, shown
    assert discard(Chosen("loc-1"), most=5_000) == 5_000
    assert DeadLetter.objects.filter(state="discarded").count() == 5_000
    assert ledger.check(now=NOW).differences == []


_MANY = """
insert into sync_syncjob (id, location_id, operation, payload, idempotency_key, ordering_key, writes, state,
    cause, code, is_lookup, is_redrive, is_suspect, tries, lookups, fence, next_at, result, correlation_id,
    created_at, text_key)
select gen_random_uuid(), 'loc-1', 'message.send', '{}', '', '', '{}', 'waiting', '', '', false, false, false,
    0, 0, 0, %s, '{}', 'c', %s, n
from generate_series(1, 5000) n
"""


@pytest.fixture
def studio(transactional_db: None) -> Iterator[Studio]:
    with Simulator(seed=1, limits=False) as simulator:
        yield Studio(simulator)


def test_a_released_message_leaves_once_by_the_real_lane_and_the_others_stay(studio: Studio) -> None:
    contact = studio.contact()
    held = [
        studio.enqueue("message.send", {"channel": "SMS", "contact_id": contact, "message": f"Number {n}"})
        for n in range(5)
    ]
    now = studio.clock.now
    kill_switch.turn_on("Too many", by=BOSS, now=now)
    assert release(Chosen(studio.id), most=2, at=now) == 2
    for _ in range(3):
        studio.clock.advance(seconds=30)
        studio.work()
    assert [studio.state(job)[0] for job in held] == ["succeeded"] * 2 + ["waiting"] * 3
    assert sum(studio.ghl.deliveries().values()) == 2
    assert studio.ghl.ledger.doubles() == {}
    assert not kill_switch.KillSwitch.objects.filter(leaked_at__isnull=False).exists()
