"""What an event class is, and the register that every class enters by being defined.

The rule: a name never changes its meaning, and a second class of the same name stops the start.
"""

import re
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

_WORD = re.compile(r"(?<!^)(?=[A-Z])")

# Every event by its name, in the order of declaration. Filled by defining a class, by nothing else.
CATALOG: dict[str, type["Event"]] = {}


class Event(BaseModel):
    """One kind of event. Subclass a group's base, write a docstring, declare the properties: that is all.

    The name is the class name in snake case (`BookingScheduled` is `booking_scheduled`). Properties
    are strict (the text "5" is no number) and closed (a property that is not declared is refused).
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: ClassVar[str] = ""
    # Group in the catalog, in the admin and in the API page. A class that sets it is a group's base.
    category: ClassVar[str] = ""
    # Made by a person: counts for daily actives. False for sync, performance, and what the agent does.
    human: ClassVar[bool] = True

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "category" in cls.__dict__:
            return
        if not cls.category:
            raise TypeError(f"{cls.__name__} has no category: subclass the base of a group.")
        if not (cls.__dict__.get("__doc__") or "").strip():
            raise TypeError(f"{cls.__name__} needs a docstring: it is what staff and developers read.")
        cls.name = _WORD.sub("_", cls.__name__).lower()
        if cls.name in CATALOG:
            raise TypeError(f"There already is an event called {cls.name}.")
        CATALOG[cls.name] = cls

    @classmethod
    def description(cls) -> str:
        """Return the docstring as one paragraph of text."""
        return " ".join((cls.__doc__ or "").split())

    @classmethod
    def identifiers(cls) -> list[str]:
        """Return the names of the properties that are ids."""
        # From the schema, for an optional id carries its mark one level down, in an alternative.
        properties = cls.model_json_schema().get("properties", {})
        return [
            name
            for name, schema in properties.items()
            if any(branch.get("id") is True for branch in (schema, *schema.get("anyOf", ())))
        ]
