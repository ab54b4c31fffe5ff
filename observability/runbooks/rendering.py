"""Runbooks as HTML: Markdown without HTML of its own, headings with ids, links to pages of the admin.

The rules: a link is `admin:NAME`, with a query where there is one, or `runbook:CODE`; what leads nowhere
stays as plain words, for a page that is read at night must not break. Made once a process.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from markdown_it import MarkdownIt
from markdown_it.token import Token

from observability.runbooks.reading import Runbook, find


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page as HTML. contents: id and words of each of its sections."""

    html: SafeString
    contents: tuple[tuple[str, str], ...]


def _opened_table(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    label = escape(str(tokens[index].meta["label"]))
    return f'<div class="table-wrap" tabindex="0" role="region" aria-label="{label}"><table class="table">'


def _closed_table(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return "</table></div>"


_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
_markdown.add_render_rule("table_open", _opened_table)
_markdown.add_render_rule("table_close", _closed_table)


@cache
def render(runbook: Runbook) -> Rendered:
    """Return a page as HTML, with its links resolved."""
    tokens = _markdown.parse(runbook.text)
    contents = []
    heading = runbook.title
    tables = 0
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = tokens[index + 1].content
            token.attrSet("id", slugify(heading))
            contents.append((slugify(heading), heading))
        elif token.type == "table_open":
            tables += 1
            # Regions of one page are told apart by their names.
            token.meta["label"] = f"Table {tables}: {heading}"
    for link, closing in _links(tokens):
        if address := _address(str(link.attrs["href"])):
            link.attrSet("href", address)
        else:
            link.hidden = closing.hidden = True
    html = _markdown.renderer.render(tokens, _markdown.options, {})
    # All of it was written by markdown-it, which escapes what it does not write itself.
    return Rendered(mark_safe(html), tuple(contents))


def targets(runbook: Runbook) -> list[tuple[str, str]]:
    """Return where a page's links lead: as written, and the address, empty where there is none."""
    written = [str(link.attrs["href"]) for link, _ in _links(_markdown.parse(runbook.text))]
    return [(target, _address(target)) for target in written]


def _links(tokens: Sequence[Token]) -> Iterator[tuple[Token, Token]]:
    """Yield where each link begins and ends. One holds no other."""
    for token in tokens:
        opened: Token | None = None
        for child in token.children or ():
            if child.type == "link_open":
                opened = child
            elif child.type == "link_close" and opened is not None:
                yield opened, child


def _address(target: str) -> str:
    scheme, _, rest = target.partition(":")
    name, question, query = rest.partition("?")
    if scheme == "runbook":
        return _reversed("admin:runbook", [name]) if find(name) else ""
    if scheme == "admin":
        address = _reversed(f"admin:{name}", [])
        return f"{address}{question}{query}" if address else ""
    return ""


def _reversed(name: str, arguments: list[str]) -> str:
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""
