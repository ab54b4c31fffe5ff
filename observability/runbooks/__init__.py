"""Runbooks: what an alert, a cause or a topic means, how to look, what to do, when to call somebody.

The rule: one Markdown file a page in `pages`, named by its code, for readers who have never seen the code of
this service and have no shell. Names of pages and buttons stand in bold, as they stand in the admin, and
pages are linked by their URL names: tests hold both against the admin, and numbers against the code.
"""

from observability.runbooks.reading import Kind, Runbook, everything, find, search
from observability.runbooks.rendering import Rendered, render, targets

__all__ = ["Kind", "Rendered", "Runbook", "everything", "find", "render", "search", "targets"]
