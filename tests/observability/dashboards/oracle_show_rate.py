"""The metrics of Show-rate, computed naively, as their words say. See `oracle`."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Literal

from observability.dashboards.intervals import newcombe, wilson
from observability.dashboards.question import Question
from tests.observability.dashboards.asked import DAY, Answer, Asked, Events, share
from tests.observability.dashboards.past import Booking, first_moment


def show_rate(
    events: Events,
    question: Question,
    now: datetime,
    *,
    first_booking: Literal["due", "scheduled"] = "due",
) -> Answer:
    """Return Show-rate.

    show_rate, show_rate_baseline, canceled, recovery: share | None. show_rate_target: (low, high) | None.
    due, no_shows: int.
    show_rate_trend: [{"week", "due", "shown", "rate", "low", "high"}], all weeks of the period.
    show_rate_change: {segment, or "" for all: {"before", "after", "cases_before", "cases_after", "low",
    "high"}}, the segments with a due booking in either period, and always "".
    show_rate_segments: {segment: {"due", "shown", "rate"}}, those with a due booking.
    show_rate_trainers: [{"trainer", "due", "shown", "rate", "baseline", "baseline_due"}], those with a due
    booking, most due first, then by id; baseline None and baseline_due 0 where the four weeks are not over or
    empty.
    cases: of show_rate, show_rate_baseline, canceled, recovery.

    first_booking: what day a trainer's first booking is on: by the words, the earliest start that was due;
    or, to be looked at beside it, the first booking_scheduled of all bookings of the trainer.
    """
    asked = Asked(events, question, now)
    bookings = [one for one in asked.past.bookings if asked.keeps(one.trainer, one.segment)]
    # Open: a start at this very moment has passed.
    passed = [one for one in bookings if asked.covers(one.starts_at) and one.starts_at <= now]
    due = [one for one in passed if _is_due(one)]
    missed = [one for one in due if one.state == "missed"]
    baseline = _baseline(asked, bookings, first_booking)
    in_baseline = [one for windowed in baseline.values() for one in windowed]
    answer: Answer = {
        "show_rate": _rate(due),
        "show_rate_baseline": _rate(in_baseline),
        "due": len(due),
        "no_shows": len(missed),
        "canceled": share(len(passed) - len(due), len(passed)),
        "cases": {"show_rate": len(due), "show_rate_baseline": len(in_baseline), "canceled": len(passed)},
    }
    base = answer["show_rate_baseline"]
    answer["show_rate_target"] = None if base is None else (base * 1.15, base * 1.25)
    _recovery(answer, asked, missed)
    answer["show_rate_trend"] = [
        _week(monday, [one for one in due if asked.day(one.starts_at) in days])
        for monday, days in asked.weeks.items()
    ]
    answer["show_rate_change"] = _changes(asked, bookings, due)
    by_segment, by_trainer = _by(due, lambda one: one.segment), _by(due, lambda one: one.trainer)
    answer["show_rate_segments"] = {name: _counts(some) for name, some in by_segment.items()}
    answer["show_rate_trainers"] = [
        {
            "trainer": trainer,
            **_counts(some),
            "baseline": _rate(baseline.get(trainer, [])),
            "baseline_due": len(baseline.get(trainer, [])),
        }
        for trainer, some in sorted(by_trainer.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    return answer


def _is_due(booking: Booking) -> bool:
    return booking.state != "canceled"


def _rate(due: Sequence[Booking]) -> float | None:
    return share(sum(one.state != "missed" for one in due), len(due))


def _counts(due: Sequence[Booking]) -> Answer:
    return {"due": len(due), "shown": sum(one.state != "missed" for one in due), "rate": _rate(due)}


def _by(due: Sequence[Booking], key: Callable[[Booking], str]) -> dict[str, list[Booking]]:
    found: dict[str, list[Booking]] = defaultdict(list)
    for one in due:
        found[key(one)].append(one)
    return found


def _baseline(
    asked: Asked, bookings: list[Booking], first_booking: Literal["due", "scheduled"]
) -> dict[str, list[Booking]]:
    """Return the due bookings of each trainer's first four full weeks, of trainers whose weeks are over."""
    firsts: dict[str, datetime] = {}
    # Open: a trainer's first booking is the first one of all, whatever segment is asked for.
    for one in asked.past.bookings:
        is_due = _is_due(one) and one.starts_at <= asked.now
        at = one.scheduled_at if first_booking == "scheduled" else one.starts_at if is_due else None
        if at is not None:
            firsts[one.trainer] = min(at, firsts.get(one.trainer, at))
    found: dict[str, list[Booking]] = {}
    for trainer, at in firsts.items():
        begin = asked.day(at)
        while begin.isoweekday() != 1:
            begin += DAY
        end = begin + 28 * DAY
        if end <= asked.today:
            found[trainer] = [
                one
                for one in bookings
                if one.trainer == trainer and begin <= asked.day(one.starts_at) < end and _is_due(one)
            ]
    return found


def _recovery(answer: Answer, asked: Asked, missed: list[Booking]) -> None:
    ripe = [
        one
        for one in missed
        if first_moment(asked.day(one.starts_at) + DAY, asked.zone) + 7 * DAY <= asked.now
    ]
    recovered = [
        one
        for one in ripe
        if any(
            other.client_id == one.client_id
            and other.scheduled_at is not None
            and one.starts_at < other.scheduled_at <= one.starts_at + 7 * DAY
            for other in asked.past.bookings
        )
    ]
    answer["recovery"] = share(len(recovered), len(ripe))
    answer["cases"]["recovery"] = len(ripe)


def _week(monday: date, due: list[Booking]) -> Answer:
    counts = _counts(due)
    low, high = wilson(counts["shown"], counts["due"]) or (None, None)
    return {"week": monday, **counts, "low": low, "high": high}


def _changes(asked: Asked, bookings: list[Booking], due: list[Booking]) -> dict[str, Answer]:
    before = Asked(asked.past, asked.question.before(), asked.now)
    earlier = [
        one
        for one in bookings
        if before.covers(one.starts_at) and one.starts_at <= asked.now and _is_due(one)
    ]
    then, since = _by(earlier, lambda one: one.segment), _by(due, lambda one: one.segment)
    segments = sorted(then.keys() | since.keys())
    by_segment = {name: _change(then.get(name, []), since.get(name, [])) for name in segments}
    return {"": _change(earlier, due)} | by_segment


def _change(before: list[Booking], after: list[Booking]) -> Answer:
    was, now = _counts(before), _counts(after)
    low, high = newcombe(was["shown"], was["due"], now["shown"], now["due"]) or (None, None)
    return {
        "before": was["rate"],
        "after": now["rate"],
        "cases_before": was["due"],
        "cases_after": now["due"],
        "low": low,
        "high": high,
    }
