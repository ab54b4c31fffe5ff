"""Is the service well? Each check has its own time limit, and its answer is held for a while.

The rule: what keeps the service from serving fails, and so does what would leave everybody uninformed; what
only makes it late warns, and is still 200. `READY` is asked by load balancers and must not depend on workers.
"""

from observability.health.alerting import check_alerts, check_channels
from observability.health.database import check_database, check_migrations, check_partitions
from observability.health.finding import Finding, Report, Status
from observability.health.keeping import AUDIT_VERIFIED_WITHIN, check_audit, check_logs, check_retention
from observability.health.monitoring import CRITICAL, TIME_LIMIT_S, Check, Monitor
from observability.health.outside import check_ghl, check_posthog, check_sentry
from observability.health.synchronising import check_dead_letters, check_drafts, check_sync
from observability.health.workers import LANE_SILENT, check_rollups, check_workers

__all__ = [
    "ALL",
    "AUDIT_VERIFIED_WITHIN",
    "CRITICAL",
    "LANE_SILENT",
    "READY",
    "TIME_LIMIT_S",
    "Finding",
    "Monitor",
    "Report",
    "Status",
    "check_alerts",
    "check_audit",
    "check_channels",
    "check_database",
    "check_dead_letters",
    "check_drafts",
    "check_ghl",
    "check_logs",
    "check_migrations",
    "check_partitions",
    "check_posthog",
    "check_retention",
    "check_rollups",
    "check_sentry",
    "check_sync",
    "check_workers",
    "monitor",
]

READY: dict[str, Check] = {
    "database": check_database,
    "migrations": check_migrations,
    "partitions": check_partitions,
}
ALL: dict[str, Check] = {
    **READY,
    "workers": check_workers,
    "rollups": check_rollups,
    "ghl": check_ghl,
    "posthog": check_posthog,
    "sentry": check_sentry,
    "alerts": check_alerts,
    "channels": check_channels,
    "retention": check_retention,
    "audit": check_audit,
    "logs": check_logs,
    "sync": check_sync,
    "dead_letters": check_dead_letters,
    "drafts": check_drafts,
}

monitor = Monitor()
