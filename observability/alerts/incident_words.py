"""What an incident is called, and where what to do about it stands: the same words on pages and in messages.

The rule: a fault of SEV1 is told as what happened, not as its code; who reads it at night has no table. Words
of ours and ids only.
"""

from observability import runbooks
from observability.alerts import rules
from sync.stats import dead_letters
from trainu.faults import DataLossCode, MassSendCode

LONGEST_TITLE = 160
# By whom an incident is resolved, where it is nobody.
RECOVERY = "recovery"
SWITCHED_OFF = "rule switched off"
FAULTS: dict[str, str] = {
    DataLossCode.OUTBOX_GAP: "Events that were accepted are missing: their numbers have a gap",
    DataLossCode.LEDGER_MISMATCH: "Dead letters do not add up with what became of them",
    DataLossCode.EVENT_LOST: "An event that was accepted is gone",
    DataLossCode.AUDIT_TAMPERED: "The audit log was changed: an entry does not fit those before it",
    DataLossCode.DATABASE_CORRUPTED: "PostgreSQL has found damage in its files",
    MassSendCode.AUDIENCE_MISMATCH: "One text was to go to too many people at once; the kill switch holds it",
    MassSendCode.RATE_EXCEEDED: "Too many messages were enqueued at once; the kill switch holds them",
    MassSendCode.SENT_TWICE: "Somebody got the same message twice",
    MassSendCode.KILL_SWITCH_TRIPPED: "The kill switch was turned on: no message goes out",
    MassSendCode.KILL_SWITCH_LEAKS: "A message left although the kill switch is on",
}
_SEEDED = {one.code: one.title for one in rules.SEEDS}


def title(rule_code: str, group: str) -> str:
    """Return what an incident of a rule and group is called; of a cause, with one query."""
    if rule_code == "sev1_fault" and (happened := FAULTS.get(group)):
        return happened
    called = _SEEDED.get(rule_code, rule_code)
    of = _cause(group) if rule_code == "new_cause" else group
    return (f"{called}: {of}" if of else called)[:LONGEST_TITLE]


def runbook(rule_code: str, group: str) -> str:
    """Return the code of the runbook that an incident leads to: of the fault, where it has one."""
    found = runbooks.find(group) if rule_code == "sev1_fault" and group else None
    return found.code if found else rule_code


def who(actor: str) -> str:
    """Return what to call somebody to people outside: never a name, for it may be a person's."""
    kind = actor.partition(":")[0]
    return {"staff": "somebody of staff", "key": "an API key", "command": "a command"}.get(
        kind, "the service"
    )


def how_resolved(by: str, name: str = "") -> str:
    """Return how an incident was resolved, as it stands behind "resolved". name: of whom, on a page."""
    if by == RECOVERY:
        return "by itself"
    return "because its rule was switched off" if by == SWITCHED_OFF else f"by {name or who(by)}"


def _cause(group: str) -> str:
    found = dead_letters.named(int(group)) if group.isascii() and group.isdigit() else None
    return f"{found.code} of {found.subject}" if found else group
