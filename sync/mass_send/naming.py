"""What a level says of itself, for people: locations by their names.

The rule: what is kept and told outside has the id, for a name may be somebody's; pages have the name.
"""

import re

from sync.models import Location

# As `rule.Level` writes it.
_PLACE = re.compile(r"\bof location ([A-Za-z0-9_-]{1,64})")


def with_names(words: str) -> str:
    """Return words in which a location stands by its name; as they are where there is no such location."""
    ids = set(_PLACE.findall(words))
    if not ids:
        return words
    names = dict(Location.objects.filter(pk__in=ids).exclude(name="").values_list("pk", "name"))
    return _PLACE.sub(lambda found: f"of {names[found[1]]}" if found[1] in names else found[0], words)
