"""App configuration of the observed. ready() declares its schedules and what it keeps, and nothing else."""

from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "sync"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from sync import credentials, datasets, tasks
        from sync import personal as personal_jobs
        from sync.dead_letters import personal as personal_letters
        from sync.drafts import personal as personal_drafts
        from sync.mirror import personal as personal_mirror
        from sync.webhooks import personal, signature
        from trainu import schedules

        schedules.register(*tasks.SCHEDULES)
        datasets.declare()
        credentials.declare()
        personal.declare()
        personal_jobs.declare()
        personal_letters.declare()
        personal_drafts.declare()
        personal_mirror.declare()
        signature.check_configuration()
