"""What each check of health is called for staff, what it means that it does not pass, and what to do then.

The rule: every check has words here; a test holds it. A page that does not exist yet is no way: then the
page of health itself is.
"""

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse

from observability.health import Status

HOME = "admin:health"
STATES = {Status.PASS: "Well", Status.WARN: "Degraded", Status.FAIL: "Failing"}
TONES = {Status.PASS: "ok", Status.WARN: "warn", Status.FAIL: "bad"}


@dataclass(frozen=True, slots=True)
class Words:
    """title: of what. trouble: what is wrong, in the middle of a sentence. step: what to do, where the
    check does not say so itself. page: where to do it."""

    title: str
    trouble: str
    page: str
    step: str = ""

    @property
    def url(self) -> str:
        try:
            return reverse(self.page)
        except NoReverseMatch:
            return reverse(HOME)


_SCHEDULES = "admin:django_q_schedule_changelist"
CHECKS = {
    "database": Words(
        "Database",
        "the database does not answer",
        HOME,
        "Nothing can be stored. Look at the database server first.",
    ),
    "migrations": Words(
        "Migrations",
        "migrations have not been run",
        HOME,
        "Run manage.py migrate: this release does not fit the tables.",
    ),
    "partitions": Words(
        "Room for events",
        "room for tomorrow's events is missing",
        _SCHEDULES,
        "The schedule “partitions” has not run. See whether the workers do.",
    ),
    "workers": Words(
        "Workers",
        "no sign of life from the workers",
        _SCHEDULES,
        "Nothing is sent or worked off. Start the workers, or see in their log why they ended.",
    ),
    "rollups": Words(
        "Counts", "the counts are late", _SCHEDULES, "Counts and cards are old. See whether the workers run."
    ),
    "ghl": Words(
        "GoHighLevel",
        "GoHighLevel does not answer as it should",
        "admin:sync_flight",
        "See which locations wait.",
    ),
    "posthog": Words(
        "PostHog",
        "PostHog does not get events",
        "admin:forwarding",
        "Events wait and are not lost. The page says since when, and why.",
    ),
    "sentry": Words(
        "Sentry",
        "Sentry does not get every error",
        "admin:errors",
        "Errors are counted and logged here in any case.",
    ),
    "alerts": Words(
        "Alerts",
        "not all of alerting works",
        "admin:observability_alertrule_changelist",
        "Nobody may be told of what goes wrong. See whether the workers run, and in Errors which rule broke.",
    ),
    "channels": Words(
        "Notifications",
        "notifications do not get out",
        "admin:observability_notification_changelist",
    ),
    "retention": Words(
        "Retention",
        "data is kept longer than its policy allows",
        "admin:observability_retentionpolicy_changelist",
        "The page says which data, and what holds it back.",
    ),
    "audit": Words(
        "Audit log",
        "the audit log was not verified for a while",
        "admin:audit",
        "See whether the schedule “audit verification” runs.",
    ),
    "logs": Words(
        "Logs",
        "log lines had to be dropped",
        "admin:logs",
        "More was written than could be kept. The page says how many lines are missing.",
    ),
    "sync": Words("Sync", "jobs for GoHighLevel or its webhooks wait", "admin:sync_location_changelist"),
    "dead_letters": Words(
        "Dead letters", "dead letters wait for somebody", "admin:sync_causegroup_changelist"
    ),
    "drafts": Words("Drafts", "drafts wait to be written", "admin:sync_inbox"),
}


def of(name: str) -> Words:
    """Return the words for a check; plain ones for a name that nobody has given any."""
    return CHECKS.get(name) or Words(name, f"the check “{name}” does not pass", HOME)
