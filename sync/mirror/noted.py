"""What came of looking at what was seen.

The rule: a count, for whoever reports; what has happened is told by signals alone.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Noted:
    """missed: how many were unknown, or stood otherwise than we knew. told: how many events came of it."""

    missed: int = 0
    told: int = 0
