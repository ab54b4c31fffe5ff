"""Stored events: one row an event, partitioned by day of its own time, never changed after the insert.

Written only by `observability.store`. `xid` is the transaction that wrote the row: roll-up and
forwarder walk along it behind the oldest running transaction, so a late commit is never skipped.
"""

from django.db import models


class Event(models.Model):
    pk = models.CompositePrimaryKey("timestamp", "uuid")
    timestamp = models.DateTimeField(help_text="When it happened, UTC; decides the partition.")
    uuid = models.UUIDField(help_text="The client's own id of the event; a resend is recognised by it.")
    event = models.TextField(help_text="Name from the catalog or of a custom event.")
    distinct_id = models.TextField(help_text="Whom the event is about.")
    properties = models.JSONField(help_text="The event's typed details, redacted.")
    correlation_id = models.TextField(help_text="The unit of work that reported it.")
    source = models.TextField(help_text="The door it came through: api, posthog, python, demo.")
    api_key_id = models.BigIntegerField(null=True, help_text="The key that reported it, if any.")
    received_at = models.DateTimeField(help_text="When it was stored.")
    xid = models.BigIntegerField(help_text="The transaction that stored it.")

    class Meta:
        db_table = "observability_event"
        permissions = [("export_event", "Can export events")]

    def __str__(self) -> str:
        return f"{self.event} {self.uuid}"


class SeenUuid(models.Model):
    """Every uuid stored lately, across partitions: the same uuid with another timestamp is a resend."""

    uuid = models.UUIDField(primary_key=True)
    seen_on = models.DateField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.uuid)


class BackfilledDay(models.Model):
    """A day further back than ordinary events reach, and the last transaction that wrote into it."""

    day = models.DateField(primary_key=True)
    xid = models.BigIntegerField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.day)
