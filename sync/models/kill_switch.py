"""The kill switch: while it is on, no message goes out to anybody. One row at most.

The rule: without a row it is off. One that is on says who turned it on, when and why.
"""

from django.db import models
from django.db.models import Q


class KillSwitch(models.Model):
    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    is_on = models.BooleanField(default=False)
    by = models.CharField(max_length=100, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    changed_at = models.DateTimeField(null=True)
    leaked_at = models.DateTimeField(
        null=True, help_text="When a message was seen to leave all the same, since it was turned on."
    )

    class Meta:
        default_permissions = ("view",)
        permissions = [("turn_killswitch", "Can turn the kill switch for messages on and off")]
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="there_is_one_kill_switch"),
            models.CheckConstraint(
                condition=Q(is_on=False) | ~Q(by="") & ~Q(reason="") & Q(changed_at__isnull=False),
                name="a_kill_switch_that_is_on_says_why",
            ),
        ]

    def __str__(self) -> str:
        return "Kill switch, on" if self.is_on else "Kill switch, off"
