"""Send one batch to PostHog, once, and say how it went. No state, no retry, no database.

The SDK's own queue loses events in six ways (full, refused, killed, forked, exit, slow), so only its
synchronous senders are used: `batch_post`, and for protocol v1 `Consumer.request`, public, never
started as a thread.
"""

import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import orjson
import requests
from posthog.capture_compression import CaptureCompression
from posthog.capture_mode import CaptureMode
from posthog.capture_v1 import CaptureV1Error
from posthog.consumer import Consumer
from posthog.request import APIError, batch_post

from observability.catalog import CATALOG

TIMEOUT_S = 15.0
# Reasons with which PostHog v1 drops an event although nothing is wrong with it: keep it, and wait.
_WAIT_REASONS = {"billing_limit_exceeded", "event_restriction_drop"}


# What the forwarder reads of an event, in this order.
COLUMNS = "xid, timestamp, uuid, event, distinct_id, properties, correlation_id, received_at"


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as the forwarder reads it."""

    xid: int
    timestamp: datetime
    uuid: UUID
    event: str
    distinct_id: str
    properties: dict[str, Any]
    correlation_id: str
    received_at: datetime

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> "StoredEvent":
        """Return a row of COLUMNS as an event; Django's connections leave jsonb as text."""
        xid, timestamp, uuid, event, distinct_id, properties, correlation_id, received_at = row
        document = orjson.loads(properties)
        return cls(xid, timestamp, uuid, event, distinct_id, document, correlation_id, received_at)


@dataclass(slots=True)
class Delivered:
    """The batch has been answered. refused: reasons by uuid. again: told to send these again."""

    refused: dict[UUID, str] = field(default_factory=dict)
    again: set[UUID] = field(default_factory=set)


class Refused(Exception):
    """PostHog refuses the batch as it is: something in it is wrong. Stored: nothing, or some of it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Unavailable(Exception):
    """PostHog cannot take the batch now. It may have stored it all the same: send the same uuids."""

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


class Misconfigured(Exception):
    """Key, host or plan are wrong: no event is to blame, and only a person can mend it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Sends(Protocol):
    """Whatever can deliver a batch as `posthog.Sender` does."""

    def deliver(self, batch: list[StoredEvent]) -> Delivered: ...


class Sender:
    """Sends batches over one kept-alive connection. mode: v0 or v1 of PostHog's capture protocol."""

    def __init__(self, api_key: str, host: str, *, mode: str = "v0", timeout_s: float = TIMEOUT_S) -> None:
        self._send: Callable[[list[dict[str, Any]]], object]
        if CaptureMode(mode) is CaptureMode.V1:
            self._send = Consumer(
                queue.Queue(),
                api_key,
                host=host,
                retries=0,
                timeout=timeout_s,
                capture_mode=CaptureMode.V1,
                capture_compression=CaptureCompression.GZIP,
            ).request
        else:
            self._send = lambda batch: _require_own_answer(
                batch_post(
                    api_key, host, gzip=True, timeout=timeout_s, batch=batch, historical_migration=False
                )
            )

    def deliver(self, batch: list[StoredEvent]) -> Delivered:
        """Send a batch, one try. Raises Refused, Unavailable or Misconfigured."""
        try:
            self._send([message(event) for event in batch])
        except CaptureV1Error as error:
            if error.drops or error.retry_exhausted:
                return _partial(error)
            raise _failure(error) from None
        except APIError as error:
            raise _failure(error) from None
        except requests.RequestException as error:
            # Only the kind: the text of a transport error can hold the address with its key.
            raise Unavailable(type(error).__name__) from None
        return Delivered()


def message(event: StoredEvent) -> dict[str, Any]:
    """Return an event as PostHog takes it, made of stored columns only, so every resend is the same.

    $ignore_sent_at: without it PostHog shifts the time by each request's latency, and a resend that
    crosses midnight is no longer recognised as the same event.
    """
    properties = event.properties | {
        "$ignore_sent_at": True,
        "$geoip_disable": True,
        "correlation_id": event.correlation_id,
    }
    known = CATALOG.get(event.event)
    if known is not None and not known.human:
        properties["$process_person_profile"] = False
    return {
        "event": event.event,
        "uuid": str(event.uuid),
        "distinct_id": event.distinct_id,
        "timestamp": event.timestamp.isoformat(),
        "properties": properties,
    }


def _require_own_answer(answer: requests.Response) -> None:
    """Raise Misconfigured for a 200 that is not PostHog's: after a redirect, or from a page of another host.

    The SDK follows a redirect with a GET that carries no events, and takes any 200 for success.
    """
    try:
        body = answer.json()
    except ValueError:
        body = None
    if answer.history or not isinstance(body, dict) or "status" not in body:
        raise Misconfigured("the answer is not PostHog's; check the host")


def _partial(error: CaptureV1Error) -> Delivered:
    refused = {UUID(uuid): reason or "dropped" for uuid, reason in error.drops}
    waiting = {reason for reason in refused.values() if reason in _WAIT_REASONS}
    if waiting:
        raise Misconfigured(f"PostHog drops events: {', '.join(sorted(waiting))}") from None
    return Delivered(refused, {UUID(uuid) for uuid in error.retry_exhausted})


def _failure(error: APIError) -> Exception:
    status = error.status if isinstance(error.status, int) else 0
    reason = f"HTTP {status}"
    if status in {400, 413, 415, 422}:
        return Refused(status, reason)
    if status in {401, 402, 403, 404}:
        return Misconfigured(reason)
    return Unavailable(reason, retry_after_s=error.retry_after)
