"""Which tables of the observer are kept in day partitions. The schedule makes all of them ahead.

The rule: a writer that meets a day without a partition makes it, and never loses a row.
"""

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
