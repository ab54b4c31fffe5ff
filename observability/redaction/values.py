"""Walk through dicts and lists: keys decide for their values, texts are scanned, everything is bounded.

The rule: what was not looked at is not shown.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from observability.redaction import dialling, emails, names, placeholders
from observability.redaction.keys import Kind, classify, is_thing, is_wrapper, words_of
from observability.redaction.shown import SHOWN, is_done, is_full_name, is_network, looks_random, scheme_of
from observability.redaction.text import redact_text
from observability.redaction.vocabulary import ABOUT, HARMLESS_VALUES

DEPTH = 12
ITEMS = 500
MOST = 20_000
_HARMLESS = (int, float, complex, Decimal, UUID, date, time, timedelta)
# {"name": "Authorization", "value": …}: headers, form fields and custom fields come as such pairs.
_FIELD_KEYS = ("key", "name", "field", "header", "label", "fieldKey", "field_key", "column", "param")
_FIELD_VALUES = frozenset(
    [
        "value",
        "values",
        "val",
        "fieldValue",
        "field_value",
        "fieldValueString",
        "valueString",
        "content",
    ]
)
_FORCING = frozenset(SHOWN)
_OPTION = re.compile(r"--?[A-Za-z][\w\-]{1,40}")
_SIBLINGS = (Kind.EMAIL, Kind.PHONE, Kind.NAME)


class _Facts(NamedTuple):
    """What is known of a key for good. plain: it can be shown whatever it stands in."""

    kind: Kind
    wrapper: bool
    thing: bool
    plain: bool


_NO_TEXT = _Facts(Kind.PLAIN, wrapper=False, thing=False, plain=False)


@lru_cache(maxsize=8192)
def _facts(key: str) -> _Facts:
    plain = key.isascii() and key.isidentifier() and redact_text(key) == key
    return _Facts(classify(key), is_wrapper(key), is_thing(key), plain)


@dataclass(slots=True)
class Walk:
    """One redaction: whose names are known, and how much may still be looked at."""

    known: names.Known
    left: int = MOST
    _texts: dict[str, str] = field(default_factory=dict)

    def value(
        self,
        value: object,
        depth: int = 0,
        *,
        personal: bool = False,
        thing: bool = False,
        pairs: bool = False,
    ) -> Any:
        """Return `value` redacted.

        personal: its `name` is a person's. thing: it is not. pairs: two texts are a key and its value.
        """
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, _HARMLESS):
            return value
        self.left -= 1
        if depth >= DEPTH or self.left < 0:
            return placeholders.REDACTED
        if isinstance(value, Mapping):
            return self._dict(value, depth, personal=personal, thing=thing)
        if isinstance(value, (list, tuple, set, frozenset)):
            return self._list(value, depth, personal=personal, pairs=pairs)
        return f"<{type(value).__name__}>"

    def text(self, value: str) -> str:
        """Return a text redacted; the same text is scanned once."""
        value = str(value)
        if value not in self._texts:
            try:
                self._texts[value] = redact_text(value, self.known)
            except ArithmeticError:
                # A text made to have something new in it after each pass.
                self._texts[value] = placeholders.FAILED
        return self._texts[value]

    def keyed(self, kind: Kind, value: object, depth: int) -> Any:
        """Return the value of a key of that kind."""
        if value is None or isinstance(value, bool) or value == "":
            return value
        if isinstance(value, (Mapping, list, tuple, set, frozenset)):
            return self._container(kind, value, depth)
        if kind in _FORCING:
            return _forced(kind, value)
        if isinstance(value, str):
            if kind is Kind.MAYBE_SECRET and looks_random(value):
                return placeholders.SECRET
            if kind is Kind.MAYBE_PHONE and dialling.could_be_called(value):
                return placeholders.PHONE
            if kind is Kind.PERSON and is_full_name(value):
                return placeholders.NAME
        return self.value(value, depth)

    def _container(self, kind: Kind, value: Any, depth: int) -> Any:
        people = kind is Kind.PERSON and not isinstance(value, Mapping)
        if kind not in _FORCING and not (people and any(isinstance(item, str) for item in value)):
            return self.value(value, depth, personal=kind is Kind.PERSON)
        self.left -= 1
        if depth >= DEPTH or self.left < 0:
            return placeholders.REDACTED
        if not isinstance(value, Mapping):
            return _like(value, [self.keyed(kind, item, depth + 1) for item in self._some(value)], value)
        result: dict[Any, Any] = {}
        for key, item in self._some_items(value):
            name = str(key) if isinstance(key, str) else ""
            # Inside of {"email": {…}} a state or a time is still one, and other kinds are themselves.
            own = classify(name)
            inner = kind if own not in _FORCING or (own is Kind.PRIVATE and kind is Kind.EMAIL) else own
            about = own is Kind.PLAIN and kind is not Kind.SECRET and _is_about(name)
            result[self._key(key, result)] = (
                self.value(item, depth + 1) if about else self.keyed(inner, item, depth + 1)
            )
        return self._with_rest(result, value)

    def _dict(self, value: Mapping[Any, Any], depth: int, *, personal: bool, thing: bool) -> dict[Any, Any]:
        items = self._some_items(value)
        facts = [_facts(str(key)) if isinstance(key, str) else _NO_TEXT for key, _ in items]
        personal = (
            personal
            or (not thing and any(fact.kind in _SIBLINGS for fact in facts))
            or (any(fact.wrapper or fact.kind is Kind.BARE_NAME for fact in facts) and _says_person(value))
        )
        spoken = None if _FIELD_VALUES.isdisjoint(value) else _field_kind(value)
        result: dict[Any, Any] = {}
        for (key, item), (kind, wrapper, about_thing, plain) in zip(items, facts, strict=True):
            if kind is Kind.BARE_NAME:
                kind = Kind.NAME if personal and spoken is None else Kind.PLAIN
            if spoken is not None and kind is Kind.PLAIN and key in _FIELD_VALUES:
                kind = spoken
            shown = key if plain and not self.known.gates else self._key(key, result)
            if kind is Kind.PLAIN and not plain and shown != key and isinstance(shown, str):
                kind = classify(shown)
            if kind is not Kind.PLAIN:
                result[shown] = self.keyed(kind, item, depth + 1)
            elif type(item) is str:
                result[shown] = self.text(item)
            else:
                result[shown] = self.value(item, depth + 1, personal=personal and wrapper, thing=about_thing)
        return self._with_rest(result, value)

    def _list(self, value: Any, depth: int, *, personal: bool, pairs: bool) -> Any:
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            fields = dict(zip(value._fields, value, strict=False))
            return tuple(self._dict(fields, depth, personal=personal, thing=False).values())
        if pairs and len(value) == 2 and isinstance(value, (list, tuple)):
            key, item = value
            shown = self.text(key) if isinstance(key, str) else ""
            kind = classify(shown)
            if kind in _FORCING and not _is_word_about(item):
                return _like(value, [shown, self.keyed(kind, item, depth + 1)], value)
        items = [self.value(item, depth + 1, personal=personal, pairs=True) for item in self._some(value)]
        if any(isinstance(item, str) and item.startswith("-") for item in items):
            _hide_arguments(items)
        return _like(value, items, value)

    def _key(self, key: object, taken: dict[Any, Any]) -> Any:
        """Return a key as it may be shown; two that look alike afterwards are numbered."""
        if isinstance(key, str):
            plain = _facts(key).plain and not names.may_be_in(key, self.known)
            shown: Any = key if plain else self.text(key)
        elif key is None or isinstance(key, (bool, *_HARMLESS)):
            shown = key
        else:
            shown = f"<{type(key).__name__}>"
        if shown not in taken:
            return shown
        return next(f"{shown} ({n})" for n in range(2, ITEMS + 3) if f"{shown} ({n})" not in taken)

    def _some(self, value: Iterable[Any]) -> list[Any]:
        return list(value)[:ITEMS]

    def _some_items(self, value: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
        # dict.items of a QueryDict would show the last of several values only.
        items = dict.items(value) if isinstance(value, dict) else value.items()
        return list(items)[:ITEMS]

    def _with_rest(self, result: dict[Any, Any], value: Mapping[Any, Any]) -> dict[Any, Any]:
        if len(value) > ITEMS:
            last = list(result)[-1]
            del result[last]
            result["…"] = f"[{len(value) - ITEMS + 1} items cut]"
        return result


def _like(value: Any, items: list[Any], original: Any) -> Any:
    """Return `items` in a container of the kind of `value`, with a note when there were more."""
    if len(original) > ITEMS:
        items = [*items[: ITEMS - 1], f"[{len(original) - ITEMS + 1} items cut]"]
    if isinstance(value, list):
        return items
    if isinstance(value, tuple):
        return tuple(items)
    return type(value)(items) if type(value) in (set, frozenset) else set(items)


def _hide_arguments(items: list[Any]) -> None:
    """Hide what follows an option in a command: ["--token", "…"]."""
    for at, item in enumerate(items[:-1]):
        following = items[at + 1]
        if isinstance(item, str) and _OPTION.fullmatch(item) and isinstance(following, str):
            kind = classify(item)
            if kind in _FORCING and following and not following.startswith("-"):
                items[at + 1] = _forced(kind, following)


def _forced(kind: Kind, value: object) -> Any:
    """Return what is shown of a plain value whose key has decided."""
    if not isinstance(value, str):
        if kind is Kind.TOKENS and isinstance(value, (int, float)):
            return value
        return SHOWN[kind]
    if is_done(value, kind):
        return str(value)
    match kind:
        case Kind.EMAIL:
            return emails.keyed(value[:1000])
        case Kind.SECRET:
            return scheme_of(value) + placeholders.SECRET
        case Kind.PRIVATE if is_network(value):
            return str(value)
    return SHOWN[kind]


def _says_person(value: Mapping[Any, Any]) -> bool:
    """Tell whether a dict says what it is: {"type": "ContactCreate", "name": …}, {"object": "contact", …}."""
    for key in ("object", "model", "type", "kind", "objectType", "object_type"):
        said = value.get(key)
        if isinstance(said, str) and 3 < len(said) < 40:
            first = words_of(said)[0] if words_of(said) else ""
            if classify(first) is Kind.PERSON:
                return True
    return False


def _field_kind(value: Mapping[Any, Any]) -> Kind | None:
    """Return the kind that {"key": "email", "value": …} speaks of, of a dict that has a value."""
    for key in _FIELD_KEYS:
        said = value.get(key)
        if isinstance(said, str):
            kind = classify(said)
            return kind if kind in _FORCING else None
    return None


def _is_about(name: str) -> bool:
    return bool(words_of(name)) and words_of(name)[-1] in ABOUT


def _is_word_about(item: object) -> bool:
    """Tell whether ["email", "desc"] or ["email", "phone"] names a column and no value."""
    if not isinstance(item, str):
        return False
    is_key = item.replace("_", "").isalpha() and classify(item) in _FORCING
    return is_key or item.lower() in HARMLESS_VALUES
