"""The sidebar: what there is, in which order, and who sees it. One line here adds one entry.

The rule: an entry whose page does not exist, or that the reader may not open, is not shown. Kernel:
imports no app, so apps hand in their counts with `site.register_badge`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, PermissionsMixin
from django.core.cache import cache
from django.db import DatabaseError
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

log = structlog.get_logger(__name__)

BADGE_AGE = timedelta(seconds=30)
MOST_SHOWN = 999
HOME = "admin:index"


@dataclass(frozen=True)
class Item:
    """An entry as declared. permission: "app.view_model", or empty for every member of staff."""

    label: str
    url_name: str
    permission: str = ""


@dataclass(frozen=True)
class Section:
    title: str
    items: tuple[Item, ...]


SECTIONS = (
    Section("", (Item("Home", HOME), Item("Overview", "admin:overview"))),
    Section(
        "AI agent",
        (
            Item("AI Inbox", "admin:sync_inbox", "sync.open_inbox"),
            Item("Weekly digests", "admin:sync_digests", "sync.open_inbox"),
            Item("Trainers' logins", "admin:sync_trainerlogin_changelist", "sync.view_trainerlogin"),
        ),
    ),
    Section(
        "Dashboards",
        (
            Item("Activation", "admin:dashboard_activation", "observability.view_dashboard"),
            Item("Engagement", "admin:dashboard_engagement", "observability.view_dashboard"),
            Item("Show-rate", "admin:dashboard_show_rate", "observability.view_dashboard"),
            Item("Sync health", "admin:dashboard_sync_health", "observability.view_sync_health"),
        ),
    ),
    Section(
        "Operations",
        (
            Item("Jobs in flight", "admin:sync_flight", "sync.view_syncjob"),
            Item("Dead letters", "admin:sync_causegroup_changelist", "sync.view_causegroup"),
            Item("All dead letters", "admin:sync_deadletter_changelist", "sync.view_deadletter"),
            Item("Bulk operations", "admin:sync_bulkoperation_changelist", "sync.view_bulkoperation"),
            Item("Jobs", "admin:sync_syncjob_changelist", "sync.view_syncjob"),
            Item("Locations", "admin:sync_location_changelist", "sync.view_location"),
            Item("Kill switch", "admin:sync_kill_switch", "sync.view_killswitch"),
            Item("Reconciliations", "admin:sync_reconciliation_changelist", "sync.view_reconciliation"),
            Item("Silent locations", "admin:sync_silence_changelist", "sync.view_silence"),
            Item("Appointments", "admin:sync_appointmentstate_changelist", "sync.view_appointmentstate"),
            Item("Contacts", "admin:sync_contactstate_changelist", "sync.view_contactstate"),
        ),
    ),
    Section(
        "Alerts",
        (
            Item("Incidents", "admin:observability_incident_changelist", "observability.view_incident"),
            Item("Alert rules", "admin:observability_alertrule_changelist", "observability.view_alertrule"),
            Item("Silences", "admin:observability_silence_changelist", "observability.view_silence"),
            Item("Channels", "admin:observability_channel_changelist", "observability.view_channel"),
            Item(
                "Notifications",
                "admin:observability_notification_changelist",
                "observability.view_notification",
            ),
            Item("Runbooks", "admin:runbooks", "observability.view_incident"),
        ),
    ),
    Section(
        "Observe",
        (
            Item("Health", "admin:health", "observability.view_event"),
            Item("Events", "admin:events", "observability.view_event"),
            Item(
                "Event definitions",
                "admin:observability_eventdefinition_changelist",
                "observability.view_eventdefinition",
            ),
            Item(
                "Quarantine",
                "admin:observability_quarantinegroup_changelist",
                "observability.view_quarantinegroup",
            ),
            Item("PostHog forwarding", "admin:forwarding", "observability.view_forwarder"),
            Item("Errors", "admin:errors", "observability.view_errorminute"),
            Item("Logs", "admin:logs", "observability.view_logline"),
            Item("Trace", "admin:trace_search", "observability.view_logline"),
        ),
    ),
    Section(
        "System",
        (
            Item("Audit", "admin:audit", "observability.view_auditentry"),
            Item("API keys", "admin:observability_apikey_changelist", "observability.view_apikey"),
            Item(
                "Retention",
                "admin:observability_retentionpolicy_changelist",
                "observability.view_retentionpolicy",
            ),
            Item("Purges", "admin:observability_purgerun_changelist", "observability.view_purgerun"),
            Item("Erasures", "admin:observability_erasure_changelist", "observability.view_erasure"),
            Item("Schedules", "admin:django_q_schedule_changelist", "django_q.view_schedule"),
            Item("Failed tasks", "admin:django_q_failure_changelist", "django_q.view_failure"),
            Item("Users", "admin:auth_user_changelist", "auth.view_user"),
            Item("Groups", "admin:auth_group_changelist", "auth.view_group"),
            Item("API documentation", "api:openapi-view"),
        ),
    ),
)


@dataclass(frozen=True)
class Link:
    """An entry as one reader sees it on one page. badge: a count, or None where there is nothing to say."""

    label: str
    url: str
    is_current: bool
    badge: int | None

    @property
    def badge_words(self) -> str:
        """The count as it fits beside a label; empty for none."""
        return f"{MOST_SHOWN}+" if (self.badge or 0) > MOST_SHOWN else str(self.badge or "")


@dataclass(frozen=True)
class Menu:
    title: str
    links: tuple[Link, ...]


def may(user: AbstractBaseUser | AnonymousUser, permission: str) -> bool:
    """Return whether `user` holds `permission`; as in Django's admin, who may change may also view."""
    if not permission:
        return True
    if not isinstance(user, PermissionsMixin):
        return False
    return user.has_perm(permission) or user.has_perm(permission.replace(".view_", ".change_"))


