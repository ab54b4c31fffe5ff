"""Which deaths have the same cause: a fingerprint of what they say, without what differs between them.

The rule: two messages that differ only in ids, numbers, addresses or quoted values are one message. A change
to what is taken out counts VERSION up, and `regrouping` moves the open letters.
"""

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from sync.dead_letters.death import Death

VERSION = 1
LONGEST_MESSAGE = 200
_LONGEST_READ = 4_000

# What stands where something was taken out.
GAP = "#"
_MASK = re.compile(r"\[[a-z0-9 ]{1,40}\]")
# A value between quotes, or up to the end where it was cut off. An apostrophe within a word is none.
_QUOTED = re.compile(
    r"\"[^\"]*(?:\"|$)|“[^”]*(?:”|$)|`[^`]*(?:`|$)|(?<!\w)'.*?(?:'(?!\w)|$)|(?<!\w)\u2018.*?(?:\u2019(?!\w)|$)",
    re.DOTALL,
)
_EMAIL = re.compile(r"[^\s\"<>(),;:\[\]\\{}=]+@[\w.-]+")
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)
_RUN = re.compile(r"[^\s,;:=/|()\[\]{}<>\"'`]+")
_END = ".!?"
_GAPS = re.compile(rf"{GAP}(?:[\s,.:;/|&+-]*{GAP})+")
# GoHighLevel's ids have 20 and more letters and digits; without a digit, their mix of cases gives them away.
_SHORTEST_ID = 16
_MOST_TURNS = 6
_TURN = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[a-z])")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a group of letters has in common. message: normalised."""

    integration: Literal["ghl", "webhook"]
    subject: str
    code: str
    cause: str
    message: str

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal characters, the same for the same kind and VERSION."""
        parts = [VERSION, self.integration, self.subject, self.code, self.cause, self.message]
        return sha256(json.dumps(parts).encode()).hexdigest()[:32]


def kind_of(death: Death, words: str) -> Kind:
    """Return what a death has in common with others. words: the redacted ones."""
    integration: Literal["ghl", "webhook"] = "ghl" if death.job_id else "webhook"
    return Kind(integration, death.subject[:64], death.code[:32], death.cause[:16], normalised(words))


def normalised(message: str) -> str:
    """Return a message without what differs between two of its kind, in lower case, cut."""
    text = message[:_LONGEST_READ].replace("\x00", " ")
    for pattern in (_MASK, _QUOTED, _EMAIL, _UUID):
        text = pattern.sub(GAP, text)
    text = _RUN.sub(_without_value, text)
    text = _GAPS.sub(GAP, " ".join(text.split()))
    return text.casefold()[:LONGEST_MESSAGE].rstrip(" .!").lstrip()


def _without_value(match: re.Match[str]) -> str:
    run = match[0]
    kept = run.rstrip(_END)
    return GAP + run[len(kept) :] if _is_value(kept) else run


def _is_value(run: str) -> bool:
    if any(character.isdigit() for character in run) or GAP in run:
        return True
    return len(run) >= _SHORTEST_ID and run.isalpha() and len(_TURN.findall(run)) > _MOST_TURNS
