"""App configuration of the observer. ready() connects the wires, and does nothing else."""

from django.apps import AppConfig


class ObservabilityConfig(AppConfig):
    name = "observability"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from observability import rate_limit, receivers
        from observability.alerts.measures import catalog as measures
        from observability.dashboards import catalog
        from observability.errors import sentry
        from trainu import scopes

        receivers.connect()
        catalog.declare()
        measures.declare()
        scopes.recognise_by(rate_limit.admit)
        sentry.configure()
