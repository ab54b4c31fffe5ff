"""Notifications as the doors get them, made without a database."""

from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from observability.models import AlertRule, Channel, Incident, Notification
from trainu.encryption import seal

OPENED = datetime(2026, 11, 1, 3, 14, tzinfo=UTC)


def rule(code: str = "sev1_fault") -> AlertRule:
    return AlertRule(code=code, title="Data lost", severity="SEV1", threshold=0.0, recovery=0.0)


def incident(**fields: Any) -> Incident:
    wanted: dict[str, Any] = {
        "pk": 41,
        "rule": rule(),
        "group": "loc-1",
        "dedup_key": "sev1_fault:loc-1:20261101T031400.000000",
        "severity": "SEV1",
        "title": "Data lost: loc-1",
        "value": 3.0,
        "opened_at": OPENED,
    }
    return Incident(**wanted | fields)


def notification(
    act: str = "trigger", *, channel: str = "slack", about: Incident | None = None, **body: Any
) -> Notification:
    of = about or (None if act in ("test", "digest") else incident())
    key = f"{of.dedup_key if of else 'none'}/1/{act}/0/{channel}"
    body = {"value": 3.0, "episode": 1} | body
    return Notification(pk=7, key=key, incident=of, channel=channel, act=act, body=body)


def channel(kind: str, secret: str = "", **fields: Any) -> Channel:
    sealed = seal(SecretStr(secret)) if secret else b""
    return Channel(kind=kind, is_enabled=True, secret=sealed, **fields)
