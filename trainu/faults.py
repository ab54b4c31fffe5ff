"""What can go wrong, in a closed vocabulary: how bad it is, what it belongs to, and a code.

Kernel: imports no app. The rule: a fault carries ids and nothing else. Whatever tells one failure from
another of the same kind (ids, numbers, texts from outside) never gets into its fingerprint.
"""

import re
from enum import StrEnum
from typing import ClassVar

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,99}", re.ASCII)
_EVENT_TYPE = re.compile(r"[A-Za-z]{1,48}", re.ASCII)


class Severity(StrEnum):
    """SEV1: data lost, or messages sent in a mass. SEV2: sync fails or all is slow. SEV3: the rest."""

    SEV1 = "SEV1"
    SEV2 = "SEV2"
    SEV3 = "SEV3"


class Fault(Exception):
    """A failure that the service knows by name. Raise a subclass.

    code: a word of the class's own vocabulary; any other raises ValueError. ids: what it happened to;
    a value that does not look like an id is left out, for it might be personal.
    """

    severity: ClassVar[Severity]
    category: ClassVar[str]
    codes: ClassVar[type[StrEnum]]

    def __init__(self, code: str, **ids: object) -> None:
        self.code = str(self.codes(code))
        self.context = {name: kept for name, value in ids.items() if (kept := _id(value))}
        super().__init__(self.code)

    @property
    def fingerprint(self) -> tuple[str, ...]:
        """What groups this failure with others of its kind."""
        return (self.category, self.code)

    def __str__(self) -> str:
        return ": ".join((self.category, *self.fingerprint[1:]))


def _id(value: object) -> str | None:
    text = str(value)
    return text if _ID.fullmatch(text) else None


class DataLossCode(StrEnum):
    OUTBOX_GAP = "outbox_gap"
    LEDGER_MISMATCH = "ledger_mismatch"
    EVENT_LOST = "event_lost"
    AUDIT_TAMPERED = "audit_tampered"
    DATABASE_CORRUPTED = "database_corrupted"


class DataLossFault(Fault):
    """Something that was accepted is gone, or can no longer be trusted."""

    severity = Severity.SEV1
    category = "data-loss"
    codes = DataLossCode


class MassSendCode(StrEnum):
    AUDIENCE_MISMATCH = "audience_mismatch"
    RATE_EXCEEDED = "rate_exceeded"
    SENT_TWICE = "sent_twice"
    KILL_SWITCH_TRIPPED = "kill_switch_tripped"
    KILL_SWITCH_LEAKS = "kill_switch_leaks"


class MassSendFault(Fault):
    """Messages went, or were about to go, to people who should not get them."""

    severity = Severity.SEV1
    category = "mass-send"
    codes = MassSendCode


class SyncCode(StrEnum):
    UNAUTHORIZED = "unauthorized"
    MISSING_SCOPE = "missing_scope"
    REFUSED = "refused"
    QUOTA_EXHAUSTED = "quota_exhausted"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    BAD_RESPONSE = "bad_response"
    AMBIGUOUS = "ambiguous"
    RECONCILIATION_FAILED = "reconciliation_failed"
    HANDLER_ERROR = "handler_error"


class SyncFault(Fault):
    """Synchronising with GoHighLevel failed."""

    severity = Severity.SEV2
    category = "sync"
    codes = SyncCode


class WebhookCode(StrEnum):
    BAD_SIGNATURE = "bad_signature"
    BAD_PAYLOAD = "bad_payload"
    UNKNOWN_LOCATION = "unknown_location"
    HANDLER_ERROR = "handler_error"
    TIMEOUT = "timeout"
    SILENCE = "silence"


class GHLWebhookFault(Fault):
    """A webhook of GoHighLevel could not be taken in or worked off.

    event_type: GoHighLevel's name of the event. Without a valid signature nobody knows who wrote it, so
    it counts as "unverified"; and what is no plain name of at most 48 letters counts as "unknown".
    """

    severity = Severity.SEV2
    category = "ghl-webhook"
    codes = WebhookCode

    def __init__(self, event_type: str, code: str, **ids: object) -> None:
        super().__init__(code, **ids)
        self.event_type = event_type if _EVENT_TYPE.fullmatch(event_type) else "unknown"
        if self.code == WebhookCode.BAD_SIGNATURE:
            self.event_type = "unverified"
        self.args = (event_type, self.code)

    @property
    def fingerprint(self) -> tuple[str, ...]:
        return (self.category, self.event_type, self.code)


class Provider(StrEnum):
    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"
    LITELLM = "litellm"
    OTHER = "other"


class LLMCode(StrEnum):
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    AUTH = "auth"
    OVERLOADED = "overloaded"
    PROVIDER_5XX = "provider_5xx"
    BAD_REQUEST = "bad_request"
    BAD_OUTPUT = "bad_output"


class LLMFault(Fault):
    """A language model could not be asked, or gave an answer that is of no use.

    provider: a word of Provider; any other raises ValueError.
    """

    severity = Severity.SEV2
    category = "llm"
    codes = LLMCode

    def __init__(self, provider: str, code: str, **ids: object) -> None:
        super().__init__(code, **ids)
        self.provider = str(Provider(provider))
        self.args = (self.provider, self.code)

    @property
    def fingerprint(self) -> tuple[str, ...]:
        return (self.category, self.provider, self.code)


class AuthCode(StrEnum):
    JWT_EXPIRED = "jwt_expired"
    BAD_SIGNATURE = "bad_signature"
    SSO_ERROR = "sso_error"
    API_KEY_INVALID = "api_key_invalid"
    TOKEN_REFRESH_FAILED = "token_refresh_failed"
    LOCKOUT = "lockout"
    SUSPICIOUS_REQUEST = "suspicious_request"


class AuthFault(Fault):
    """Somebody or something could not prove who they are. A mistyped password is no fault, but a count."""

    severity = Severity.SEV2
    category = "auth"
    codes = AuthCode


class DatabaseCode(StrEnum):
    CONNECTION = "connection"
    RESOURCES = "resources"
    SHUTDOWN = "shutdown"
    SERIALIZATION = "serialization"
    DEADLOCK = "deadlock"
    LOCK_TIMEOUT = "lock_timeout"
    STATEMENT_TIMEOUT = "statement_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    OPERATIONAL = "operational"


class DatabaseFault(Fault):
    """PostgreSQL could not be reached or gave up. Its own exceptions are recognised without this class."""

    severity = Severity.SEV2
    category = "db"
    codes = DatabaseCode


class DegradedCode(StrEnum):
    SLOW_QUERY = "slow_query"
    QUEUE_LATE = "queue_late"
    WORKER_SILENT = "worker_silent"
    WORKER_DIED = "worker_died"
    WORKER_RESTARTED = "worker_restarted"
    TASK_TIMEOUT = "task_timeout"
    FORWARDER_LATE = "forwarder_late"
    LOG_STORE_FULL = "log_store_full"


class DegradedFault(Fault):
    """The service works, but late or less than it should."""

    severity = Severity.SEV2
    category = "degraded"
    codes = DegradedCode


class UICode(StrEnum):
    PAGE_FAILED = "page_failed"
    BROWSER_ERROR = "browser_error"
    ASSET_MISSING = "asset_missing"


class UIFault(Fault):
    """A page shows something wrong or not at all, and nothing else is affected."""

    severity = Severity.SEV3
    category = "ui"
    codes = UICode
