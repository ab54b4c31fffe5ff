"""The observer's part of the API, one router a noun. Handlers parse, call one verb, and render."""

from observability.api.dashboards import router as dashboards
from observability.api.events import router as events
from observability.api.health import router as health

__all__ = ["dashboards", "events", "health"]
