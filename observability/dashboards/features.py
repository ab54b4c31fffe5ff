"""The eight features of TrainU, and the events by which somebody uses one.

The rule: every event made by a human belongs to one feature, or is named as belonging to none; a test sees
to it that a new event is decided upon.
"""

from pyroaring import BitMap

from observability.people_sets import united

FEATURES = {
    "login": ("user_logged_in",),
    "directory": ("directory_search", "trainer_profile_viewed", "booking_cta_clicked"),
    "booking": ("booking_scheduled", "booking_confirmed", "booking_rescheduled", "booking_canceled"),
    "inbox": ("trainer_approved",),
    "digest": ("weekly_digest_viewed",),
    "goals": ("goal_updated", "goal_achieved", "progress_logged"),
    "files": ("file_uploaded",),
    "templates": ("template_applied",),
}
LABELS = {
    "login": "Login",
    "directory": "Directory",
    "booking": "Booking",
    "inbox": "Inbox",
    "digest": "Weekly digest",
    "goals": "Goals",
    "files": "Files",
    "templates": "Templates",
}
# They happen to everybody once, on the way in, and tell nothing about use.
OF_NO_FEATURE = frozenset(
    {"user_registered", "trainer_onboarded", "client_onboarded", "onboarding_step_completed", "lead_created"}
)


def users(days: list[dict[str, BitMap]]) -> dict[str, BitMap]:
    """Return who has used each feature on any of the days. days: of each, who had which event."""
    return {
        feature: united(day[event] for day in days for event in events if event in day)
        for feature, events in FEATURES.items()
    }
