"""What `up` says of each integration, in a line: whether it is on, and what would turn it on.

The rule: no line holds a secret, and an address may be one: at most its host is said.
"""

from urllib.parse import urlsplit

from django.conf import settings


def states(environment: dict[str, str]) -> dict[str, str]:
    """Return a line for each integration. environment: what the processes get beside their settings."""
    lines = {
        "PostHog": _posthog,
        "Sentry": _sentry,
        "GoHighLevel": _ghl,
        "Language model": _model,
        "Slack": _slack,
        "PagerDuty": _pagerduty,
        "Email": _email,
        "Heartbeat": _heartbeat,
    }
    return {name: line(environment) for name, line in lines.items()}


def _posthog(environment: dict[str, str]) -> str:
    """Return whether events go on, in a line."""
    if simulated := environment.get("POSTHOG_HOST"):
        return (
            "on    simulated on this machine, so nothing leaves it; dashboards too, with"
            f" POSTHOG_PERSONAL_KEY=phx_demo POSTHOG_PROJECT_ID=1 POSTHOG_APP_HOST={simulated}"
        )
    if settings.POSTHOG_API_KEY:
        return f"on    {settings.POSTHOG_HOST}"
    return "off   set POSTHOG_API_KEY to forward events; they wait until then"


def _sentry(environment: dict[str, str]) -> str:
    """Return whether errors go on, in a line."""
    if environment.get("SENTRY_DSN"):
        return "on    simulated on this machine"
    if settings.SENTRY_DSN:
        # Not the DSN itself: it holds a key.
        return f"on    {urlsplit(settings.SENTRY_DSN).hostname}"
    return "off   set SENTRY_DSN to send errors on; they are counted and logged here"


def _ghl(environment: dict[str, str]) -> str:
    """Return whether GoHighLevel is synchronised, in a line."""
    from sync.models import Location

    count = Location.objects.count()
    if not count:
        return "off   add a location under Operations to synchronise it"
    places = "1 location" if count == 1 else f"{count} locations"
    if simulated := environment.get("GHL_BASE_URL"):
        return f"on    {places}, simulated: {simulated}/_control/ tells how to break it"
    return f"on    {places}"


def _model(environment: dict[str, str]) -> str:
    """Return whether drafts are written, in a line."""
    if simulated := environment.get("LLM_BASE_URL"):
        return f"on    simulated: {simulated.removesuffix('/v1')}/ tells how it was asked"
    if not settings.LLM_MODEL:
        return "off   set LLM_MODEL, and LLM_API_KEY where it wants one; drafts wait until then"
    return f"on    {settings.LLM_MODEL} by {urlsplit(settings.LLM_BASE_URL).hostname}"


def _slack(environment: dict[str, str]) -> str:
    """Return whether alerts go to Slack, in a line."""
    if not _is_on("slack"):
        return "off   enter the address of a webhook under Channels, and turn it on; alerts wait until then"
    return _simulated(environment) or "on    where the webhook under Channels leads"


def _pagerduty(environment: dict[str, str]) -> str:
    """Return whether somebody is paged, in a line; also for when PostgreSQL is away."""
    if not _is_on("pagerduty"):
        return "off   enter an integration key under Channels, and turn it on, so that somebody is called"
    if simulated := _simulated(environment):
        return simulated
    if not settings.PAGERDUTY_ROUTING_KEY:
        return "on    but nobody is called while PostgreSQL is away: set PAGERDUTY_ROUTING_KEY too"
    return f"on    {urlsplit(settings.PAGERDUTY_URL).hostname}"


def _email(environment: dict[str, str]) -> str:
    """Return whether the daily digest goes out, in a line."""
    if not (environment.get("EMAIL_URL") or settings.EMAIL_URL):
        return "off   set EMAIL_URL for the daily digest, and who gets it under Channels"
    if not _is_on("email"):
        return "off   say under Channels who gets the daily digest, and turn it on"
    if environment.get("EMAIL_URL"):
        return f"{_simulated(environment)}; the digest from {settings.DIGEST_HOUR}:00 UTC on"
    return (
        f"on    by {urlsplit(settings.EMAIL_URL).hostname}, the digest from {settings.DIGEST_HOUR}:00 UTC on"
    )


def _heartbeat(environment: dict[str, str]) -> str:
    """Return whether somebody notices when nothing is watched any more, in a line."""
    if environment.get("HEARTBEAT_URL"):
        return _simulated(environment)
    if settings.HEARTBEAT_URL:
        return f"on    {urlsplit(settings.HEARTBEAT_URL).hostname}"
    return "off   set HEARTBEAT_URL, so that others notice when nobody watches here any more"


def _simulated(environment: dict[str, str]) -> str:
    desk = environment.get("PAGERDUTY_URL")
    return f"on    simulated: {desk}/ shows what came in" if desk else ""


def _is_on(kind: str) -> bool:
    from observability.models import Channel

    return Channel.objects.filter(pk=kind, is_enabled=True).exists()
