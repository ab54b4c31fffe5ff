"""The wires to sync: what it tells becomes events of the catalog, reports of faults, and audit entries.

The rule: one statement a batch, in sync's own transaction. What cannot become an event is left out and
logged, and takes no neighbour along; what cannot be audited must not happen.
"""

import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import structlog
from django.db import transaction
from django.dispatch import Signal
from pydantic import ValidationError

from observability import counters
from observability.audit.recording import record
from observability.capture import Occurrence, persist
from observability.counters import Counter
from observability.errors import reporting
from observability.store import Origin
from observability.sync_events import of_attempt, of_booking, of_lead, of_webhook
from observability.telemetry import telemetry
from sync import signals
from sync.signals import Act, AttemptEnded, BookingChanged, LeadAppeared, Trouble, WebhookStored
from trainu import correlation
from trainu.faults import (
    DataLossCode,
    DataLossFault,
    Fault,
    GHLWebhookFault,
    MassSendCode,
    MassSendFault,
    SyncCode,
    SyncFault,
    WebhookCode,
)

log = structlog.get_logger(__name__)

QUIET_S = 60.0
_MOST_REMEMBERED = 1_000
# Outcomes that cost no try and leave the job waiting: no event tells of them.
_PUT_OFF = frozenset({"deferred", "configuration"})

T = TypeVar("T")


@telemetry
def on_attempts_ended(attempts: Sequence[AttemptEnded], **_signal: Any) -> None:
    """Attempts have ended: sync_ok, sync_retry, sync_dropped. What was put off at no cost is counted."""
    store(attempts, of_attempt)
    put_off = Tally(
        (one.code, one.ended_at) for one in attempts if one.state == "waiting" and one.outcome in _PUT_OFF
    )
    if put_off:
        # Settling may be rolled back and done again.
        transaction.on_commit(lambda: _count(put_off))


@telemetry
def on_webhooks_stored(webhooks: Sequence[WebhookStored], **_signal: Any) -> None:
    """Webhooks have come in: webhook_received."""
    store(webhooks, of_webhook)


@telemetry
def on_leads_appeared(leads: Sequence[LeadAppeared], **_signal: Any) -> None:
    """Contacts have appeared: lead_created."""
    store(leads, of_lead)


@telemetry
def on_bookings_changed(bookings: Sequence[BookingChanged], **_signal: Any) -> None:
    """Appointments have changed: booking_scheduled and the others."""
    store(bookings, of_booking)


@telemetry
def on_troubled(troubles: Sequence[Trouble], **_signal: Any) -> None:
    """Something is wrong that blames no job; a trouble that lasts is reported once in QUIET_S."""
    for one in troubles:
        if reports.is_due((one.kind, one.code, one.location_id), time.monotonic()):
            fault = _fault(one)
            reporting.report(fault, event="sync_troubled", words=one.words, **fault.context)


def on_acted(acts: Sequence[Act], **_signal: Any) -> None:
    """Somebody has done something to jobs, letters or locations. Raises where that cannot be recorded."""
    for act in acts:
        record(
            act.action,
            actor=act.actor,
            target=(act.target_kind, act.target_id),
            reason=act.reason,
            changes=act.changes,
        )


class Reports:
    """What this process has reported lately, so that a trouble of every batch is not one of every report."""

    def __init__(self, quiet_s: float = QUIET_S) -> None:
        self._quiet_s = quiet_s
        self._lock = threading.Lock()
        self._told: dict[Hashable, float] = {}

    def is_due(self, key: Hashable, now_s: float) -> bool:
        """Whether a trouble was not told for so long; it is now. now_s: of a clock that never goes back."""
        with self._lock:
            told = self._told.get(key)
            if told is not None and now_s - told < self._quiet_s:
                return False
            if len(self._told) >= _MOST_REMEMBERED:
                self._told = {key: at for key, at in self._told.items() if now_s - at < self._quiet_s}
            self._told[key] = now_s
            return True

    def forget(self) -> None:
        """Report everything anew."""
        with self._lock:
            self._told.clear()


reports = Reports()

_RECEIVERS: list[tuple[Signal, Callable[..., None]]] = [
    (signals.acted, on_acted),
    (signals.attempts_ended, on_attempts_ended),
    (signals.webhooks_stored, on_webhooks_stored),
    (signals.leads_appeared, on_leads_appeared),
    (signals.bookings_changed, on_bookings_changed),
    (signals.troubled, on_troubled),
]


def connect() -> None:
    """Connect every receiver; a second call changes nothing."""
    for signal, receiver in _RECEIVERS:
        signal.connect(receiver, dispatch_uid=f"observability.sync.{receiver.__name__}")


def _count(put_off: Tally[tuple[str, datetime]]) -> None:
    for (code, ended_at), attempts in put_off.items():
        counters.add(Counter.SYNC_DEFERRED, code, attempts, now=ended_at)


def store(told: Iterable[T], made: Callable[[T], Occurrence | None]) -> None:
    """Store what was told as events, in one statement; what cannot be one is left out, and logged."""
    occurrences: list[Occurrence] = []
    refused: list[ValueError] = []
    for one in told:
        try:
            occurrence = made(one)
        except ValueError as error:
            refused.append(error)
        else:
            if occurrence is not None:
                occurrences.append(occurrence)
    if refused:
        log.error("events_left_out", told_by=made.__name__, count=len(refused), why=_why(refused[0]))
    if occurrences:
        persist(occurrences, Origin("python", correlation.current()))


def _why(error: ValueError) -> str:
    """Return the fields that did not fit, and never their values."""
    if not isinstance(error, ValidationError):
        return type(error).__name__
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return ", ".join(sorted({f"{fault['loc'][0]}: {fault['type']}" for fault in faults if fault["loc"]}))


def _fault(one: Trouble) -> Fault:
    # A word of a newer vocabulary than this one is trouble all the same.
    if one.kind == "webhook":
        code = one.code if one.code in set(WebhookCode) else WebhookCode.HANDLER_ERROR
        return GHLWebhookFault("", code, location_id=one.location_id, trouble=one.code)
    if one.kind == "data_loss":
        lost = one.code if one.code in set(DataLossCode) else DataLossCode.LEDGER_MISMATCH
        return DataLossFault(lost, location_id=one.location_id, trouble=one.code)
    if one.kind == "mass_send":
        code = one.code if one.code in set(MassSendCode) else MassSendCode.KILL_SWITCH_TRIPPED
        return MassSendFault(code, location_id=one.location_id, trouble=one.code)
    code = one.code if one.code in set(SyncCode) else SyncCode.HANDLER_ERROR
    return SyncFault(code, location_id=one.location_id, trouble=one.code)
