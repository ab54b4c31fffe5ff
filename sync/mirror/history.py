"""What the mirror remembers of one appointment: versions seen, transitions told, and what lies before both.

The rule: values only, and the same versions in whatever order make the same history. It is kept as JSON
in the appointment's row: ids and times, nobody's data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sync.mirror.seen import Status

Change = Literal["scheduled", "confirmed", "rescheduled", "no_show", "canceled"]
# Among versions of one moment: the order in which an appointment usually lives.
_LIFE = (
    Status.UNKNOWN,
    Status.NEW,
    Status.ACTIVE,
    Status.CONFIRMED,
    Status.SHOWED,
    Status.COMPLETED,
    Status.NO_SHOW,
    Status.INVALID,
    Status.CANCELED,
)
_RANK = {status: rank for rank, status in enumerate(_LIFE)}


@dataclass(frozen=True, slots=True)
class Slot:
    """When an appointment takes place. ends_at: None where it was not said, which differs from nothing."""

    starts_at: datetime
    ends_at: datetime | None

    def differs(self, other: "Slot") -> bool:
        ends = None not in (self.ends_at, other.ends_at) and self.ends_at != other.ends_at
        return self.starts_at != other.starts_at or ends

    def __str__(self) -> str:
        return f"{self.starts_at.isoformat()}/{self.ends_at.isoformat() if self.ends_at else ''}"


@dataclass(frozen=True, slots=True)
class Version:
    """An appointment as it stood from a moment on.

    is_read: we have read it ourselves, so that it came last among those of its moment. is_guessed: nobody
    said when it came about; `at` is when it was told.
    """

    at: datetime
    status: Status
    slot: Slot | None
    is_deleted: bool = False
    is_read: bool = False
    is_guessed: bool = False

    @property
    def order(self) -> tuple[Any, ...]:
        """Total, and made of the version alone: the same versions always stand in the same order."""
        slot = str(self.slot) if self.slot else ""
        return (self.at, self.is_deleted, self.is_read, _RANK[self.status], slot, self.is_guessed)

    @property
    def content(self) -> tuple[bool, Status, str]:
        return (self.is_deleted, self.status, str(self.slot))


@dataclass(frozen=True, slots=True)
class Standing:
    """How an appointment stands after some versions. is_told: it was alive once, so that changes count."""

    is_told: bool = False
    kind: str = ""
    slot: Slot | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """What versions that were let go had come to. until: the moment of the last of them.

    counts: how many transitions of a kind there were among them.
    """

    until: datetime | None = None
    standing: Standing = Standing()
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """versions: in their order. told: by kind of transition, the moments of those that were told."""

    versions: tuple[Version, ...] = ()
    told: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    before: Before = Before()


def to_document(known: Known) -> dict[str, Any]:
    """Return a history as it is kept."""
    before = known.before
    return {
        "versions": [_version_document(one) for one in known.versions],
        "told": {kind: [at.isoformat() for at in moments] for kind, moments in known.told.items()},
        "before": {
            "until": before.until.isoformat() if before.until else None,
            "is_told": before.standing.is_told,
            "kind": before.standing.kind,
            "slot": str(before.standing.slot) if before.standing.slot else None,
            "counts": dict(before.counts),
        }
        if before.until
        else None,
    }


def from_document(document: Mapping[str, Any]) -> Known:
    """Return a history that was kept."""
    before = document.get("before")
    return Known(
        versions=tuple(_version(one) for one in document.get("versions", ())),
        told={
            kind: tuple(datetime.fromisoformat(at) for at in moments)
            for kind, moments in document.get("told", {}).items()
        },
        before=Before(
            until=datetime.fromisoformat(before["until"]),
            standing=Standing(before["is_told"], before["kind"], _slot(before["slot"])),
            counts=before["counts"],
        )
        if before
        else Before(),
    )


def _version_document(one: Version) -> dict[str, Any]:
    flags = {name: True for name in ("is_deleted", "is_read", "is_guessed") if getattr(one, name)}
    slot = str(one.slot) if one.slot else None
    return {"at": one.at.isoformat(), "status": one.status.value, "slot": slot} | flags


def _version(document: Mapping[str, Any]) -> Version:
    return Version(
        at=datetime.fromisoformat(document["at"]),
        status=Status(document["status"]),
        slot=_slot(document["slot"]),
        is_deleted=document.get("is_deleted", False),
        is_read=document.get("is_read", False),
        is_guessed=document.get("is_guessed", False),
    )


def _slot(text: str | None) -> Slot | None:
    if not text:
        return None
    starts_at, _, ends_at = text.partition("/")
    return Slot(datetime.fromisoformat(starts_at), datetime.fromisoformat(ends_at) if ends_at else None)
