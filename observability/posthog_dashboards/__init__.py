"""Dashboards in PostHog as code: declared here, brought to PostHog by `manage.py posthog_dashboards`.

The rule: only what carries our marker is ours (see `declared`); nothing else is changed or removed. Events
and properties are those of the catalog, and words are those of `observability.dashboards.definitions`
wherever the same is computed.
"""

from observability.posthog_dashboards.activation import ACTIVATION
from observability.posthog_dashboards.declared import Dashboard
from observability.posthog_dashboards.engagement import ENGAGEMENT
from observability.posthog_dashboards.show_rate import SHOW_RATE
from observability.posthog_dashboards.sync_health import SYNC_HEALTH

DASHBOARDS: tuple[Dashboard, ...] = (ACTIVATION, ENGAGEMENT, SHOW_RATE, SYNC_HEALTH)
