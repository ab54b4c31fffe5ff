"""What a set of letters looks like before anything is done to it: how many, of which causes, the first of
them, and what stands in their way.

The rule: one statement counts all of it, so the figures of a page are of one moment and add up. Nothing is
read beyond what one bulk operation may hold.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from sync.dead_letters import approval, bulk, preflight, search
from sync.dead_letters.chosen import Chosen
from sync.dead_letters.preflight import Finding
from sync.models import BulkOperation, CauseGroup, DeadLetter, Location
from trainu.admin_rendering import seen
from trainu.bounded_query import bounded

MOST_LETTERS = 10
MOST_CAUSES = 10

_SURVEY = """
with chosen(id, group_id, location_id) as materialized ({letters})
select group_id, location_id, count(*), null::bigint from chosen group by 1, 2
union all
(select null, null, 0, id from chosen order by id limit %s)
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """count: of all letters, no further than one more than an operation may hold. messages: that they send.

    causes: with their letters, the most first; other_causes: how many more there are. held: of locations
    that nothing is sent for now, the names and letters. letters: those that come first, with what is known.
    """

    count: int
    messages: int
    causes: Sequence[tuple[CauseGroup, int]]
    other_causes: int
    held: Sequence[tuple[str, int]]
    letters: Sequence[tuple[DeadLetter, Finding | None]]


def of(kind: str, chosen: Chosen) -> Sample:
    """Look at what a bulk operation would work on now. Raises Refused, trainu.bounded_query.TooBroad."""
    rows = bulk.letters(kind, chosen).values_list("pk", "group_id", "location_id")[: bulk.MOST + 1]
    statement, parameters = rows.query.sql_with_params()
    with bounded(search.TIME_LIMIT_MS), connection.cursor() as cursor:
        cursor.execute(_SURVEY.format(letters=statement), [*parameters, MOST_LETTERS])
        found: list[tuple[int, str | None, int, int | None]] = cursor.fetchall()
    first = [id for *_, id in found if id is not None]
    of_group: Counter[int] = Counter()
    for group, _, letters, id in found:
        if id is None:
            of_group[group] += letters
    groups = CauseGroup.objects.in_bulk(of_group)
    is_redrive = kind == BulkOperation.Kind.REDRIVE
    sends = [group for group in of_group if groups[group].subject == approval.MESSAGE]
    # Webhooks are read here: they wait for nobody.
    waits: Counter[str] = Counter()
    for group, location, letters, id in found:
        if id is None and location and groups[group].integration == CauseGroup.Integration.GHL:
            waits[location] += letters
    most = of_group.most_common(MOST_CAUSES)
    return Sample(
        count=of_group.total(),
        messages=sum(of_group[group] for group in sends) if is_redrive else 0,
        causes=[(groups[group], letters) for group, letters in most],
        other_causes=len(of_group) - len(most),
        held=_held(waits) if is_redrive else [],
        letters=_first(first, is_redrive),
    )


def _held(waits: Counter[str]) -> list[tuple[str, int]]:
    held = Location.objects.filter(pk__in=preflight.held(waits)).order_by("name")
    return [(seen(place.name), waits[place.pk]) for place in held]


def _first(ids: Sequence[int], is_redrive: bool) -> list[tuple[DeadLetter, Finding | None]]:
    """Return the letters with what is known of each; what is in the way of a try is asked for one alone."""
    read = DeadLetter.objects.select_related("group", "location", "job").filter(pk__in=ids)
    letters = list(read.order_by("pk"))
    found = preflight.of(letters) if is_redrive else {}
    return [(letter, found.get(letter.pk)) for letter in letters]
