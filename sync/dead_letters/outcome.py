"""What a verb has done to each letter that it was given.

The rule: nothing is skipped silently. Every letter is in one of the parts, and says why where it was left.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Outcome:
    """Ids of letters. superseded: nothing was sent, for something newer had been.

    undecided: a person must decide, and why. refused: not possible now, and why.
    """

    done: frozenset[int] = frozenset()
    superseded: frozenset[int] = frozenset()
    undecided: Mapping[int, str] = field(default_factory=dict)
    refused: Mapping[int, str] = field(default_factory=dict)
