"""Addresses that are secrets, and how they may be written down: with the secret left out.

Kernel: imports no app. The rule: whoever logs or sends a path of this service takes it from here. What
stands behind the place of a secret is hidden whole, whether or not such an address exists.
"""

import re

_SECRET = re.compile(r"(webhooks/ghl/workflow/).+", re.IGNORECASE | re.DOTALL)


def shown(path: str) -> str:
    """Return a request's path as it may be logged."""
    return _SECRET.sub(r"\1{secret}", path)
