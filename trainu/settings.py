"""Settings: one file for every place it runs; the environment is the only difference.

Each variable is read exactly once and stands in README's table (a test compares both).
"""

import logging
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from observability.logs.lines import configuration as log_configuration
from trainu import database, env
from trainu.faults import Provider

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = env.flag("TRAINU_DEBUG")
DATA_DIR = Path(env.text("TRAINU_DATA_DIR", str(BASE_DIR / ".data"))).resolve()
DATABASE_URL = env.secret("DATABASE_URL")


def _secret_key() -> str:
    """Return the configured key; on the embedded database, one that is made once and kept beside it."""
    configured = env.secret("TRAINU_SECRET_KEY")
    if configured:
        return configured
    if DATABASE_URL and not DEBUG:
        raise ImproperlyConfigured("TRAINU_SECRET_KEY must be set when DATABASE_URL is.")
    path = DATA_DIR / "secret_key"
    if not path.exists():
        DATA_DIR.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(get_random_secret_key(), encoding="utf-8")
    return path.read_text(encoding="utf-8")


SECRET_KEY = _secret_key()
ALLOWED_HOSTS = env.words("TRAINU_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("TRAINU_TRUSTED_ORIGINS")

# --- what runs ---------------------------------------------------------------------------------

# web, worker or command: decides time limits, pooling and the name in logs. `up` sets it.
PROCESS = env.text("TRAINU_PROCESS", "worker" if "qcluster" in sys.argv else "command")
if PROCESS not in database.TIME_LIMITS_MS:
    raise ImproperlyConfigured(f"TRAINU_PROCESS must be web, worker or command, not {PROCESS!r}.")

INSTALLED_APPS = [
    "trainu.apps.TrainuAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "ninja",
    # Before django_q, whose qcluster command it replaces.
    "trainu.apps.TrainuConfig",
    "sync",
    "observability",
    "django_q",
]

MIDDLEWARE = [
    "trainu.correlation.CorrelationMiddleware",
    "observability.errors.web.ErrorMiddleware",
    "observability.logs.requests.RequestLogMiddleware",
    "observability.timings.TimingMiddleware",
    "trainu.problem.ProblemMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "trainu.short_way.ShortWayMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "observability.logs.requests.UserMiddleware",
    "observability.audit.actor.ActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "trainu.urls"
WSGI_APPLICATION = "trainu.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

WEB_THREADS = env.number("TRAINU_WEB_THREADS", 8, minimum=1)
DATABASES = {
    "default": database.configuration(
        DATABASE_URL,
        process=PROCESS,
        data_dir=DATA_DIR,
        # Beside its request threads a web process has the health checks' and the one that flushes timings.
        pool_size=WEB_THREADS + 4,
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = "trainu.formats"

# --- what the browser gets ---------------------------------------------------------------------

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 300

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        # Django's own form widgets and the API page draw icons from data: URLs, which cannot run.
        "img-src": ["'self'", "data:"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "object-src": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"

# HTTPS ends at a proxy in production; it must set X-Forwarded-Proto itself.
HTTPS = env.flag("TRAINU_HTTPS")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^api/health/"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
LOGIN_URL = "admin:login"

# The API refuses bodies over 5 MiB itself, with a problem+json that says so.
DATA_UPLOAD_MAX_MEMORY_SIZE = 6 * 1024 * 1024

# --- workers -----------------------------------------------------------------------------------

Q_CLUSTER = {
    "name": "trainu",
    "orm": "default",
    # Ten lanes, each beside its successor for up to 35 s, and six for the rest. That needs no cluster of
    # its own: of what is no lane only purge, erasures and reconciliation take more than moments,
    # and a lane that has to wait for them has a predecessor at work. An idle worker is 5 MB.
    "workers": env.number("TRAINU_WORKERS", 26, minimum=4),
    # A lane runs 95 s; the guard ends a task at 113 s. `retry` counts from when a cluster takes a task out of
    # the queue into its memory, so it covers two such times: the wait there, and the run. The wait is no
    # longer, because only two tasks are in memory (one in the queue between the processes, one in the hand
    # of the pusher), and every worker comes free within 113 s.
    "timeout": 110,
    "retry": 240,
    "queue_limit": 1,
    "bulk": 1,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": 100,
    "catch_up": False,
    "poll": 0.2,
    "label": "Tasks",
}

# --- logs --------------------------------------------------------------------------------------

SERVICE = env.text("TRAINU_SERVICE", f"trainu-{PROCESS}")
LOGGING_CONFIG = "observability.logs.lines.configure"
LOGGING = log_configuration(
    service=SERVICE,
    stream="stderr" if PROCESS == "command" else "stdout",
    style=env.text("TRAINU_LOG_FORMAT", "console" if DEBUG else "json"),
    level=env.text("TRAINU_LOG_LEVEL", "INFO"),
)
# Lines from INFO on are kept in PostgreSQL too, where staff search them.
LOG_STORE = env.flag("TRAINU_LOG_STORE", True)

# One line a request, at its end. A 5xx is an error where it was caused, and only its echo here.
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_STATUS_5XX_LOG_LEVEL = logging.WARNING

# --- errors ------------------------------------------------------------------------------------

# Without a DSN errors are counted and logged here, and sent nowhere.
SENTRY_DSN = env.secret("SENTRY_DSN")
SENTRY_ENVIRONMENT = env.text("SENTRY_ENVIRONMENT", "development" if DEBUG else "production")
SENTRY_RELEASE = env.text("SENTRY_RELEASE")

# --- the observed ------------------------------------------------------------------------------

# Encrypt GoHighLevel's tokens. The first encrypts, all decrypt: put a new one in front to rotate.
CREDENTIAL_KEYS = env.secret("TRAINU_CREDENTIAL_KEYS") or SECRET_KEY
# GoHighLevel's API, or a simulator's on loopback.
GHL_BASE_URL = env.text("GHL_BASE_URL", "https://services.leadconnectorhq.com")
# Our app in its marketplace. Without it, locations are entered by the token of a private integration.
GHL_CLIENT_ID = env.text("GHL_CLIENT_ID")
GHL_CLIENT_SECRET = env.secret("GHL_CLIENT_SECRET")
# Where a location's owner allows our app in.
GHL_AUTHORIZE_URL = env.text(
    "GHL_AUTHORIZE_URL", "https://marketplace.gohighlevel.com/v2/oauth/chooselocation"
)
# What GoHighLevel signs webhooks with: every key it publishes, with commas between them.
GHL_WEBHOOK_KEYS = env.words(
    "GHL_WEBHOOK_KEYS", "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg="
)
# Its RSA key in PEM lets by what bears only the signature that GoHighLevel gave up in 2026. Empty: refused.
GHL_WEBHOOK_LEGACY_RSA = env.secret("GHL_WEBHOOK_LEGACY_RSA")
# Webhooks that name another app than this are not for us. Empty: any app's.
GHL_APP_ID = env.text("GHL_APP_ID")

# --- drafts ------------------------------------------------------------------------------------

# Any language model that speaks OpenAI's protocol. Without a model's name drafts wait, and pages say so.
LLM_BASE_URL = env.text("LLM_BASE_URL", "https://api.openai.com/v1").rstrip("/")
LLM_API_KEY = env.secret("LLM_API_KEY")
LLM_MODEL = env.text("LLM_MODEL")
# Under whose name its errors are counted: a word of `trainu.faults.Provider`.
LLM_PROVIDER = env.text("LLM_PROVIDER", "openai")
if LLM_PROVIDER not in set(Provider):
    raise ImproperlyConfigured(f"LLM_PROVIDER must be one of {', '.join(Provider)}, not {LLM_PROVIDER!r}.")
LLM_TIMEOUT_S = env.number("LLM_TIMEOUT_S", 30, minimum=1, maximum=60)
# Lets names, addresses and numbers of clients go to the model's provider, instead of placeholders.
LLM_PERSONAL_DATA = env.flag("LLM_PERSONAL_DATA")
# No approved draft is sent at this time of the client's day, which may go over midnight.
QUIET_HOURS = env.hours("TRAINU_QUIET_HOURS", "21:00-08:00")
# So many drafts a client gets on one of their days, at most.
MESSAGES_A_DAY = env.number("TRAINU_MESSAGES_A_DAY", 3, minimum=1)

# --- the observer ------------------------------------------------------------------------------

# Without a key nothing is forwarded, and the admin says so. host: the ingestion host of the project.
POSTHOG_API_KEY = env.secret("POSTHOG_API_KEY")
POSTHOG_HOST = env.text("POSTHOG_HOST", "https://eu.i.posthog.com")
# v0 is what every PostHog understands; v1 answers with a verdict per event.
POSTHOG_CAPTURE_MODE = env.text("POSTHOG_CAPTURE_MODE", "v0")
if POSTHOG_CAPTURE_MODE not in {"v0", "v1"}:
    raise ImproperlyConfigured(f"POSTHOG_CAPTURE_MODE must be v0 or v1, not {POSTHOG_CAPTURE_MODE!r}.")
# For `posthog_dashboards` alone. app host: where people look at PostHog, which is not the ingestion host.
POSTHOG_PERSONAL_KEY = env.secret("POSTHOG_PERSONAL_KEY")
POSTHOG_PROJECT_ID = env.number("POSTHOG_PROJECT_ID", 0)
POSTHOG_APP_HOST = env.text("POSTHOG_APP_HOST", "https://eu.posthog.com")
# Audit entries are kept for 365 days or more, whatever a policy says; this lifts that bound.
AUDIT_KEEP_UNDER_A_YEAR = env.flag("TRAINU_AUDIT_KEEP_UNDER_A_YEAR")
# Signs the audit chain's checkpoints. Whoever changes TRAINU_SECRET_KEY puts the old one here.
AUDIT_KEY = env.secret("TRAINU_AUDIT_KEY") or SECRET_KEY
# One request in N becomes an api_response_time and a database_query_time event; histograms see all.
TIMING_SAMPLE_EVERY = env.number("TRAINU_TIMING_SAMPLE_EVERY", 100)

# --- alerts ------------------------------------------------------------------------------------

# Where people reach this service: what links in alerts begin with.
PUBLIC_URL = env.text("TRAINU_PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
# PagerDuty's Events API v2; EU accounts have an address of their own.
PAGERDUTY_URL = env.text("PAGERDUTY_URL", "https://events.pagerduty.com").rstrip("/")
# For when PostgreSQL, where the channel's key stands, does not answer: processes then page by themselves.
PAGERDUTY_ROUTING_KEY = env.secret("PAGERDUTY_ROUTING_KEY")
# smtp://user:password@host:587?tls=starttls; smtps:// for TLS from the first byte.
EMAIL_URL = env.secret("EMAIL_URL")
EMAIL_FROM = env.text("EMAIL_FROM", "TrainU observability <observability@localhost>")
# The hour (UTC) from which the daily digest goes out.
DIGEST_HOUR = env.number("TRAINU_DIGEST_HOUR", 7, maximum=23)
# Pinged after each complete evaluation of the alerts: who hears nothing for five minutes calls somebody.
HEARTBEAT_URL = env.secret("HEARTBEAT_URL")
# Sentry's page of issues, to which incidents link, such as https://sentry.io/organizations/NAME/issues/.
SENTRY_ISSUES_URL = env.text("SENTRY_ISSUES_URL")

# --- what dashboards hold figures against --------------------------------------------------------

# What show-rates are held against: each trainer's first four full weeks, or two days as
# 2026-01-05/2026-02-01, which are then the first and last of everybody's.
SHOW_RATE_BASELINE = env.days("TRAINU_SHOW_RATE_BASELINE", otherwise="first-4-weeks")
