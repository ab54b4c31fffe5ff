"""What is known of an appointment in GoHighLevel: how it stands, how it came to that, what was told of it.

The rule: one row an appointment, changed under its lock by `sync.mirror.appointments`. Ids and times only.
"""

from django.db import models
from django.db.models import Q

from sync.mirror.seen import Status
from sync.models.location import Location

STATUSES = [(one.value, one.value.replace("_", " ").capitalize()) for one in Status]


class AppointmentState(models.Model):
    location = models.ForeignKey(
        Location, on_delete=models.CASCADE, related_name="appointment_states", db_index=False
    )
    appointment_id = models.CharField(max_length=100)
    # Empty: not said, or the person was erased.
    contact_id = models.CharField(max_length=100, blank=True)
    calendar_id = models.CharField(max_length=100, blank=True)
    assigned_user_id = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=12, choices=STATUSES, default=Status.UNKNOWN.value)
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    added_at = models.DateTimeField(null=True, help_text="When it was booked, as they say.")
    updated_at = models.DateTimeField(null=True, help_text="Of the version that counts as the last one.")
    first_seen_at = models.DateTimeField()
    is_deleted = models.BooleanField(default=False)
    is_ours = models.BooleanField(default=False, help_text="One of our jobs has booked it.")
    is_doubtful = models.BooleanField(default=False, help_text="Reconciliation will read it again.")
    history = models.JSONField(default=dict, help_text="Versions seen, and what was told. See sync.mirror.")

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["location", "starts_at"], name="appointment_by_start"),
            models.Index(fields=["starts_at"], name="appointment_by_age"),
            models.Index(fields=["contact_id"], condition=~Q(contact_id=""), name="appointment_by_contact"),
            models.Index(fields=["location"], condition=Q(is_doubtful=True), name="appointment_doubtful"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["appointment_id", "location"], name="one_state_an_appointment"),
            models.CheckConstraint(condition=~Q(appointment_id=""), name="appointment_state_has_an_id"),
            models.CheckConstraint(
                condition=Q(status__in=[word for word, _ in STATUSES]), name="appointment_status_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"Appointment {self.appointment_id}"
