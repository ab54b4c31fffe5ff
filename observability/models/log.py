"""The copy of log lines that staff can search: application lines and errors apart, each in day partitions.

Written only by `observability.logs.store`, by COPY. The rule: an error lies in the partitions of errors
and nowhere else, so that each kind is kept as long as its policy says, and goes by whole days.
"""

from django.db import models


class LogLine(models.Model):
    """One finished, redacted line. The stream that the process writes to remains the source of truth."""

    class Kind(models.TextChoices):
        APPLICATION = "application"
        ERROR = "error"

    class Level(models.TextChoices):
        DEBUG = "debug"
        INFO = "info"
        WARN = "warn"
        ERROR = "error"

    pk = models.CompositePrimaryKey("logged_at", "id")
    logged_at = models.DateTimeField(help_text="When it was logged, UTC; decides the partition.")
    id = models.BigIntegerField(help_text="In the order of storing; tells lines of one moment apart.")
    kind = models.TextField(choices=Kind.choices, help_text="Which retention it falls under.")
    level = models.TextField(choices=Level.choices)
    service = models.TextField(help_text="The process that logged it.")
    logger = models.TextField(help_text="The module that logged it.")
    event = models.TextField(help_text="The message.")
    correlation_id = models.TextField(help_text="The unit of work in hand, or the process outside of any.")
    user_id = models.TextField(null=True, help_text="The account in whose name it worked, if any.")  # noqa: DJ001
    rest = models.JSONField(help_text="Everything else on the line, the exception's text among it.")

    class Meta:
        db_table = "observability_logline"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.level} {self.event[:80]}"
