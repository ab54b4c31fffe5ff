from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("observability", "0002_counters"),
    ]

    operations = [
        migrations.CreateModel(
            name="ErrorMinute",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "minute",
                        "severity",
                        "category",
                        "code",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("minute", models.DateTimeField()),
                ("severity", models.CharField(max_length=4)),
                ("category", models.CharField(max_length=32)),
                ("code", models.CharField(max_length=64)),
                ("errors", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "error count",
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("severity__in", ["SEV1", "SEV2", "SEV3"])),
                        name="error_severity_is_known",
                    )
                ],
            },
        ),
    ]
