"""What has happened to an appointment, found out by comparing its versions: pure, and told once each.

The rules. Versions are a set, put in order by the moment GoHighLevel gives them: in whatever order and how
often they arrive, the whole sequence is gone through anew. A version that arrives late can add
transitions and never undoes one: of each kind there are as many as before, or more. So as many are told as
are missing, the ones that were not told yet, each with the time of its version; a told one stays told,
even where its previous time turns out to have been another.

Nothing counts before an appointment was seen alive: what is first seen cancelled, missed or over is history.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sync.mirror.history import Before, Change, Known, Slot, Standing, Version
from sync.mirror.seen import AppointmentSeen, Status

# More versions than an appointment ever gets; of the oldest only their outcome is kept then.
MOST_VERSIONS = 50
KEPT_VERSIONS = 30

_OPEN, _CONFIRMED, _GONE, _NO_SHOW, _OVER = "open", "confirmed", "gone", "no_show", "over"
_KINDS = {
    Status.NEW: _OPEN,
    Status.ACTIVE: _OPEN,
    Status.CONFIRMED: _CONFIRMED,
    Status.CANCELED: _GONE,
    Status.INVALID: _GONE,
    Status.NO_SHOW: _NO_SHOW,
    Status.SHOWED: _OVER,
    Status.COMPLETED: _OVER,
}
_ALIVE = {_OPEN, _CONFIRMED}


@dataclass(frozen=True, slots=True)
class Transition:
    """kind: what counts as the same change; a move counts by where it leads. number: of its kind, from 1.

    slot: when the appointment takes place after it. at: the moment of its version.
    """

    change: Change
    kind: str
    at: datetime
    slot: Slot
    previous_starts_at: datetime | None = None
    reason: str | None = None
    number: int = 0


def after(known: Known | None, *seen: AppointmentSeen) -> tuple[Known, list[Transition]]:
    """Return what is known once this was seen too, and the transitions to tell now, in their order.

    known: None for an appointment that is seen for the first time.
    """
    known = known or Known()
    for one in seen:
        known = _with(known, one)
    return _bounded(_telling(known))


def last(known: Known) -> Version | None:
    """Return the version that counts as how the appointment stands now."""
    return known.versions[-1] if known.versions else None


def is_doubtful(known: Known) -> bool:
    """Whether somebody should look: versions of one moment differ, or nobody said which one is newer."""
    newest = last(known)
    if newest is None or newest.is_read:
        return False
    if newest.is_guessed:
        return True
    return any(
        one.at == newest.at and one.is_deleted == newest.is_deleted and one.content != newest.content
        for one in known.versions
    )


def _with(known: Known, seen: AppointmentSeen) -> Known:
    version = _version(known, seen)
    until = known.before.until
    if version in known.versions or (until is not None and version.at <= until):
        return known
    return replace(known, versions=tuple(sorted([*known.versions, version], key=lambda one: one.order)))


def _version(known: Known, seen: AppointmentSeen) -> Version:
    # An offset is how a moment is written; kinds and orders are made of the moment.
    ends_at = seen.ends_at.astimezone(UTC) if seen.ends_at else None
    slot = Slot(seen.starts_at.astimezone(UTC), ends_at) if seen.starts_at else None
    version = Version(
        at=(seen.updated_at or seen.seen_at).astimezone(UTC),
        status=seen.status,
        slot=slot,
        is_deleted=seen.is_deleted,
        is_read=seen.source != "webhook",
        is_guessed=seen.updated_at is None,
    )
    newest = last(known)
    guessed = newest is not None and newest.is_guessed and version.at < newest.at < seen.seen_at
    if newest is not None and guessed and version.is_read and version.content != newest.content:
        # What was read later than somebody guessed is the truth as of the reading.
        return replace(version, at=seen.seen_at, is_guessed=True)
    return version


def _telling(known: Known) -> tuple[Known, list[Transition]]:
    """Return the transitions that were not told, numbered, and what is known once they are."""
    _, transitions = _through(known.before.standing, known.versions)
    told = dict(known.told)
    news: list[tuple[int, Transition]] = []
    for kind in dict.fromkeys(one.kind for one in transitions):
        moments = told.get(kind, ())
        number = known.before.counts.get(kind, 0) + len(moments)
        places = [place for place, one in enumerate(transitions) if one.kind == kind]
        fresh = _untold(places, transitions, moments)
        news += [
            (place, replace(transitions[place], number=number + step)) for step, place in enumerate(fresh, 1)
        ]
        told[kind] = (*moments, *(transitions[place].at for place in fresh))
    return replace(known, told=told), [one for _, one in sorted(news, key=lambda item: item[0])]


def _untold(places: list[int], transitions: list[Transition], told: Iterable[datetime]) -> list[int]:
    """Return the places of the transitions that none of the told ones stands for.

    A told one stands for the transition of its moment. Where an earlier version turned up since, its
    transition lies further back: then for the last one before it.
    """
    left = list(places)
    moved = []
    for at in told:
        exact = next((place for place in left if transitions[place].at == at), None)
        if exact is None:
            moved.append(at)
        else:
            left.remove(exact)
    for at in sorted(moved, reverse=True):
        if left:
            left.remove(next((place for place in reversed(left) if transitions[place].at <= at), left[0]))
    return left


def _through(standing: Standing, versions: Iterable[Version]) -> tuple[Standing, list[Transition]]:
    """Go through versions from a standing on; return where that leads, and each transition on the way."""
    transitions: list[Transition] = []
    for version in versions:
        steps, standing = _step(standing, version)
        transitions += steps
    return standing, transitions


def _step(before: Standing, version: Version) -> tuple[list[Transition], Standing]:
    """Compare one version with what was before. A word that we do not know changes nothing."""
    kind = _GONE if version.is_deleted else _KINDS.get(version.status)
    if kind is None or (not before.is_told and (kind not in _ALIVE or version.slot is None)):
        return [], before
    slot = _moved_to(before.slot, version, kind)
    assert slot is not None, "an appointment is told with its time"
    steps = list(_changes(before, version, kind, slot))
    # An undated "booked" says that it stands; whether it is confirmed, it leaves open.
    keeps = version.is_guessed and kind == _OPEN and before.kind not in {"", _GONE}
    return steps, Standing(True, before.kind if keeps else kind, slot)


def _moved_to(before: Slot | None, version: Version, kind: str) -> Slot | None:
    """Return when it takes place now. What is cancelled is not moved, and an end that is not said stays."""
    if version.slot is None or (before is not None and kind == _GONE):
        return before
    if before is None or version.slot.differs(before):
        return version.slot
    return Slot(before.starts_at, version.slot.ends_at or before.ends_at)


def _changes(before: Standing, version: Version, kind: str, slot: Slot) -> Iterator[Transition]:
    """Yield what one version tells: a move first, the change of status then."""
    if not before.is_told:
        yield Transition("scheduled", "scheduled", version.at, slot)
    elif before.slot is not None and slot.differs(before.slot):
        previous = before.slot.starts_at
        yield Transition("rescheduled", f"rescheduled {slot}", version.at, slot, previous_starts_at=previous)
    if kind == before.kind:
        return
    if kind == _CONFIRMED:
        yield Transition("confirmed", "confirmed", version.at, slot)
    elif kind == _NO_SHOW:
        yield Transition("no_show", "no_show", version.at, slot)
    elif kind == _GONE:
        yield Transition("canceled", "canceled", version.at, slot, reason=_reason(version))


def _reason(version: Version) -> str:
    if version.is_deleted:
        return "deleted"
    return "invalid" if version.status is Status.INVALID else "canceled"


def _bounded(telling: tuple[Known, list[Transition]]) -> tuple[Known, list[Transition]]:
    """Let the oldest of very many versions go, and keep what they had come to."""
    known, news = telling
    if len(known.versions) <= MOST_VERSIONS:
        return telling
    gone, kept = known.versions[:-KEPT_VERSIONS], known.versions[-KEPT_VERSIONS:]
    standing, transitions = _through(known.before.standing, gone)
    counts = dict(known.before.counts)
    told = {kind: sorted(moments) for kind, moments in known.told.items()}
    for one in transitions:
        counts[one.kind] = counts.get(one.kind, 0) + 1
        del told[one.kind][0]
    before = Before(gone[-1].at, standing, counts)
    rest: Mapping[str, tuple[datetime, ...]] = {
        kind: tuple(moments) for kind, moments in told.items() if moments
    }
    return Known(kept, rest, before), news
