"""What `up --demo` adds: a small outside world on loopback, a staff login, and a history.

The rule: everything is generated from a seed and the calendar, so a second run adds only the days
that have passed since; nothing leaves this machine.
"""

import socket
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone
from pydantic import SecretStr
from tqdm import tqdm

from observability import api_keys, capture
from observability.models import ApiKey, Channel, Event
from observability.store import Origin
from sync.models import TrainerLogin
from trainu import roles
from trainu.demo import coaches, drafts, history, incidents, llm, measured, mistakes, monday, on_call, studios
from trainu.encryption import seal
from trainu.supervisor import Service

LOGIN = "staff"
BY = "demo"
TRAINER_EMAIL = "trainer@example.com"
APPS = "demo apps"
_BATCH = 1_000


def environment(*, seed: int) -> dict[str, str]:
    """Return the settings that point the service to the simulated world."""
    sentry, desk = _free_port(), f"http://127.0.0.1:{_free_port()}"
    return {
        "GHL_BASE_URL": f"http://127.0.0.1:{_free_port()}",
        "GHL_WEBHOOK_KEYS": studios.webhook_key(seed),
        "GHL_CLIENT_ID": "demo-client",
        "GHL_CLIENT_SECRET": "demo-client-secret",
        "POSTHOG_API_KEY": "phc_demo",
        "POSTHOG_HOST": f"http://127.0.0.1:{_free_port()}",
        "SENTRY_DSN": f"http://demo@127.0.0.1:{sentry}/1",
        "SENTRY_ENVIRONMENT": "demo",
        "SENTRY_ISSUES_URL": f"http://127.0.0.1:{sentry}/",
        "PAGERDUTY_URL": desk,
        "PAGERDUTY_ROUTING_KEY": on_call.PAGERDUTY_KEY,
        "LLM_BASE_URL": f"http://127.0.0.1:{_free_port()}/v1",
        "LLM_MODEL": llm.MODEL,
        "EMAIL_URL": f"smtp://127.0.0.1:{_free_port()}",
        "HEARTBEAT_URL": desk + on_call.HEARTBEAT_PATH,
    }


def services(settings: dict[str, str], *, seed: int, url: str) -> list[Service]:
    """Return the simulated PostHog, Sentry, model, GoHighLevel, apps and people on call as processes.

    url: of this service.
    """
    addresses = {
        "posthog": settings["POSTHOG_HOST"],
        "sentry": settings["SENTRY_DSN"],
        "llm": settings["LLM_BASE_URL"],
    }
    names = {
        "posthog": "Simulated PostHog",
        "sentry": "Simulated Sentry",
        "llm": "Simulated language model",
    }
    crm = urlsplit(settings["GHL_BASE_URL"]).port or 0
    desk = [str(urlsplit(settings[name]).port) for name in ("PAGERDUTY_URL", "EMAIL_URL")]
    traffic = [sys.executable, "-m", "trainu.demo.traffic", "--api", url, "--seed", str(seed)]
    return [
        *(
            Service(
                names[name], [sys.executable, "-m", f"trainu.demo.{name}", str(urlsplit(address).port)], {}
            )
            for name, address in addresses.items()
        ),
        studios.service(seed, port=crm, webhooks=f"{url}/api/webhooks/ghl"),
        Service("Simulated people on call", [sys.executable, "-m", "trainu.demo.on_call", *desk], {}),
        Service("Simulated apps", traffic, settings | {"TRAINU_DEMO_KEY": _app_key()}),
    ]


def connect_channels(settings: dict[str, str], *, now: datetime) -> None:
    """Let alerts go to the simulated people on call; what staff have entered since stays."""
    secrets = {
        "slack": settings["PAGERDUTY_URL"] + on_call.SLACK_PATH,
        "pagerduty": settings["PAGERDUTY_ROUTING_KEY"],
        "email": "",
    }
    for kind, secret in secrets.items():
        channel, _ = Channel.objects.get_or_create(pk=kind)
        if channel.changed_by not in ("", BY):
            continue
        channel.is_enabled, channel.changed_at, channel.changed_by = True, now, BY
        channel.secret = seal(SecretStr(secret)) if secret else b""
        channel.recipients = "on-call@example.com" if kind == "email" else ""
        channel.save()


