"""The wires to drafts: what sync tells becomes events of the catalog, and faults of the language model.

The rule: as in `sync_receivers`. A failed attempt is counted once, when it is committed, however many of its
kind there are; of these one in a while is logged and goes to Sentry.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.dispatch import Signal

from observability.draft_events import of_approved, of_insight, of_opened, of_sent, of_written
from observability.errors import reporting
from observability.sync_receivers import reports, store
from observability.telemetry import telemetry
from sync import signals
from sync.signals import DigestOpened, DraftApproved, DraftSent, DraftWritten, InsightAdded, ModelFailed
from trainu.faults import LLMCode, LLMFault, Provider


@telemetry
def on_drafts_written(written: Sequence[DraftWritten], **_signal: Any) -> None:
    """The language model has written drafts: message_drafted."""
    store(written, of_written)


@telemetry
def on_drafts_approved(approved: Sequence[DraftApproved], **_signal: Any) -> None:
    """People have approved drafts: trainer_approved."""
    store(approved, of_approved)


@telemetry
def on_drafts_sent(sent: Sequence[DraftSent], **_signal: Any) -> None:
    """GoHighLevel has taken messages: message_sent."""
    store(sent, of_sent)


@telemetry
def on_insights_added(insights: Sequence[InsightAdded], **_signal: Any) -> None:
    """The agent has found something out: insight_created."""
    store(insights, of_insight)


@telemetry
def on_digests_opened(digests: Sequence[DigestOpened], **_signal: Any) -> None:
    """Trainers have opened digests: weekly_digest_viewed."""
    store(digests, of_opened)


@telemetry
def on_models_failed(failures: Sequence[ModelFailed], **_signal: Any) -> None:
    """Calls of the language model have failed: each is counted, by provider and code."""
    # What is settled may be rolled back and settled again, and is one failure all the same.
    transaction.on_commit(partial(_report, tuple(failures)), robust=True)


_RECEIVERS: list[tuple[Signal, Callable[..., None]]] = [
    (signals.drafts_written, on_drafts_written),
    (signals.drafts_approved, on_drafts_approved),
    (signals.drafts_sent, on_drafts_sent),
    (signals.insights_added, on_insights_added),
    (signals.digests_opened, on_digests_opened),
    (signals.models_failed, on_models_failed),
]


def connect() -> None:
    """Connect every receiver; a second call changes nothing."""
    for signal, receiver in _RECEIVERS:
        signal.connect(receiver, dispatch_uid=f"observability.drafts.{receiver.__name__}")


def _report(failures: Sequence[ModelFailed]) -> None:
    for one in failures:
        fault = _fault(one)
        if reports.is_due(fault.fingerprint, time.monotonic()):
            reporting.report(fault, event="model_failed", provider=fault.provider, **fault.context)
        else:
            reporting.count(fault)


def _fault(one: ModelFailed) -> LLMFault:
    # A word of a newer vocabulary than this one is a failure all the same.
    provider = one.provider if one.provider in set(Provider) else Provider.OTHER
    code = one.code if one.code in set(LLMCode) else LLMCode.BAD_OUTPUT
    return LLMFault(provider, code, draft_id=one.draft_id, trouble=one.code)
