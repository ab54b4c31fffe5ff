"""Sentry: set up so that nothing personal leaves, told what it has lost, and off where there is no DSN.

The rule: Sentry is best effort. It never holds up the work, and whoever needs a count reads PostgreSQL.
"""

import os
from multiprocessing import util
from typing import TYPE_CHECKING, Any, cast

import sentry_sdk
import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.scrubber import DEFAULT_DENYLIST, EventScrubber
from sentry_sdk.transport import HttpTransport
from sentry_sdk.utils import BadDsn, event_from_exception

from observability import counters, timings
from observability.counters import Counter
from observability.errors import outgoing, units
from observability.errors.classification import Verdict
from trainu import correlation, secret_paths
from trainu.faults import Fault

if TYPE_CHECKING:
    from observability.errors.reporting import Line

# Beside what Sentry's scrubber knows; `outgoing` lets through only what it names anyway.
_DENIED = ["email", "phone", "first_name", "last_name", "name", "address", "contact", "payload"]


class CountingTransport(HttpTransport):
    """Sentry's own transport, which counts what it drops, by reason, and which survives a fork."""

    # A server that hangs occupies the one sending thread: seconds.
    TIMEOUT = 10

    def on_dropped_event(self, reason: str) -> None:
        """Count; called in the sending thread, or in the reporting one when the queue is full."""
        counters.add(Counter.SENTRY_EVENT_DROPPED, reason)

    def takes_errors(self) -> bool:
        """Tell whether an error would be sent now: the queue has room, and Sentry has not said to wait.

        The SDK's own is_healthy() says no as soon as Sentry refuses anything at all, such as transactions.
        """
        return not self._worker.full() and not self._check_disabled("error")


def is_well() -> bool:
    """Tell whether this process could send an error to Sentry now."""
    transport = sentry_sdk.get_client().transport
    return not isinstance(transport, CountingTransport) or transport.takes_errors()


def configure() -> None:
    """Set Sentry up for this process; without SENTRY_DSN nothing is set up and no thread will start.

    Raises ImproperlyConfigured when SENTRY_DSN cannot be read.
    """
    if not settings.SENTRY_DSN:
        return
    try:
        sentry_sdk.init(**options(settings.SENTRY_DSN))
    except BadDsn:
        raise ImproperlyConfigured(
            "SENTRY_DSN cannot be read. It looks like https://key@host/project."
        ) from None


def options(dsn: str) -> dict[str, Any]:
    """Return what Sentry is set up with. Nothing is left to its defaults that could carry personal data."""
    return {
        "dsn": dsn,
        "environment": settings.SENTRY_ENVIRONMENT,
        # None would have it ask git.
        "release": settings.SENTRY_RELEASE,
        # An empty text would be replaced by the host's name; `outgoing` drops the field.
        "server_name": "-",
        "transport": CountingTransport,
        # Logging's would capture structlog's dicts as they are, argv's the arguments of commands, the
        # threads' and excepthook's what we report ourselves; stdlib's would add headers to our requests.
        "default_integrations": False,
        "auto_enabling_integrations": False,
        # Nor Django's: see `web.ErrorMiddleware`.
        "integrations": [AtexitIntegration(callback=lambda pending, timeout: None)],
        "before_send": outgoing.before_send,
        # None, not 0: with 0 a caller's sentry-trace header could switch tracing on.
        "traces_sample_rate": None,
        "before_send_transaction": lambda event, hint: None,
        "max_request_body_size": "never",
        "include_local_variables": False,
        "event_scrubber": EventScrubber(denylist=DEFAULT_DENYLIST + _DENIED, recursive=True),
        "max_breadcrumbs": 30,
        "send_client_reports": False,
        "auto_session_tracking": False,
        "enable_backpressure_handling": False,
        "enable_logs": False,
        "spotlight": False,
        "shutdown_timeout": 2,
    }


def send(
    exception: BaseException | None,
    line: "Line | None",
    verdict: Verdict,
    *,
    unit: str | None = None,
    ids: dict[str, Any] | None = None,
) -> None:
    """Hand an error over to the sending thread. line: the error line, where that is how it was met."""
    client = sentry_sdk.get_client()
    if not client.is_active():
        return
    if not is_well():
        # Making an event takes a millisecond, and this one would be dropped anyway.
        counters.add(Counter.SENTRY_EVENT_DROPPED, "not_taken")
        return
    event, hint = _event(exception, line, client.options)
    kind, name = units.in_hand()
    fields = dict(ids or {})
    context = exception.context if isinstance(exception, Fault) else {}
    event["extra"] = {**context, **fields}
    if request := units.request_in_hand():
        event["request"] = {
            "method": request.method,
            "url": secret_paths.shown(request.path),
            "headers": dict(request.headers),
        }
        name = timings.route_of(request)
    event["transaction"] = name
    hint |= {
        outgoing.VERDICT: verdict,
        outgoing.TAGS: {
            "correlation_id": correlation.current(),
            "runtime": unit or kind,
            "service": settings.SERVICE,
            "unit": name,
        },
    }
    if user_id := structlog.contextvars.get_contextvars().get("user_id"):
        event["user"] = {"id": pseudonym(user_id)}
    sentry_sdk.capture_event(cast(Any, event), hint=hint)
    _flush_at_the_end()


def pseudonym(user_id: object) -> str:
    """Return what stands for a user at Sentry: the same for the same user, and no way back."""
    return salted_hmac("trainu.sentry.user", str(user_id), algorithm="sha256").hexdigest()[:32]


def _event(
    exception: BaseException | None, line: "Line | None", client_options: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    event: dict[str, Any] = {}
    hint: dict[str, Any] = {}
    if exception is not None:
        made, told = event_from_exception(
            exception, client_options=client_options, mechanism={"type": "trainu", "handled": True}
        )
        event, hint = dict(made), dict(told)
    if line is not None:
        event["logentry"] = {"message": line.template, "formatted": line.text}
        event["logger"] = line.logger_name
    return event, hint


_will_flush = False


def _flush_at_the_end() -> None:
    """Have this process flush when it ends in order: django-q2's children do so without atexit."""
    global _will_flush
    if not _will_flush:
        _will_flush = True
        util.Finalize(None, sentry_sdk.flush, kwargs={"timeout": units.FLUSH_S}, exitpriority=5)


def _after_fork() -> None:
    """Give a forked child a transport of its own: the parent's open connection would be shared."""
    global _will_flush
    _will_flush = False
    client = sentry_sdk.get_client()
    if isinstance(client.transport, CountingTransport):
        client.transport = CountingTransport(client.options)


os.register_at_fork(after_in_child=_after_fork)
