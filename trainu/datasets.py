"""What the service keeps for a limited time: each app declares its datasets, retention does the removing.

Kernel: imports no app. The rule: whoever makes a table that grows for ever registers it here, in its
app's ready(), with how long it is kept by default and within which bounds staff may change that.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from trainu.partitioned_table import PartitionedTable


def _nothing(partition: str) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Something kept for a while. name: for commands and rows. label: for staff.

    Days are whole days of UTC. why: what would break below least_days, in words that can follow "because".
    """

    name: str
    label: str
    default_days: int
    least_days: int = 1
    most_days: int = 3_650
    why: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.least_days <= self.default_days <= self.most_days:
            raise ValueError(f"{self.name}: needs 0 < least_days <= default_days <= most_days.")


@dataclass(frozen=True, kw_only=True)
class Partitions(Dataset):
    """A table in day partitions: whole days go.

    held: given a partition's name, returns why it must not go yet, or an empty text. It is asked again
    when nobody can write to the partition any more. still: entered, outside a transaction, while a day is
    being removed; keeps away whoever would read on past rows that are out of the table meanwhile.
    """

    table: PartitionedTable
    held: Callable[[str], str] = _nothing
    still: Callable[[], AbstractContextManager[object]] = nullcontext


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of a model ("app.Model") that are older by the field `at` (a time or a date).

    where: which of them may go, asked at each run. blank: columns that are emptied, with what then
    stands in them, instead of deleting the row.
    """

    model: str
    at: str
    where: Callable[[], Q] = Q
    blank: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Rows(Dataset):
    """Rows of ordinary tables: removed in batches, table after table in the order given.

    Rows of other tables that refer to them go along as their foreign keys say.
    """

    tables: tuple[Table, ...]


@dataclass(frozen=True, kw_only=True)
class Owned(Dataset):
    """Data that its owner alone can remove, such as a hash chain.

    purge: removes what is older than a time and returns how many entries went; safe to repeat and to
    interrupt. due: how many would go. oldest: when the oldest entry was made. All of them are called
    outside a transaction.
    """

    purge: Callable[[datetime], int]
    due: Callable[[datetime], int]
    oldest: Callable[[], datetime | None]


_registered: dict[str, Dataset] = {}


def register(*datasets: Dataset) -> None:
    """Let datasets be kept under a policy; raises ValueError when another one has the name already."""
    for dataset in datasets:
        if _registered.setdefault(dataset.name, dataset) != dataset:
            raise ValueError(f"There already is a dataset called {dataset.name}.")


def registered() -> list[Dataset]:
    """Return every dataset, in the order of their names."""
    return [_registered[name] for name in sorted(_registered)]


def find(name: str) -> Dataset | None:
    """Return the dataset of that name, or None."""
    return _registered.get(name)
