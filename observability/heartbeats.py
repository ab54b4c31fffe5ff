"""Signs of life, kept: one row a lane or cluster, written again every few seconds.

The rule: a sign of life that cannot be written is logged, and what gave it goes on.
"""

import json
from typing import Any

import structlog
from django.db import connection
from django.utils import timezone

log = structlog.get_logger(__name__)


def on_beat(name: str, detail: dict[str, Any], **_signal: Any) -> None:
    """A lane or a cluster has given a sign of life: one statement, and no transaction around it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into observability_heartbeat (name, beat_at, detail) values (%s, %s, %s)"
                " on conflict (name) do update set beat_at = excluded.beat_at, detail = excluded.detail",
                [name, timezone.now(), json.dumps(detail)],
            )
    except Exception as error:  # noqa: BLE001 - a broken sign of life must not end who gives it
        log.warning("heartbeat_not_written", lane=name, error=type(error).__name__)
        # The next one shall have a new connection, where this one was lost.
        connection.close_if_unusable_or_obsolete()
