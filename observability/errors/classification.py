"""How bad is it, and what does it belong to? One verdict for an exception or an error line.

The rule: the first match wins, from the outermost exception inwards; what matches nothing keeps Sentry's
own grouping. A verdict is made of words of closed vocabularies, never of what an exception says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

import psycopg
from django.db import InterfaceError, InternalError, OperationalError

from trainu.faults import (
    AuthCode,
    AuthFault,
    DatabaseCode,
    DatabaseFault,
    DataLossCode,
    DataLossFault,
    DegradedCode,
    DegradedFault,
    Fault,
    LLMCode,
    LLMFault,
    Provider,
    Severity,
)

Level = Literal["fatal", "error", "warning"]

_LEVELS: dict[Severity, Level] = {
    Severity.SEV1: "fatal",
    Severity.SEV2: "error",
    Severity.SEV3: "warning",
}
_DEEPEST = 12
# What is still a plain word of our own code: a class, an event name, a dotted function.
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}", re.ASCII)


class Unit(StrEnum):
    """The kind of work in hand."""

    WEB = "web"
    TASK = "task"
    SCHEDULE = "schedule"
    WEBHOOK = "webhook"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Verdict:
    """severity, category and code are counted; fingerprint groups in Sentry, None: Sentry's own grouping."""

    severity: Severity
    category: str
    code: str
    fingerprint: tuple[str, ...] | None = None

    @property
    def level(self) -> Level:
        """Sentry's level of this severity."""
        return _LEVELS[self.severity]


def classify(
    exception: BaseException | None = None,
    *,
    logger_name: str = "",
    event: str = "",
    unit: str = Unit.WEB,
    unit_name: str = "",
) -> Verdict:
    """Return the verdict on an exception, or on an error line where there is none.

    event: the line's name, if it has one. unit, unit_name: the kind of work in hand, and which.
    """
    for link in chain(exception):
        if verdict := _of_exception(link, unit_name):
            return verdict
    if verdict := _of_line(logger_name, event):
        return verdict
    severity = Severity.SEV3 if unit == Unit.WEB else Severity.SEV2
    if exception is not None:
        return Verdict(severity, "unknown", _word(type(exception).__name__, "exception"))
    return Verdict(severity, "log", _word(event, "line"))


