"""Which tables of the observer are kept in day partitions. The schedule makes all of them ahead.

The rule: a writer that meets a day without a partition makes it, and never loses a row.
"""

from trainu.partitioned_table import PartitionedTable

EVENTS = PartitionedTable("observability_event")

ALL = (EVENTS,)
