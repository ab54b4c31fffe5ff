"""What people write about letters and groups: bounded, and without what is personal.

The rule: nothing is empty where a reason is asked for, and nothing is kept that was not redacted.
"""

from sync.dead_letters.refusal import Refused
from trainu.personal_data import redacted

LONGEST_REASON = 300
LONGEST_NOTE = 2_000


def reason(words: str) -> str:
    """Return a reason as it is kept; raises Refused for none, or one that is too long."""
    return _kept(words, LONGEST_REASON, "reason_missing", "Give a reason")


def note(words: str) -> str:
    """Return a note as it is kept; raises Refused for none, or one that is too long."""
    return _kept(words, LONGEST_NOTE, "invalid_note", "Write a note")


def _kept(words: str, longest: int, code: str, ask: str) -> str:
    text = words.strip()
    if not text or len(text) > longest or "\x00" in text:
        raise Refused(code, f"{ask} of up to {longest:,} characters.")
    return redacted(text)[:longest]
