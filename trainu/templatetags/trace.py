"""`{% correlation_id %}` for pages that have no context: error pages, and the foot of every page."""

from django import template

from trainu import correlation

register = template.Library()

register.simple_tag(correlation.current, name="correlation_id")
