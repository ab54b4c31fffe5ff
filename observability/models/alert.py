"""Alert rules, what their measures said by the minute, and where each stands.

The rule: the code seeds a rule once; its terms are staff's from then on. What a measure said is kept by the
minute, so that other terms can be tried on what has been.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Severity(models.TextChoices):
    SEV1 = "SEV1", "SEV1: data lost, or a mass of messages"
    SEV2 = "SEV2", "SEV2: sync fails, or it is slow"
    SEV3 = "SEV3", "SEV3: for the daily digest"


class AlertRule(models.Model):
    """When somebody is told. code: also the name of its measure and of its runbook.

    threshold, recovery: of the measure's value; recovery is the bound at which it is well again.
    """

    code = models.SlugField(max_length=40, primary_key=True)
    title = models.CharField(max_length=80)
    severity = models.CharField(max_length=4, choices=Severity)
    threshold = models.FloatField(help_text="Beyond it, something is wrong.")
    recovery = models.FloatField(help_text="Within it, it is well again. Not beyond the threshold.")
    window_minutes = models.PositiveIntegerField(help_text="So many minutes are looked at together.")
    min_sample = models.PositiveIntegerField(
        default=0, help_text="With fewer cases in the window nothing is known."
    )
    min_bad = models.PositiveIntegerField(default=0, help_text="With fewer bad cases nothing fires.")
    needs_confidence = models.BooleanField(
        default=False, help_text="A share fires only where chance alone explains it in one case of forty."
    )
    for_minutes = models.PositiveIntegerField(default=0, help_text="Beyond the threshold for so long.")
    recovery_minutes = models.PositiveIntegerField(default=5, help_text="Within the bound for so long.")
    repeat_minutes = models.PositiveIntegerField(
        default=240, help_text="Told again so often while nobody has acknowledged it. 0: never."
    )
    channels = ArrayField(models.CharField(max_length=16), help_text="Who is told: slack, pagerduty, email.")
    is_enabled = models.BooleanField(default=True)
    changed_at = models.DateTimeField(null=True)
    changed_by = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering = ["severity", "code"]
        default_permissions = ("view", "change")
        constraints = [
            models.CheckConstraint(
                condition=Q(severity__in=["SEV1", "SEV2", "SEV3"]), name="alert_severity_is_known"
            ),
            models.CheckConstraint(
                condition=Q(channels__contained_by=["slack", "pagerduty", "email"]),
                name="alert_channels_are_known",
            ),
            models.CheckConstraint(condition=Q(window_minutes__gt=0), name="alert_window_is_positive"),
        ]

    def __str__(self) -> str:
        return self.title


class Evaluation(models.Model):
    """How the rules were looked at last: one row. digest_on: of which day the digest was written last.

    broken: codes of rules whose measure broke. pinged_at: when the dead man's switch last heard of us.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    evaluated_at = models.DateTimeField(null=True, help_text="When all rules were last looked at.")
    broken = ArrayField(models.CharField(max_length=40), default=list)
    digest_on = models.DateField(null=True)
    pinged_at = models.DateTimeField(null=True)
    ping_code = models.CharField(max_length=64, blank=True, help_text="Why the last ping failed.")

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="there_is_one_evaluation")]

    def __str__(self) -> str:
        return "Evaluation"


class MeasureMinute(models.Model):
    """What a measure said of a minute. Of a rate, bad and total cases; otherwise the value alone."""

    pk = models.CompositePrimaryKey("measure", "group", "minute")
    measure = models.CharField(max_length=40)
    group = models.CharField(max_length=64)
    minute = models.DateTimeField()
    value = models.FloatField(null=True)
    bad = models.FloatField(null=True)
    total = models.FloatField(null=True)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["measure", "minute"], name="measure_minute_by_time")]

    def __str__(self) -> str:
        return f"{self.measure} {self.minute:%Y-%m-%d %H:%M}"


class RuleState(models.Model):
    """Where a rule stands for one group, as `observability.alerts.evaluation.State` has it."""

    pk = models.CompositePrimaryKey("rule", "group")
    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE)
    group = models.CharField(max_length=64)
    phase = models.CharField(max_length=8)
    since = models.DateTimeField(null=True)
    well_since = models.DateTimeField(null=True)
    starts = ArrayField(models.DateTimeField(), default=list)
    value = models.FloatField(null=True)
    sample = models.FloatField(null=True)
    evaluated_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(phase__in=["ok", "pending", "firing"]), name="rule_state_phase_is_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.group}"