def chain(exception: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what led to it, outermost first; a circle or a long chain ends."""
    waiting = [exception] if exception is not None else []
    seen: set[int] = set()
    while waiting and len(seen) < _DEEPEST:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup):
            waiting.extend(link.exceptions)
        before = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        if before is not None:
            waiting.append(before)


def _of_exception(error: BaseException, unit_name: str) -> Verdict | None:
    if isinstance(error, Fault):
        return Verdict(error.severity, error.category, error.code, error.fingerprint)
    if isinstance(error, _DATABASE_ERRORS):
        return _of_database(error)
    # django-q2's own class; compared by name, for this room must not need django-q2.
    if isinstance(error, SystemExit) and type(error).__name__ == "TimeoutException":
        name = (_word(unit_name, "task"),) if unit_name else ()
        code = DegradedCode.TASK_TIMEOUT
        return Verdict(
            DegradedFault.severity, DegradedFault.category, code, (DegradedFault.category, code, *name)
        )
    return _of_provider(error)


_DATABASE_ERRORS = (
    OperationalError,
    InterfaceError,
    InternalError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
)
# By SQLSTATE, or by its first two characters: the class.
_SQLSTATES = {
    "57014": DatabaseCode.STATEMENT_TIMEOUT,
    "57P05": DatabaseCode.IDLE_TIMEOUT,
    "25P03": DatabaseCode.IDLE_TIMEOUT,
    "40001": DatabaseCode.SERIALIZATION,
    "40P01": DatabaseCode.DEADLOCK,
    "55P03": DatabaseCode.LOCK_TIMEOUT,
    "08": DatabaseCode.CONNECTION,
    "28": DatabaseCode.CONNECTION,
    "53": DatabaseCode.RESOURCES,
    "58": DatabaseCode.RESOURCES,
    "57": DatabaseCode.SHUTDOWN,
}


def _of_database(error: BaseException) -> Verdict:
    state = getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None)
    if state is None:
        # Said by libpq, psycopg or its pool: the server was not there to say anything.
        return _verdict(DatabaseFault, DatabaseCode.CONNECTION)
    if state.startswith("XX0"):
        return _verdict(DataLossFault, DataLossCode.DATABASE_CORRUPTED)
    return _verdict(
        DatabaseFault, _SQLSTATES.get(state) or _SQLSTATES.get(state[:2]) or DatabaseCode.OPERATIONAL
    )


def _verdict(fault: type[Fault], code: StrEnum) -> Verdict:
    return Verdict(fault.severity, fault.category, str(code), (fault.category, str(code)))


# By the package that a class comes from; none of them is imported here.
_PROVIDERS = {
    "openai": Provider.OPENAI,
    "anthropic": Provider.ANTHROPIC,
    "google.genai": Provider.GOOGLE,
    "litellm": Provider.LITELLM,
}
_PROVIDER_CLASSES = {
    "RateLimitError": LLMCode.RATE_LIMITED,
    "APITimeoutError": LLMCode.TIMEOUT,
    "Timeout": LLMCode.TIMEOUT,
    "APIConnectionError": LLMCode.CONNECTION,
    "AuthenticationError": LLMCode.AUTH,
    "PermissionDeniedError": LLMCode.AUTH,
    "OverloadedError": LLMCode.OVERLOADED,
    "ServiceUnavailableError": LLMCode.OVERLOADED,
    "InternalServerError": LLMCode.PROVIDER_5XX,
    "ServerError": LLMCode.PROVIDER_5XX,
    "BadRequestError": LLMCode.BAD_REQUEST,
    "APIResponseValidationError": LLMCode.BAD_OUTPUT,
}
_PROVIDER_STATUSES = {
    401: LLMCode.AUTH,
    403: LLMCode.AUTH,
    408: LLMCode.TIMEOUT,
    429: LLMCode.RATE_LIMITED,
    503: LLMCode.OVERLOADED,
    504: LLMCode.TIMEOUT,
    529: LLMCode.OVERLOADED,
}


def _of_provider(error: BaseException) -> Verdict | None:
    module = type(error).__module__
    for package, provider in _PROVIDERS.items():
        if module == package or module.startswith(f"{package}."):
            code = _provider_code(error)
            return Verdict(LLMFault.severity, LLMFault.category, code, (LLMFault.category, provider, code))
    return None


def _provider_code(error: BaseException) -> str:
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    if isinstance(status, int) and status in _PROVIDER_STATUSES:
        return _PROVIDER_STATUSES[status]
    for kind in type(error).__mro__:
        if code := _PROVIDER_CLASSES.get(kind.__name__):
            return code
    return LLMCode.PROVIDER_5XX if isinstance(status, int) and status >= 500 else LLMCode.BAD_REQUEST


def _of_line(logger_name: str, event: str) -> Verdict | None:
    if logger_name.startswith("django.security"):
        return _verdict(AuthFault, AuthCode.SUSPICIOUS_REQUEST)
    # The guard of django-q2 has ended a worker whose task took too long. The worker has reported the timeout,
    # unless it hung outside of Python: not to be counted a second time among the SEV2, and not to be unseen.
    if logger_name == "django-q" and event.startswith("reincarnated") and "after timeout" in event:
        code = DegradedCode.WORKER_RESTARTED
        return replace(_verdict(DegradedFault, code), severity=Severity.SEV3)
    # It has found one of its processes dead, and started another.
    if logger_name == "django-q" and event.startswith("reincarnated"):
        return _verdict(DegradedFault, DegradedCode.WORKER_DIED)
    if logger_name == "sync" or logger_name.startswith("sync."):
        return Verdict(Severity.SEV2, "sync", _word(event, "line"))
    return None


def _word(text: str, otherwise: str) -> str:
    return text if _WORD.fullmatch(text) else otherwise
