"""Dead letters in the admin, one noun a file: causes first, then letters, bulk operations, the daily ledger.

The rule: pages parse, call one verb, and render. Lists are in the order that an index serves, and are
counted no further than a thousand.
"""

from sync.dead_letters.admin import acting, bulk, causes, confirm, ledger, letters, saved_views

__all__ = ["acting", "bulk", "causes", "confirm", "ledger", "letters", "saved_views"]
