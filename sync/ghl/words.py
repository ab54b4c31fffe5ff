"""What each code means in plain words, and what to do about it: for staff who have never seen an API.

The rule: every code has an entry, in whole sentences, without a number or a word that has to be looked up.
"""

from dataclasses import dataclass

from sync.ghl.errors import Code, Outcome, Verdict
from trainu.faults import SyncCode


@dataclass(frozen=True, slots=True)
class Explanation:
    """words: what happened. next_step: what to do now, or that nothing needs to be done."""

    words: str
    next_step: str


_NOTHING = "Nothing to do: it is tried again by itself."
_TOKEN = "Enter a valid token for the location. Its jobs wait, none is lost, and go on then."
_EDIT = "Correct the data of this job and send it again, or discard it with a reason."

_PLAIN: dict[Code, tuple[str, str]] = {
    Code.OK: ("GoHighLevel has done it.", "Nothing to do."),
    Code.DUPLICATE_ADOPTED: (
        "GoHighLevel already had this contact, and the job has taken over its id.",
        "Nothing to do. What GoHighLevel had stored of the contact may differ from the job's data.",
    ),
    Code.ALREADY_GONE: ("It was deleted already.", "Nothing to do."),
    Code.DNS: ("GoHighLevel's address could not be looked up.", _NOTHING),
    Code.CONNECTION_REFUSED: ("GoHighLevel's server refused the connection.", _NOTHING),
    Code.CONNECTION_FAILED: ("No connection to GoHighLevel came about.", _NOTHING),
    Code.CONNECT_TIMEOUT: ("GoHighLevel's server did not take the connection in time.", _NOTHING),
    Code.POOL_TIMEOUT: ("All our connections to GoHighLevel were busy.", _NOTHING),
    Code.TLS: (
        "No secure connection to GoHighLevel came about; its certificate may be wrong or expired.",
        "It is tried again by itself. If it lasts longer than an hour, tell the developers.",
    ),
    Code.TIMEOUT: ("GoHighLevel did not answer in time.", _NOTHING),
    Code.CONNECTION_RESET: ("The connection broke before GoHighLevel's answer had arrived.", _NOTHING),
    Code.NOT_HTTP: ("What came back was no answer that can be read.", _NOTHING),
    Code.CLIENT_ERROR: (
        "Our own software failed while it was talking to GoHighLevel.",
        "Tell the developers, with the number of the job.",
    ),
    Code.BAD_RESPONSE: ("GoHighLevel said yes, but its answer lacks what belongs in it.", _NOTHING),
    Code.NOT_DONE: ("GoHighLevel answered that it has not done it, without a reason.", _NOTHING),
    Code.BLOCKED: ("A gate in front of GoHighLevel turned the request away.", _NOTHING),
    Code.REDIRECTED: (
        "GoHighLevel's address sent the request elsewhere, where it was not followed.",
        "If it lasts, have the address of GoHighLevel in the settings checked.",
    ),
    Code.STATUS_408: ("GoHighLevel gave up waiting for the request.", _NOTHING),
    Code.STATUS_425: ("GoHighLevel wanted the request later.", _NOTHING),
    Code.STATUS_500: ("GoHighLevel had an error of its own.", _NOTHING),
    Code.STATUS_502: ("A part of GoHighLevel could not be reached by another.", _NOTHING),
    Code.STATUS_503: ("GoHighLevel is not available at the moment.", _NOTHING),
    Code.STATUS_504: ("A part of GoHighLevel did not answer another in time.", _NOTHING),
    Code.STATUS_5XX: ("GoHighLevel had an error of its own.", _NOTHING),
    Code.RATE_LIMITED: ("The location has used up its requests for these seconds.", _NOTHING),
    Code.QUOTA_EXHAUSTED: (
        "The location has used up its requests for today.",
        "Nothing to do: it goes on after midnight UTC. If it happens often, ask what sends so much.",
    ),
    Code.KILL_SWITCH: (
        "The kill switch is on, so the message was taken back before it left.",
        "Nothing to do: it goes when somebody turns the switch off. That costs it no try.",
    ),
    Code.QUIET_HOURS: (
        "It is night where the client is, so the message was not sent.",
        "Nothing to do: it goes in their morning. That costs it no try.",
    ),
    Code.DAILY_CAP: (
        "The client has had as many messages as they may get in a day.",
        "Nothing to do: it goes on their next day. That costs it no try.",
    ),
    Code.UNUSABLE_TOKEN: ("The location's token is empty or damaged.", _TOKEN),
    Code.UNAUTHORIZED: ("GoHighLevel does not accept the location's token (any more).", _TOKEN),
    Code.MISSING_SCOPE: (
        "The location's token does not permit this kind of operation.",
        "Add the permission in GoHighLevel and resume the location, or enter a token that has it.",
    ),
    Code.WRONG_LOCATION: (
        "The token belongs to another location than the one it is stored for.",
        "Enter the token of this location. Its jobs wait, none is lost, and go on then.",
    ),
    Code.GRANT_REVOKED: (
        "GoHighLevel has withdrawn our access to the location, or the app was uninstalled there.",
        "Connect the location again, which installs the app there. Its jobs wait, none is lost.",
    ),
    Code.CLIENT_REFUSED: (
        "GoHighLevel does not accept our app's own id and secret.",
        "Have the app's id and secret in the settings checked. Jobs wait, none is lost.",
    ),
    Code.TARGET_GONE: (
        "What the job is about no longer exists in GoHighLevel.",
        "Discard its letter. With another id it is another job: have that one enqueued.",
    ),
    Code.OVERTAKEN: (
        "Part of what this job sets was set again by a newer job that is done.",
        "Send it again with only those fields that are still wanted, or discard it.",
    ),
    Code.OPTED_OUT: (
        "The client does not want such messages: they wrote so, or do-not-disturb is on in GoHighLevel.",
        "Discard its letter, and reach the client in another way. It goes only if they want messages again.",
    ),
    Code.DISMISSED: (
        "Its draft was dismissed in the meantime, so the message was not sent.",
        "Nothing to do.",
    ),
    Code.DUPLICATE: (
        "Another contact in GoHighLevel already has this email address or phone number.",
        "Merge the two contacts in GoHighLevel or correct the job, then send it again.",
    ),
    Code.STATUS_400: ("GoHighLevel did not understand the request.", _EDIT),
    Code.STATUS_403: ("GoHighLevel does not allow this.", _EDIT),
    Code.STATUS_404: ("GoHighLevel knows nothing at this address.", _EDIT),
    Code.STATUS_409: ("It contradicts what GoHighLevel has stored.", _EDIT),
    Code.STATUS_413: ("The data is too large for GoHighLevel.", _EDIT),
    Code.STATUS_415: ("GoHighLevel does not take data of this kind.", _EDIT),
    Code.STATUS_422: ("GoHighLevel finds a field wrong or missing.", _EDIT),
    Code.STATUS_4XX: ("GoHighLevel refused the request.", _EDIT),
}

