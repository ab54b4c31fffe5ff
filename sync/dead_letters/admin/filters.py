"""Where pages find the one way from an address to a filter and back; it is `sync.dead_letters.filters`.

The rule: nothing is read or written here. Saved views, which are no page, need the same language.
"""

from sync.dead_letters.filters import chosen_of, query_of

__all__ = ["chosen_of", "query_of"]
