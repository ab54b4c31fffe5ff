"""Tasks of a contact: create, update, complete.

The rule: a new task carries its job's marker as the last line of its text, for nothing else tells two
tasks of the same title apart.
"""

from typing import Self

from pydantic import Field, model_validator

from sync.ghl import reads
from sync.ghl.errors import is_gone
from sync.ghl.lookup import CANNOT_TELL, NOT_FOUND, TARGET_GONE, Steps, agrees, found
from sync.ghl.operations.operation import Operation, Sought, marked
from sync.ghl.operations.payload import LEFT_OUT, Id, Line, Moment, Payload, Prose
from sync.ghl.request import Request, Version, path
from sync.ghl.response import id_at, object_at, objects_at


class CreatePayload(Payload):
    contact_id: Id = Field(description="The contact in GoHighLevel.")
    title: Line = Field(description="What is to be done.")
    due_at: Moment = Field(alias="dueDate", description="When it is due.")
    body: Prose = Field(default=LEFT_OUT, description="Details.")
    assigned_to: Id = Field(default=LEFT_OUT, description="The user in GoHighLevel who is to do it.")


class TaskPayload(Payload):
    contact_id: Id = Field(description="The contact in GoHighLevel.")
    task_id: Id = Field(description="The task in GoHighLevel.")


class UpdatePayload(TaskPayload):
    title: Line = Field(default=LEFT_OUT, description="What is to be done.")
    due_at: Moment = Field(default=LEFT_OUT, alias="dueDate", description="When it is due.")
    body: Prose = Field(default=LEFT_OUT, description="Details.")
    assigned_to: Id = Field(default=LEFT_OUT, description="The user in GoHighLevel who is to do it.")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set - {"contact_id", "task_id"}:
            raise ValueError("Give at least one field to change.")
        return self


class CompletePayload(TaskPayload):
    completed: bool = Field(default=True, description="False opens the task again.")


class Create(Operation[CreatePayload]):
    """Give a user a task about a contact."""

    name = "task.create"
    payload = CreatePayload
    repeatable = False
    creates = True
    gives = {"task_id": ("task", "id")}
    needs = frozenset({"task_id"})

    @classmethod
    def request(cls, payload: CreatePayload, location_id: str, mark: str) -> Request:
        text = payload.body if "body" in payload.model_fields_set else None
        body = {**payload.wire("contact_id"), "body": marked(text, mark), "completed": False}
        where = path("/contacts/{id}/tasks", id=payload.contact_id)
        return Request("POST", where, Version.CONTACTS, body=body)

    @classmethod
    def look_up(cls, payload: CreatePayload, sought: Sought) -> Steps:
        answer = yield reads.tasks(payload.contact_id)
        if is_gone(answer):
            return TARGET_GONE
        if not isinstance(answer.body, dict) or not isinstance(answer.body.get("tasks"), list):
            return CANNOT_TELL
        for task in objects_at(answer.body, "tasks"):
            if sought.mark in str(task.get("body")):
                return found(task_id=id_at(task, "id"))
        return NOT_FOUND


class Update(Operation[UpdatePayload]):
    """Change a task. Fields that are not given stay as they are."""

    name = "task.update"
    payload = UpdatePayload
    gives = {"task_id": ("task", "id")}

    @classmethod
    def request(cls, payload: UpdatePayload, location_id: str, mark: str) -> Request:
        where = path("/contacts/{id}/tasks/{task}", id=payload.contact_id, task=payload.task_id)
        return Request("PUT", where, Version.CONTACTS, body=payload.wire("contact_id", "task_id"))

    @classmethod
    def ordering_key(cls, payload: UpdatePayload) -> str:
        return f"task:{payload.task_id}"

    @classmethod
    def writes(cls, payload: UpdatePayload) -> frozenset[str]:
        return frozenset(payload.model_fields_set - {"contact_id", "task_id"})

    @classmethod
    def look_up(cls, payload: UpdatePayload, sought: Sought) -> Steps:
        sent = payload.wire("contact_id", "task_id")
        return (yield from _compare(payload, sent))


class Complete(Operation[CompletePayload]):
    """Mark a task as done, or open it again."""

    name = "task.complete"
    payload = CompletePayload
    gives = {"task_id": ("task", "id")}

    @classmethod
    def request(cls, payload: CompletePayload, location_id: str, mark: str) -> Request:
        where = path("/contacts/{id}/tasks/{task}/completed", id=payload.contact_id, task=payload.task_id)
        return Request("PUT", where, Version.CONTACTS, body={"completed": payload.completed})

    @classmethod
    def ordering_key(cls, payload: CompletePayload) -> str:
        return f"task:{payload.task_id}"

    @classmethod
    def writes(cls, payload: CompletePayload) -> frozenset[str]:
        return frozenset({"completed"})

    @classmethod
    def look_up(cls, payload: CompletePayload, sought: Sought) -> Steps:
        return (yield from _compare(payload, {"completed": payload.completed}))


def _compare(payload: TaskPayload, sent: dict[str, object]) -> Steps:
    answer = yield reads.task(payload.contact_id, payload.task_id)
    if is_gone(answer):
        return TARGET_GONE
    agreed = agrees(sent, object_at(answer.body, "task"))
    if agreed is None:
        return CANNOT_TELL
    return found(task_id=payload.task_id) if agreed else NOT_FOUND
