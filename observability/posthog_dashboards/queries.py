"""Queries of PostHog's schema, built so that one place knows its spelling.

The rule: whatever a person could change in PostHog and thereby change the number (filters, range, interval,
breakdown) is written out, also where it is empty, for only what is written out is compared and restored.
"""

from collections.abc import Sequence
from typing import Any, Literal

from observability.posthog_dashboards.declared import Json

Math = Literal["total", "dau", "weekly_active", "first_time_for_user", "median", "p95", "p99"]
Interval = Literal["hour", "day", "week", "month"]
Display = Literal["ActionsLineGraph", "ActionsBar", "ActionsTable", "ActionsAreaGraph"]


def event(
    name: str,
    *,
    math: Math = "total",
    of: str = "",
    label: str = "",
    where: dict[str, str] | None = None,
) -> Json:
    """Return a series. of: the property that a median or percentile is taken of. where: property, value."""
    return {
        "kind": "EventsNode",
        "event": name,
        "name": name,
        "custom_name": label or None,
        "math": math,
        "math_property": of or None,
        "properties": [
            {"key": key, "value": [value], "operator": "exact", "type": "event"}
            for key, value in (where or {}).items()
        ],
    }


def trends(
    *series: Json,
    interval: Interval,
    since: str = "-90d",
    breakdown: str = "",
    display: Display = "ActionsLineGraph",
) -> Json:
    """Return counts over time. since: how far back, such as -90d. breakdown: a property of the events."""
    return _shown(
        {
            "kind": "TrendsQuery",
            "series": list(series),
            "interval": interval,
            "dateRange": {"date_from": since, "date_to": None},
            "properties": [],
            "filterTestAccounts": False,
            "breakdownFilter": {"breakdown": breakdown, "breakdown_type": "event"} if breakdown else {},
            "trendsFilter": {"display": display},
        }
    )


def funnel(*steps: Json, within_days: int, since: str = "-90d", by: str = "") -> Json:
    """Return how many get from step to step, in order. by: HogQL of whatever goes through; else persons."""
    return _shown(
        {
            "kind": "FunnelsQuery",
            "series": list(steps),
            "dateRange": {"date_from": since, "date_to": None},
            "properties": [],
            "filterTestAccounts": False,
            "breakdownFilter": {},
            "funnelsFilter": {
                "funnelVizType": "steps",
                "funnelOrderType": "ordered",
                "funnelWindowInterval": within_days,
                "funnelWindowIntervalUnit": "day",
                "funnelAggregateByHogQL": by or None,
            },
        }
    )


def retention(first: str, again: str, *, weeks: int) -> Json:
    """Return by week of a person's first event `first`, who has an event `again` in the weeks after it."""
    return _shown(
        {
            "kind": "RetentionQuery",
            "dateRange": {"date_from": f"-{weeks - 1}w", "date_to": None},
            "properties": [],
            "filterTestAccounts": False,
            "retentionFilter": {
                "retentionType": "retention_first_time",
                "period": "Week",
                "totalIntervals": weeks,
                "targetEntity": {"id": first, "name": first, "type": "events"},
                "returningEntity": {"id": again, "name": again, "type": "events"},
            },
        }
    )


def sql(query: str, *, x: str = "", y: Sequence[str] = (), display: Display = "ActionsLineGraph") -> Json:
    """Return a query in HogQL. x, y: the columns that a chart shows; none for a table."""
    shown: dict[str, Any] = {"xAxis": {"column": x}, "yAxis": [{"column": name} for name in y]} if x else {}
    return {
        "kind": "DataVisualizationNode",
        "source": {"kind": "HogQLQuery", "query": query.strip(), "filters": {}},
        "display": display if x else "ActionsTable",
        "chartSettings": shown,
    }


def _shown(source: Json) -> Json:
    return {"kind": "InsightVizNode", "source": source}
