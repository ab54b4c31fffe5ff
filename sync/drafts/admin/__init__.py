"""Drafts in the admin: the AI Inbox, a draft's page, what is decided there, and trainers' logins.

The rule: pages parse, call one verb, and render. Whose drafts a page shows is asked of `visible`; a text is
shown to who may read it, and nothing of it stands in a message or an address.
"""

from sync.drafts.admin import dismissed, listing, logins, many, needs, page, verbs

__all__ = ["dismissed", "listing", "logins", "many", "needs", "page", "verbs"]