def menus(
    request: HttpRequest, badges: Mapping[str, Callable[[], int]], *, is_small: bool = False
) -> list[Menu]:
    """Return the sections this reader sees, with the current page marked.

    badges: by URL name, what counts the open items of that page. is_small: without the entries that are for
    every member of staff.
    """
    found = [(section, _reachable(section, request, is_small)) for section in SECTIONS]
    current = _current(request.path, [url for _, pairs in found for _, url in pairs])
    return [
        Menu(
            section.title,
            tuple(
                Link(item.label, url, url == current, _count(item.url_name, badges)) for item, url in pairs
            ),
        )
        for section, pairs in found
        if pairs
    ]


def _reachable(section: Section, request: HttpRequest, is_small: bool) -> list[tuple[Item, str]]:
    """Return the section's entries that exist and that the reader may open, with their addresses."""
    pairs = []
    for item in section.items:
        if (is_small and not item.permission) or not may(request.user, item.permission):
            continue
        try:
            pairs.append((item, reverse(item.url_name)))
        except NoReverseMatch:
            continue
    return pairs


def _current(path: str, urls: Sequence[str]) -> str | None:
    """Return the address that `path` is at or below: the longest one. Everything is below Home, so that one
    counts only as itself."""
    home = reverse(HOME)
    matches = [url for url in urls if path == url or (url != home and path.startswith(url))]
    return max(matches, key=len, default=None)


def _count(url_name: str, badges: Mapping[str, Callable[[], int]]) -> int | None:
    """Return the page's count, at most half a minute old; None when it has none or cannot be counted."""
    count = badges.get(url_name)
    if count is None:
        return None

    def counted() -> int | None:
        try:
            return count()
        except DatabaseError as error:
            # A badge that times out must not take every page of the admin down with it.
            sqlstate = getattr(error.__cause__, "sqlstate", None)
            log.warning("badge_not_counted", url_name=url_name, sqlstate=sqlstate)
            return None

    return cache.get_or_set(f"badge:{url_name}", counted, BADGE_AGE.total_seconds())
