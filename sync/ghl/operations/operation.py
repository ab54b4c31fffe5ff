"""What an operation is: everything the engine must know to do one kind of thing in GoHighLevel.

The rule: an operation is a class of pure functions, never instantiated. `repeatable` is true only if doing
it twice is the same as doing it once; whatever else has a lookup, or ends with a person.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from sync.ghl.lookup import Steps
from sync.ghl.operations.payload import Payload
from sync.ghl.request import Request
from sync.ghl.response import Answer, Content, id_at

P = TypeVar("P", bound=Payload)


def marker(job: UUID) -> str:
    """Return what a job writes into what it creates, so that a lookup can recognise its own work."""
    return f"ref:{job}"


def marked(text: str | None, mark: str) -> str:
    """Return a text with the marker on a line of its own below it."""
    return f"{text}\n\n{mark}" if text else mark


@dataclass(frozen=True, slots=True)
class Sought:
    """Whose work a lookup looks for. mark: the job's `marker`. sent_at: when its first attempt began.

    claimed: ids that other jobs are known to have made, which are not taken for this job's work.
    """

    location_id: str
    mark: str
    sent_at: datetime
    claimed: Collection[str] = frozenset()


class Operation(Generic[P]):
    """One operation. Subclass it, write a docstring for staff, declare the rest."""

    name: ClassVar[str]
    payload: type[P]
    # Doing it again after an unknown end is harmless.
    repeatable: ClassVar[bool] = True
    # It makes something that was not there, so it can make two.
    creates: ClassVar[bool] = False
    # "There is no such thing" means that it is done.
    gone_is_done: ClassVar[bool] = False
    # The ids in the answer: our name and where it stands. Those in `needs` must be there for success.
    gives: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    needs: ClassVar[frozenset[str]] = frozenset()
    # Seconds to let GoHighLevel finish and show its work, before a lookup's "not found" can be believed.
    settle_s: ClassVar[float] = 60.0

    @classmethod
    def request(cls, payload: P, location_id: str, mark: str) -> Request:
        """Return the request that does it. mark: from `marker`, the same for every attempt of a job."""
        raise NotImplementedError

    @classmethod
    def look_up(cls, payload: P, sought: Sought) -> Steps:
        """Find out whether it is done; carried by `lookup.ask`."""
        raise NotImplementedError

    @classmethod
    def ordering_key(cls, payload: P) -> str | None:
        """Return what jobs of a location run one after another for, None where order does not matter."""
        return None

    @classmethod
    def writes(cls, payload: P) -> frozenset[str]:
        """Return the fields it sets on its ordering key's object, {"*"} for all of them.

        A job that failed and comes back late is overtaken when a later one with the same key has written
        one of its fields. Empty: it only adds, and nothing can overtake it.
        """
        return frozenset()

    @classmethod
    def result(cls, answer: Answer) -> dict[str, str] | None:
        """Return the ids in a 2xx answer, None when it is not the answer to this operation."""
        if answer.content is Content.EMPTY:
            return None if cls.needs else {}
        if not isinstance(answer.body, dict):
            return None
        found = {name: id_at(answer.body, *place) for name, place in cls.gives.items()}
        ids = {name: value for name, value in found.items() if value is not None}
        return ids if cls.needs <= ids.keys() else None

    @classmethod
    def adopt(cls, answer: Answer) -> dict[str, str] | None:
        """Return the ids in a refusal for which this operation counts as done, None for all others."""
        return None

    @classmethod
    def description(cls) -> str:
        """Return the docstring as one paragraph of text."""
        return " ".join((cls.__doc__ or "").split())


AnyOperation = type[Operation[Any]]
