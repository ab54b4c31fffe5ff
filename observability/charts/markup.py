"""Parts of a chart that there are hundreds of, as markup: rows of tables, values to point at, cells of grids.

The rule: every word from outside goes through `escape`. A template takes ten times as long for these, and a
page has thousands of them; all else of a chart is a template's.
"""

from collections.abc import Sequence
from html import escape

from django.utils.safestring import SafeString, mark_safe

from observability.charts import heat, lines
from observability.charts.pointing import Pointer
from observability.charts.tables import Row, Written


def rows(table: Written) -> SafeString:
    """Return the rows of a table's body."""
    return mark_safe("".join(map(_row, table.rows)))


def pointers(drawing: lines.Drawing) -> SafeString:
    """Return what shows the values of each x of a picture when it is pointed at."""
    return mark_safe("".join(_pointer(drawing, one) for one in drawing.pointers))


def cells(drawing: heat.Drawing) -> SafeString:
    """Return the cells of a grid, each with its words."""
    size = f'width="{drawing.cell_width}" height="{drawing.cell_height}" rx="2"'
    return mark_safe(
        "".join(
            f'<rect class="cell {cell.shade}" x="{cell.x}" y="{cell.y}" {size}>'
            f"<title>{escape(cell.words)}</title></rect>"
            for cell in drawing.cells
        )
    )


def options(choices: Sequence[str]) -> SafeString:
    """Return the options of a list to choose from."""
    return mark_safe("".join(f'<option value="{escape(one)}"></option>' for one in choices))


def _row(row: Row) -> str:
    name = escape(row.name)
    head = f'<a href="{escape(row.url)}">{name}</a>' if row.url else name
    body = "".join(
        f'<td class="num">{escape(words)}</td>' if is_number else f"<td>{escape(words)}</td>"
        for words, is_number in row.cells
    )
    return f'<tr><th scope="row">{head}</th>{body}</tr>\n'


def _pointer(drawing: lines.Drawing, one: Pointer) -> str:
    box = one.box
    dots = "".join(f'<circle class="dot s{look}" cx="{one.x}" cy="{y}" r="3"/>' for y, look in one.dots)
    named = "".join(
        (
            f'<rect class="key s{row.look}" x="{box.names_x}" y="{row.y}" width="8" height="8"'
            ' transform="translate(-12 -8)"/>'
            if row.look
            else ""
        )
        + f'<text x="{box.names_x}" y="{row.y}">{escape(row.name)}</text>'
        f'<text class="value" x="{box.values_x}" y="{row.y}" text-anchor="end">{escape(row.value)}</text>'
        for row in box.rows
    )
    return (
        f'<g class="pointer"><rect class="stripe" x="{one.stripe_x}" y="0" width="{one.stripe_width}"'
        f' height="{drawing.height}"/><g class="tip">'
        f'<path class="upright" d="M{one.x} {drawing.top}V{drawing.bottom}"/>{dots}'
        f'<rect class="box" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="4"/>'
        f'<text class="box-title" x="{box.x}" dx="7" y="34">{escape(box.title)}</text>{named}</g></g>'
    )
