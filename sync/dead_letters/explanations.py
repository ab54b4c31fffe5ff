"""What a group of dead letters means in plain words, and what to do about it.

The rule: what happened is told by the code, what to do by the cause: a letter is tried by nobody any more.
"""

from sync.dead_letters import fixers
from sync.dead_letters.fixers import Fixer
from sync.ghl import words
from sync.ghl.errors import Code, Outcome, Verdict
from sync.ghl.words import Explanation
from sync.transitions import Cause
from trainu.faults import WebhookCode

_WHEN_MENDED = (
    "It was tried six times. Once what is in its way has passed, redrive the group: it begins with one letter"
    " and stops by itself if that fails again."
)
_LOOK = (
    "Look in GoHighLevel whether it was done. If so, discard the letter with that reason; if not, redrive it"
    " without having GoHighLevel asked first: that could not tell again."
)
_DEVELOPERS = (
    "Tell the developers, with the number of the letter. Redrive the group once they have mended it."
)
_FINDINGS = {
    "not_found": Explanation(
        "What the job is about no longer exists in GoHighLevel.",
        "Discard the letter with that reason, unless the contact was restored in GoHighLevel.",
    ),
    "found": Explanation("It was found in GoHighLevel: it had been done.", "Discard it with that reason."),
    "cannot_tell": Explanation("Nobody can tell from here whether GoHighLevel has done it.", _LOOK),
}
_WEBHOOKS = {
    WebhookCode.BAD_PAYLOAD: Explanation(
        "The webhook does not say what it is about, or cannot be read.",
        "Nothing can be done with it. Read the location back from GoHighLevel, on its page, which finds the"
        " same; then discard the letter.",
    ),
    WebhookCode.HANDLER_ERROR: Explanation("Our own software failed on the webhook.", _DEVELOPERS),
    "worker_lost": Explanation(
        "The process that worked on the webhook died, six times. It may be what kills it.", _DEVELOPERS
    ),
}
_UNKNOWN = Explanation("It failed for a reason that has no words yet.", _DEVELOPERS)
_WITHDRAWN = Explanation(
    "Somebody has discarded the message while the kill switch held it.",
    "Nothing to do. If it is to be sent after all, restore its letter and redrive that.",
)
_NO_RETRY = "tried again by itself"


def explain(code: str, cause: str) -> Explanation:
    """Return what happened and what to do now, for letters that died of this."""
    if code in _FINDINGS:
        return _FINDINGS[code]
    if code in _WEBHOOKS:
        return _WEBHOOKS[code]
    if code not in set(Code):
        return _UNKNOWN
    if cause == Cause.WITHDRAWN:
        return _WITHDRAWN
    outcome = Outcome.AMBIGUOUS if cause == Cause.CHECK_BY_HAND else Outcome.PERMANENT
    said = words.explain(Verdict(outcome, Code(code)))
    if cause == Cause.CHECK_BY_HAND:
        return Explanation(said.words, _LOOK)
    if cause == Cause.EXHAUSTED or _NO_RETRY in said.next_step:
        return Explanation(said.words, _WHEN_MENDED if cause == Cause.EXHAUSTED else _LOOK)
    if fixers.of(code, cause) is Fixer.BUG:
        return Explanation(said.words, _DEVELOPERS)
    return said
