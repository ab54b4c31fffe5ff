"""Saved views: filters of a list under a name, for the whole team.

The rule: a view is an address's query and nothing else; whoever opens it sees what they may see.
"""

from django.db import models
from django.db.models import Q


class SavedView(models.Model):
    name = models.CharField(max_length=60, unique=True)
    query = models.CharField(max_length=1_000, help_text="Of the list's address, without the question mark.")
    by = models.CharField(max_length=100)
    saved_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        default_permissions = ("view", "add", "delete")
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="a_saved_view_has_a_name")]

    def __str__(self) -> str:
        return self.name
