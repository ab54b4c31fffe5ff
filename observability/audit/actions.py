"""What can be done to this service that is worth an entry: a closed vocabulary, one word an act.

The rule: `group.act`. A new verb for operators adds a line here, and calls `recording.record` in its own
transaction.
"""

from enum import StrEnum


class Action(StrEnum):
    """An act. The part before the dot groups acts in the admin's filter."""

    ADMIN_ADD = "admin.add"
    ADMIN_CHANGE = "admin.change"
    ADMIN_DELETE = "admin.delete"
    SESSION_LOGIN = "session.login"
    SESSION_LOGIN_FAILED = "session.login_failed"
    SESSION_LOGOUT = "session.logout"
    ROLE_CHANGE = "role.change"
    PASSWORD_CHANGE = "password.change"
    API_KEY_ISSUE = "api_key.issue"
    API_KEY_REVOKE = "api_key.revoke"
    QUARANTINE_REINGEST = "quarantine.reingest"
    DEFINITION_FORWARDING = "definition.forwarding"
    FORWARDER_PAUSE = "forwarder.pause"
    FORWARDER_RESUME = "forwarder.resume"
    FORWARDER_RESEND = "forwarder.resend"
    POSTHOG_PROVISION = "posthog.provision"
    TASK_REQUEUE = "task.requeue"
    WATERMARK_RESET = "watermark.reset"
    ROLLUPS_REBUILD = "rollups.rebuild"
    ALERT_CHANGE = "alert.change"
    INCIDENT_ACKNOWLEDGE = "incident.acknowledge"
    INCIDENT_RESOLVE = "incident.resolve"
    INCIDENT_NOTE = "incident.note"
    INCIDENT_OWN = "incident.own"
    INCIDENT_REPORT = "incident.report"
    SILENCE_BEGIN = "silence.begin"
    SILENCE_END = "silence.end"
    CHANNEL_CHANGE = "channel.change"
    CHANNEL_TEST = "channel.test"
    NOTIFICATION_RESEND = "notification.resend"
    CONFIGURATION_CHANGE = "configuration.change"
    RETENTION_CHANGE = "retention.change"
    DATA_REVEAL = "data.reveal"
    DATA_EXPORT = "data.export"
    DATA_PURGE = "data.purge"
    DATA_FORGET = "data.forget"
    LOCATION_ADD = "location.add"
    LOCATION_PAUSE = "location.pause"
    LOCATION_RESUME = "location.resume"
    LOCATION_CONNECT = "location.connect"
    JOB_RETRY_NOW = "job.retry_now"
    DRAFT_APPROVE = "draft.approve"
    DRAFT_RECALL = "draft.recall"
    DRAFT_REGENERATE = "draft.regenerate"
    DRAFT_RETRY = "draft.retry"
    DRAFT_SNOOZE = "draft.snooze"
    DRAFT_WAKE = "draft.wake"
    DRAFT_DISMISS = "draft.dismiss"
    DEAD_LETTER_REDRIVE = "dead_letter.redrive"
    DEAD_LETTER_CHANGE = "dead_letter.change"
    DEAD_LETTER_DISCARD = "dead_letter.discard"
    DEAD_LETTER_RESTORE = "dead_letter.restore"
    DEAD_LETTER_ASSIGN = "dead_letter.assign"
    DEAD_LETTER_NOTE = "dead_letter.note"
    DEAD_LETTER_ACKNOWLEDGE = "dead_letter.acknowledge"
    DEAD_LETTER_SNOOZE = "dead_letter.snooze"
    BULK_START = "bulk.start"
    BULK_APPROVE = "bulk.approve"
    BULK_PAUSE = "bulk.pause"
    BULK_RESUME = "bulk.resume"
    BULK_CANCEL = "bulk.cancel"
    KILL_SWITCH_ON = "kill_switch.on"
    KILL_SWITCH_OFF = "kill_switch.off"
    MESSAGE_RELEASE = "message.release"
    MESSAGE_DISCARD = "message.discard"
    WORKFLOW_ADDRESS_ISSUE = "workflow_address.issue"
    WORKFLOW_ADDRESS_REVOKE = "workflow_address.revoke"
    VIEW_SAVE = "view.save"
    VIEW_REMOVE = "view.remove"
    WEBHOOK_REDRIVE = "webhook.redrive"
    RECONCILIATION_START = "reconciliation.start"


# What the groups are called on pages; a group without a line here is called by its own name.
_GROUP_WORDS = {
    "admin": "Records in the admin",
    "session": "Signing in and out",
    "api_key": "API keys",
    "posthog": "PostHog dashboards",
    "job": "Sync jobs",
    "dead_letter": "Dead letters",
    "bulk": "Bulk operations",
    "view": "Saved views",
}


def in_words(action: str) -> str:
    """Return an act as staff read it: "Dead letters: redrive"."""
    group, _, act = action.partition(".")
    return f"{_group_in_words(group)}: {act.replace('_', ' ')}"


def groups() -> list[tuple[str, str]]:
    """Return the groups of acts with their words, in the order of the vocabulary."""
    names = dict.fromkeys(action.partition(".")[0] for action in Action)
    return [(name, _group_in_words(name)) for name in names]


def _group_in_words(name: str) -> str:
    return _GROUP_WORDS.get(name, name.replace("_", " ").capitalize())
