"""Which tables are kept in day partitions: the observer's, and what other apps declare as datasets.

The schedule makes the partitions of all of them ahead.

The rule: a writer that meets a day without a partition makes it, and never loses a row.
"""

from trainu import datasets
from trainu.partitioned_table import PartitionedTable

EVENTS = PartitionedTable("observability_event")
# Both are partitions of observability_logline themselves: one for each length of retention.
LOGS = PartitionedTable("observability_logline_application")
ERROR_LOGS = PartitionedTable("observability_logline_error")
# Triggers on TRUNCATE are not cloned from the parent as row triggers are; see migration 0005.
AUDIT = PartitionedTable(
    "observability_auditentry",
    after_create="create trigger audit_is_never_emptied before truncate on {partition}"
    " for each statement execute function observability_audit_refuse()",
)

ALL = (EVENTS, LOGS, ERROR_LOGS, AUDIT)


def present() -> list[PartitionedTable]:
    """Return the tables of all apps that are kept by the day and are there: migrations also go backwards."""
    declared = [one.table for one in datasets.registered() if isinstance(one, datasets.Partitions)]
    return [table for table in dict.fromkeys([*ALL, *declared]) if table.is_there()]
