"""Roll-ups: what pages read instead of raw events, kept up to date behind a watermark, exactly.

One step takes a window of transactions (`step`) and hands its events to each room: counts of events, people,
who was active, bookings, messages, sync. The rule: the watermark moves in the transaction that stores the
result. Rooms that count are told each event once; rooms that merge would bear it twice.
"""

from observability.rollups.step import CONSUMER, Rolled, roll

__all__ = ["CONSUMER", "Rolled", "roll"]
