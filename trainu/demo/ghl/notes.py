"""Notes and tasks of a contact.

The rule: nothing here is protected from a repetition; the ledger counts every creation.
"""

from trainu.demo.ghl import payloads
from trainu.demo.ghl.access import home, of_location
from trainu.demo.ghl.call import Call, Document, Refused
from trainu.demo.ghl.contacts import VERSION
from trainu.demo.ghl.route import Route
from trainu.demo.ghl.shape import Shape
from trainu.demo.ghl.state import World

_NOTE_FIELDS: dict[str, type] = {"userId": str, "body": str, "title": str, "color": str, "pinned": bool}
_NOTE = Shape(_NOTE_FIELDS, required=("body",))
_TASK_FIELDS: dict[str, type] = {
    "title": str,
    "body": str,
    "dueDate": str,
    "completed": bool,
    "assignedTo": str,
}
_NEW_TASK = Shape(_TASK_FIELDS, required=("title", "dueDate", "completed"))
_TASK = Shape(_TASK_FIELDS)
_DONE = Shape({"completed": bool}, required=("completed",))


def _add_note(world: World, call: Call) -> tuple[int, Document]:
    fields = _NOTE.check(call.json())
    location = home(world, call, call.ids[0], "Contact")
    note = {"id": world.new_id(), **fields, "contactId": call.ids[0], "dateAdded": world.stamp()}
    location.notes.setdefault(call.ids[0], {})[note["id"]] = note
    world.ledger.created("note", fields["body"])
    world.emit("NoteCreate", location.id, lambda: payloads.note(note))
    return 201, {"note": note}


def _notes(world: World, call: Call) -> tuple[int, Document]:
    location = home(world, call, call.ids[0], "Contact")
    return 200, {"notes": list(location.notes.get(call.ids[0], {}).values())}


def _note(world: World, call: Call) -> tuple[int, Document]:
    note = _found(home(world, call, call.ids[0], "Contact").notes, call, "Note")
    if call.method == "PUT":
        note |= _NOTE.check(call.json())
        world.emit("NoteUpdate", world.home[call.ids[0]].id, lambda: payloads.note(note))
    return 200, {"note": note}


def _drop_note(world: World, call: Call) -> tuple[int, Document]:
    location = home(world, call, call.ids[0], "Contact")
    note = _found(location.notes, call, "Note")
    del location.notes[call.ids[0]][note["id"]]
    world.emit("NoteDelete", location.id, lambda: payloads.note(note))
    return 200, {"succeded": True}


def _add_task(world: World, call: Call) -> tuple[int, Document]:
    fields = _NEW_TASK.check(call.json())
    location = home(world, call, call.ids[0], "Contact")
    task = {"id": world.new_id(), **fields, "contactId": call.ids[0], "dateAdded": world.stamp()}
    location.tasks.setdefault(call.ids[0], {})[task["id"]] = task
    world.ledger.created("task", f"{fields['title']} {fields.get('body', '')}")
    world.ledger.wrote(task["id"], fields, via="create", at=world.clock.now())
    world.emit("TaskCreate", location.id, lambda: payloads.task_created(task))
    return 201, {"task": _shown(task)}


def _tasks(world: World, call: Call) -> tuple[int, Document]:
    location = home(world, call, call.ids[0], "Contact")
    return 200, {"tasks": [_shown(task) for task in location.tasks.get(call.ids[0], {}).values()]}


def _task(world: World, call: Call) -> tuple[int, Document]:
    return 200, {"task": _shown(_found(home(world, call, call.ids[0], "Contact").tasks, call, "Task"))}


def _put_task(world: World, call: Call) -> tuple[int, Document]:
    """Change a task, wholly or only whether it is completed."""
    shape = _DONE if call.parts[-1] == "completed" else _TASK
    fields = shape.check(call.json())
    location = home(world, call, call.ids[0], "Contact")
    task = _found(location.tasks, call, "Task")
    was_completed = task["completed"]
    task |= fields
    world.ledger.wrote(task["id"], fields, via="update", at=world.clock.now())
    if task["completed"] and not was_completed:
        world.emit("TaskComplete", location.id, lambda: payloads.task_completed(task))
    return 200, {"task": _shown(task)}


def _drop_task(world: World, call: Call) -> tuple[int, Document]:
    location = home(world, call, call.ids[0], "Contact")
    task = _found(location.tasks, call, "Task")
    del location.tasks[call.ids[0]][task["id"]]
    world.emit("TaskDelete", location.id, lambda: payloads.task_completed(task))
    return 200, {"succeded": True}


def _search_tasks(world: World, call: Call) -> tuple[int, Document]:
    location = of_location(world, call, call.ids[0])
    body = call.json()
    contacts = body.get("contactId")
    query = str(body.get("query") or "").lower()
    found = [
        _shown(task) | {"locationId": location.id}
        for contact_id, tasks in location.tasks.items()
        if not contacts or contact_id in contacts
        for task in tasks.values()
        if body.get("completed") in (None, task["completed"])
        and query in f"{task['title']} {task.get('body', '')}".lower()
    ]
    skip, limit = body.get("skip", 0), body.get("limit", 25)
    return 200, {"tasks": found[skip : skip + limit]}


def _found(store: dict[str, dict[str, Document]], call: Call, what: str) -> Document:
    thing = store.get(call.ids[0], {}).get(call.ids[1])
    if thing is None:
        raise Refused(404, f"{what} not found")
    return thing


def _shown(task: Document) -> Document:
    return {name: value for name, value in task.items() if name != "dateAdded"}


ROUTES = [
    Route("POST", "/contacts/{contactId}/notes", "contacts.write", _add_note, VERSION),
    Route("GET", "/contacts/{contactId}/notes", "contacts.readonly", _notes, VERSION),
    Route("GET", "/contacts/{contactId}/notes/{id}", "contacts.readonly", _note, VERSION),
    Route("PUT", "/contacts/{contactId}/notes/{id}", "contacts.write", _note, VERSION),
    Route("DELETE", "/contacts/{contactId}/notes/{id}", "contacts.write", _drop_note, VERSION),
    Route("POST", "/contacts/{contactId}/tasks", "contacts.write", _add_task, VERSION),
    Route("GET", "/contacts/{contactId}/tasks", "contacts.readonly", _tasks, VERSION),
    Route("GET", "/contacts/{contactId}/tasks/{taskId}", "contacts.readonly", _task, VERSION),
    Route("PUT", "/contacts/{contactId}/tasks/{taskId}", "contacts.write", _put_task, VERSION),
    Route("PUT", "/contacts/{contactId}/tasks/{taskId}/completed", "contacts.write", _put_task, VERSION),
    Route("DELETE", "/contacts/{contactId}/tasks/{taskId}", "contacts.write", _drop_task, VERSION),
    Route("POST", "/locations/{locationId}/tasks/search", "locations/tasks.readonly", _search_tasks, VERSION),
]