def populate(*, days: int, seed: int, password: str, stream: Any) -> str:
    """Make the staff login and the history, with a progress bar; return the login as a line of text."""
    _ensure_staff(password)
    now = timezone.now()
    mistakes.make(now=now, seed=seed)
    studios.open_them(seed)
    places = studios.studios(seed)
    monday.make(places, now=now, seed=seed)
    trainers = coaches.coaches(places, seed)
    drafts.make(trainers, by=_ensure_trainer(trainers[0].trainer_id, password), now=now, seed=seed)
    measured.make(now=now, seed=seed, spells=incidents.spells(now))
    incidents.make(now=now, staff=_actors())
    today = now.astimezone(UTC).date()
    wanted = [today - timedelta(days=back) for back in range(days, -1, -1)]
    present = _days_present(wanted[0])
    missing = [day for day in wanted if day not in present or day >= today - timedelta(days=1)]
    origin = Origin("demo", "demo-history")
    # A terminal sees the bar move in its line; a log file gets a line's worth every few seconds.
    pace = {"file": stream, "ncols": 78, "mininterval": 0.1 if stream.isatty() else 5}
    for day in tqdm(missing, desc="Writing history", unit="day", **pace):
        happened = [one for one in history.day(day, seed=seed) if one.timestamp <= now]
        for start in range(0, len(happened), _BATCH):
            capture.persist(happened[start : start + _BATCH], origin)
    others = ", ".join(role.label for role in (*reversed(roles.ROLES), roles.TRAINER))
    return f"as {LOGIN} with the password {password}, with fewer rights as {others}"


def _days_present(first: Any) -> set[Any]:
    """Return the days whose history is already there: made whole by an earlier run."""
    rows = Event.objects.filter(
        source="demo", timestamp__gte=datetime.combine(first, datetime.min.time(), tzinfo=UTC)
    )
    return set(rows.values_list("timestamp__date", flat=True).distinct())


def _ensure_staff(password: str) -> None:
    """Make a login that may everything, and one for each role; all with the same password."""
    _ensure_login(LOGIN, password, is_superuser=True)
    for role in roles.ROLES:
        user = _ensure_login(role.label, password, is_superuser=False)
        user.groups.set([Group.objects.get(name=role.name)])


def _ensure_trainer(trainer_id: str, password: str) -> str:
    """Make the login of a trainer, who works their own drafts; return how the audit log calls them."""
    user = _ensure_login(roles.TRAINER.label, password, is_superuser=False)
    user.groups.set([Group.objects.get(name=roles.TRAINER.name)])
    if not user.email:
        user.email = TRAINER_EMAIL
        user.save(update_fields=["email"])
    TrainerLogin.objects.get_or_create(user=user, defaults={"trainer_id": trainer_id})
    return f"staff:{user.pk}"


def _actors() -> list[str]:
    """Return who works on incidents, as the audit log names people: whoever may, and no viewer."""
    users = get_user_model().objects.filter(username__in=[roles.OPERATOR.label, roles.LEAD.label])
    return [f"staff:{key}" for key in users.order_by("pk").values_list("pk", flat=True)]


def _ensure_login(name: str, password: str, *, is_superuser: bool) -> Any:
    user, _ = get_user_model().objects.get_or_create(
        username=name, defaults={"is_staff": True, "is_superuser": is_superuser}
    )
    if not user.check_password(password):
        user.set_password(password)
        user.save()
    return user


def _app_key() -> str:
    """Return a new API key for the simulated apps, in place of the one of an earlier run."""
    for old in ApiKey.objects.filter(name__startswith=APPS, revoked_at=None):
        api_keys.revoke(old, now=timezone.now())
    return api_keys.issue(f"{APPS} {timezone.now():%Y-%m-%d %H:%M:%S}", ["sync:write", "drafts:write"])[1]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
