"""What checks of health find: a state, and what whoever may see it is told besides.

The rule: a detail holds numbers, ids and words of ours. No text of an exception, for it may hold hosts and
users.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


_WORST = [Status.PASS, Status.WARN, Status.FAIL]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. detail: numbers and plain words for whoever may see them.

    wrong, among these: sentences that say what is wrong and what to do. state: a word for pages.
    """

    status: Status
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """All findings by name, and the worst of their states."""

    findings: dict[str, Finding]

    @property
    def status(self) -> Status:
        return max((finding.status for finding in self.findings.values()), key=_WORST.index)