# What a fault of the whole service would be called that has this cause. The rest is "unavailable".
_FAULTS: dict[Code, SyncCode] = {
    Code.DNS: SyncCode.CONNECTION,
    Code.CONNECTION_REFUSED: SyncCode.CONNECTION,
    Code.CONNECTION_FAILED: SyncCode.CONNECTION,
    Code.CONNECTION_RESET: SyncCode.CONNECTION,
    Code.TLS: SyncCode.CONNECTION,
    Code.CONNECT_TIMEOUT: SyncCode.TIMEOUT,
    Code.POOL_TIMEOUT: SyncCode.TIMEOUT,
    Code.TIMEOUT: SyncCode.TIMEOUT,
    Code.NOT_HTTP: SyncCode.BAD_RESPONSE,
    Code.BAD_RESPONSE: SyncCode.BAD_RESPONSE,
    Code.NOT_DONE: SyncCode.BAD_RESPONSE,
    Code.CLIENT_ERROR: SyncCode.HANDLER_ERROR,
    Code.RATE_LIMITED: SyncCode.QUOTA_EXHAUSTED,
    Code.QUOTA_EXHAUSTED: SyncCode.QUOTA_EXHAUSTED,
    Code.UNUSABLE_TOKEN: SyncCode.UNAUTHORIZED,
    Code.MISSING_SCOPE: SyncCode.MISSING_SCOPE,
}
_FAULTS_BY_OUTCOME = {
    Outcome.AMBIGUOUS: SyncCode.AMBIGUOUS,
    Outcome.CONFIGURATION: SyncCode.UNAUTHORIZED,
    Outcome.PERMANENT: SyncCode.REFUSED,
}


def explain(verdict: Verdict) -> Explanation:
    """Return what to tell staff about an attempt."""
    words, next_step = _PLAIN[verdict.code]
    if verdict.outcome is Outcome.AMBIGUOUS:
        return Explanation(
            f"{words} It may have been done all the same.",
            "It is looked up in GoHighLevel. Where that cannot tell, check there before you send it again.",
        )
    if verdict.look_up_first:
        next_step = f"Look in GoHighLevel first: it may have been done all the same. {next_step}"
    return Explanation(words, next_step)


def fault_code(verdict: Verdict) -> SyncCode:
    """Return the code of the SyncFault that this verdict would be, in the kernel's vocabulary."""
    by_outcome = _FAULTS_BY_OUTCOME.get(verdict.outcome, SyncCode.UNAVAILABLE)
    if verdict.outcome is Outcome.AMBIGUOUS:
        return by_outcome
    return _FAULTS.get(verdict.code, by_outcome)
