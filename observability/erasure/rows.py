"""Find and erase mentions of an id in the rows of one table, by SQL first and exactly by Python then.

The rule: PostgreSQL looks for candidates; a row counts only when a text of it mentions the id, for in a
document's text a number may look like one.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from observability.erasure import mention


@dataclass(frozen=True, slots=True)
class Searched:
    """A table and where in it an id may be mentioned.

    key: columns that name a row. texts: text columns, each with how many characters it holds (0: any
    number). documents: jsonb columns. All names are ours: nothing from outside enters the SQL.
    """

    table: str
    key: tuple[str, ...]
    texts: dict[str, int]
    documents: tuple[str, ...] = ()

    def count(self, contact_id: str) -> int:
        """Return how many rows mention the id."""
        return len(self.keys(contact_id))

    def keys(self, contact_id: str) -> list[tuple[Any, ...]]:
        """Return the keys of the rows that mention the id."""
        return [key for key, _ in self._mentioning(contact_id)]

    def delete(self, contact_id: str) -> int:
        """Delete the rows that mention the id; return how many."""
        keys = self.keys(contact_id)
        self._each(f"delete from {self.table} where {self._is_key()}", keys)
        return len(keys)

    def pseudonymise(self, contact_id: str) -> int:
        """Put the token in place of the id, and change nothing else; return how many rows."""
        columns = ", ".join(
            [f"{name} = %s" for name in self.texts] + [f"{name} = %s::jsonb" for name in self.documents]
        )
        changes = [(*values, *key) for key, values in self._mentioning(contact_id)]
        self._each(f"update {self.table} set {columns} where {self._is_key()}", changes)
        return len(changes)

    def _mentioning(self, contact_id: str) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        """Yield the key of each row that mentions the id, and its columns as they are without it."""
        for row in self._candidates(contact_id):
            key, values = tuple(row[: len(self.key)]), row[len(self.key) :]
            texts = dict(zip(self.texts, values, strict=False))
            documents = [json.loads(raw) for raw in values[len(self.texts) :]]
            without = mention.without({"texts": texts, "documents": documents}, contact_id)
            if without != {"texts": texts, "documents": documents}:
                shorter = [
                    text[:longest] if text and longest else text
                    for text, longest in zip(without["texts"].values(), self.texts.values(), strict=True)
                ]
                yield key, (*shorter, *map(json.dumps, without["documents"]))

    def _candidates(self, contact_id: str) -> list[tuple[Any, ...]]:
        columns = [*self.texts, *(f"{name}::text" for name in self.documents)]
        # The plain search is ten times as quick as the pattern, and leaves it next to nothing to do.
        looked = " or ".join(f"(strpos({name}, %s) > 0 and {name} ~ %s)" for name in columns)
        with connection.cursor() as cursor:
            cursor.execute("select to_regclass(%s)", [self.table])
            if cursor.fetchone()[0] is None:
                return []
            cursor.execute(
                f"select {', '.join([*self.key, *columns])} from {self.table} where {looked}",
                [contact_id, mention.pattern(contact_id)] * len(columns),
            )
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def _is_key(self) -> str:
        return " and ".join(f"{name} = %s" for name in self.key)

    def _each(self, statement: str, parameters: list[tuple[Any, ...]]) -> None:
        if parameters:
            with connection.cursor() as cursor:
                cursor.executemany(statement, parameters)
