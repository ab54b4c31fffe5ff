"""Moments: things that happened, on a time axis, whoever tells them.

Kernel: imports no app. The rule: a moment holds ids and words for staff, nobody's data.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened. kind: a word for its sort. tone: ok, warn, bad, info or none.

    url: of the page that says more. by: who did it, as the audit log names people; empty for the service.
    """

    at: datetime
    kind: str
    title: str
    detail: str = ""
    url: str = ""
    tone: str = ""
    by: str = ""
