"""Units of work: a request, a task, a command. What is reported in one says so, and stays out of the next.

The rule: a unit starts with empty Sentry scopes, reports whatever escapes it, and lets it escape.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import sentry_sdk
from django.conf import settings
from django.http import HttpRequest

from observability.errors.classification import Unit
from trainu import correlation

# Forked workers end without atexit: what is to be sent gets so long, seconds.
FLUSH_S = 2.0
# Commands that run for ever are no unit of work: what they start would inherit their correlation id.
_ENDLESS = {"qcluster", "runserver", "up", "shell"}
_BY_PROCESS = {"web": Unit.WEB, "worker": Unit.TASK}


@dataclass(slots=True)
class _InHand:
    kind: str
    name: str
    request: HttpRequest | None = None
    has_reported: bool = False


_current: ContextVar[_InHand | None] = ContextVar("unit_of_work", default=None)


def in_hand() -> tuple[str, str]:
    """Return kind and name of the unit in hand; outside of any, the kind that fits the process."""
    unit = _current.get()
    if unit is not None:
        return unit.kind, unit.name
    process = getattr(settings, "PROCESS", "") if settings.configured else ""
    return _BY_PROCESS.get(process, Unit.COMMAND), ""


def request_in_hand() -> HttpRequest | None:
    """Return the request that is the unit in hand, if it is one."""
    unit = _current.get()
    return unit.request if unit is not None else None


def note_report() -> None:
    """Remember that something of this unit is on its way to Sentry."""
    if unit := _current.get():
        unit.has_reported = True


@contextmanager
def entered(
    kind: str,
    name: str,
    correlation_id: str | None = None,
    *,
    request: HttpRequest | None = None,
    flush_s: float = FLUSH_S,
) -> Iterator[None]:
    """Be in a unit of work for a block, with scopes of its own, and flush what it has reported.

    correlation_id: made current for the block; None: whatever is current stays. request: the request that it
    is. flush_s: how long the end may wait for Sentry; 0: not at all.
    """
    unit = _InHand(kind, name, request)
    token = _current.set(unit)
    try:
        with ExitStack() as stack:
            if sentry_sdk.get_client().is_active():
                isolation = stack.enter_context(sentry_sdk.isolation_scope())
                isolation.clear()
                # The transaction's name lives on the current scope, which isolation_scope copies.
                sentry_sdk.get_current_scope().clear()
            if correlation_id:
                stack.enter_context(correlation.bound(correlation_id))
            yield
    finally:
        _current.reset(token)
        if unit.has_reported and flush_s:
            sentry_sdk.flush(timeout=flush_s)


@contextmanager
def unit_of_work(kind: str, name: str, correlation_id: str | None = None) -> Iterator[None]:
    """Do a block as one unit of work: report what escapes it, once, and let it escape.

    kind: a word of Unit. name: which one, a name from our code. correlation_id: None makes a new one.
    """
    with entered(kind, name, correlation_id or correlation.new()):
        try:
            yield
        except BaseException as error:
            if is_failure(error):
                from observability.errors.reporting import report

                report(error, event=f"{kind}_failed")
            raise


@contextmanager
def command(arguments: list[str]) -> Iterator[None]:
    """Do a block as the management command that `arguments` (sys.argv) name, and report what escapes it."""
    name = next((word for word in arguments[1:] if not word.startswith("-")), "help")
    if name not in _ENDLESS:
        with unit_of_work(Unit.COMMAND, name):
            yield
        return
    try:
        yield
    except Exception as error:
        from observability.errors.reporting import report

        report(error, unit=Unit.COMMAND, event="command_failed", command=name)
        sentry_sdk.flush(timeout=FLUSH_S)
        raise


def is_failure(error: BaseException) -> bool:
    """Tell whether this is a failure: exceptions are, and django-q2's timeout, which is a SystemExit."""
    return isinstance(error, (Exception, BaseExceptionGroup)) or type(error).__name__ == "TimeoutException"
