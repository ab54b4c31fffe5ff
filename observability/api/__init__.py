"""The observer's part of the API, one router a noun. Handlers parse, call one verb, and render."""

from observability.api.alert_rules import router as alert_rules
from observability.api.dashboards import router as dashboards
from observability.api.events import router as events
from observability.api.health import router as health
from observability.api.incidents import router as incidents
from observability.api.metrics import router as metrics
from observability.api.silences import router as silences

__all__ = ["alert_rules", "dashboards", "events", "health", "incidents", "metrics", "silences"]
