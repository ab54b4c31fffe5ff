"""The second person: a redrive that would send many messages waits until somebody else has approved it.

The rule: what sends more than MOST_ALONE messages is begun by two people, and an API key is a person of its
own. Until then nothing of it runs.
"""

from sync.dead_letters.refusal import Refused
from sync.models import BulkItem, BulkOperation, CauseGroup

# The jobs that reach a person.
MESSAGE = "message.send"
# The database holds it too: many_messages_take_a_second_person.
MOST_ALONE = 1_000


def ask(operation: BulkOperation) -> None:
    """Count the messages that a new operation would send; where they are many, have it wait."""
    if operation.kind != BulkOperation.Kind.REDRIVE:
        return
    # By cause, of which each is of one operation of jobs: a hundred thousand jobs need not be read.
    sending = list(CauseGroup.objects.filter(subject=MESSAGE).values_list("pk", flat=True))
    operation.messages = BulkItem.objects.filter(operation=operation, group__in=sending).count()
    if takes_two(operation.kind, operation.messages):
        operation.state = BulkOperation.State.PROPOSED
    operation.save(update_fields=["messages", "state"])


def takes_two(kind: str, messages: int) -> bool:
    """Whether an operation of this kind that would send so many messages takes two people."""
    return kind == BulkOperation.Kind.REDRIVE and messages > MOST_ALONE


def check(operation: BulkOperation, by: str) -> None:
    """Raise Refused where it was started by the one who would approve it."""
    if operation.by == by:
        raise Refused("same_person", "You have started it. Somebody else has to approve it.")
