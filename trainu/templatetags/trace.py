"""Correlation ids on pages: `{% correlation_id %}` names the page, `|trace_url` leads to all of an id."""

from django import template
from django.urls import NoReverseMatch, reverse

from trainu import correlation

register = template.Library()

register.simple_tag(correlation.current, name="correlation_id")


@register.filter
def trace_url(correlation_id: str) -> str:
    """Return the address of everything with this id; empty where the id has none, as one with a slash."""
    try:
        return reverse("admin:trace", args=[correlation_id])
    except NoReverseMatch:
        return ""
