"""Everything the service can do in GoHighLevel, one class an operation, in the file of its object.

The rule: a name is for ever. Stored jobs refer to it, so an operation is added, and never renamed.
"""

from sync.ghl.operations import appointments, contacts, messages, notes, opportunities, tasks
from sync.ghl.operations.operation import AnyOperation, Operation, Sought, marker
from sync.ghl.operations.payload import Payload

__all__ = ["OPERATIONS", "AnyOperation", "Operation", "Payload", "Sought", "marker"]

_ALL: tuple[AnyOperation, ...] = (
    contacts.Upsert,
    contacts.Update,
    contacts.Delete,
    contacts.AddTags,
    contacts.RemoveTags,
    notes.Create,
    tasks.Create,
    tasks.Update,
    tasks.Complete,
    appointments.Create,
    appointments.Update,
    appointments.Cancel,
    appointments.Delete,
    messages.Send,
    opportunities.Upsert,
    opportunities.SetStatus,
)

OPERATIONS: dict[str, AnyOperation] = {operation.name: operation for operation in _ALL}
