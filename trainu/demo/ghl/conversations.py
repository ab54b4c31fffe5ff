"""Conversations and messages: sent, received, listed.

The rule: the ledger counts a message at the moment it leaves for the person; lists may lag behind.
"""

from trainu.demo.ghl import payloads
from trainu.demo.ghl.access import home, of_location
from trainu.demo.ghl.call import Call, Document, Refused
from trainu.demo.ghl.route import Route
from trainu.demo.ghl.shape import Shape
from trainu.demo.ghl.state import Location, World, iso

VERSION = "2021-04-15"
_TYPES = ("SMS", "RCS", "Email", "WhatsApp", "IG", "FB", "Custom", "Live_Chat", "TIKTOK")
_NUMBER_OF_TYPE = {"TYPE_SMS": 2, "TYPE_EMAIL": 3}
_SEND = Shape(
    {
        **dict.fromkeys(
            ["type", "subType", "contactId", "appointmentId", "emailFrom", "html", "message", "subject"], str
        ),
        **dict.fromkeys(
            ["replyMessageId", "templateId", "threadId", "conversationProviderId", "emailTo"], str
        ),
        **dict.fromkeys(["customSubtypeId", "emailReplyMode", "fromNumber", "toNumber", "status"], str),
        **dict.fromkeys(("attachments", "emailCc", "emailBcc"), list),
        "scheduledTimestamp": float,
        "forward": dict,
        "usesNativeSchedulingAi": bool,
        "optimizationPeriod": str,
    },
    required=("type", "contactId"),
    choices={"type": _TYPES},
    status=400,
)
_INBOUND = Shape(
    {"type": str, "conversationId": str, "contactId": str, "message": str, "html": str, "subject": str},
    required=("type", "conversationId"),
    status=400,
    closed=False,
)
_LARGEST_PAGE = 100


def conversation_of(world: World, location: Location, contact_id: str) -> Document:
    """Return the contact's conversation, opened where there is none."""
    found = location.conversations.get(contact_id)
    if found is None:
        now = world.stamp()
        found = {
            "id": world.new_id(),
            "contactId": contact_id,
            "locationId": location.id,
            "dateAdded": now,
            "dateUpdated": now,
            "deleted": False,
            "unreadCount": 0,
        }
        location.conversations[contact_id] = found
        location.messages[found["id"]] = []
        world.home[found["id"]] = location
    return found


def send(world: World, location: Location, fields: Document, *, source: str) -> Document:
    """Send a message to a contact and return it; raise Refused where it cannot be reached."""
    contact = location.contacts[fields["contactId"]]
    if fields["type"] == "SMS" and not (contact.get("phone") or fields.get("toNumber")):
        raise Refused(400, "Missing phone number")
    if fields["type"] == "Email" and not (contact.get("email") or fields.get("emailTo")):
        raise Refused(400, "Missing email")
    if _do_not_disturb(contact, fields["type"]):
        raise Refused(400, f"Cannot send message as DND is active for {fields['type']}.")
    text = fields.get("message") or fields.get("html") or ""
    message = _add(world, location, contact["id"], fields, text, "outbound", source)
    world.ledger.delivered(contact["id"], text)
    world.emit("OutboundMessage", location.id, lambda: payloads.message(message))
    return message


def receive(world: World, location: Location, contact_id: str, text: str, *, kind: str = "SMS") -> Document:
    """Let a contact write to the location."""
    message = _add(world, location, contact_id, {"type": kind}, text, "inbound", "app")
    location.conversations[contact_id]["unreadCount"] += 1
    world.emit("InboundMessage", location.id, lambda: payloads.message(message))
    return message


def _add(
    world: World,
    location: Location,
    contact_id: str,
    fields: Document,
    text: str,
    direction: str,
    source: str,
) -> Document:
    conversation = conversation_of(world, location, contact_id)
    now_ms = world.now_ms()
    message: Document = {
        "id": world.new_id(),
        "messageType": f"TYPE_{fields['type'].upper()}",
        "locationId": location.id,
        "contactId": contact_id,
        "conversationId": conversation["id"],
        "dateAdded": iso(now_ms),
        "body": text,
        "direction": direction,
        "status": "delivered",
        "contentType": "text/html" if fields["type"] == "Email" else "text/plain",
        "attachments": fields.get("attachments") or [],
        "source": source,
        "subject": fields.get("subject") or "",
        "at_ms": now_ms,
    }
    location.messages[conversation["id"]].append(message)
    world.home[message["id"]] = location
    conversation["dateUpdated"] = message["dateAdded"]
    return message


def _do_not_disturb(contact: Document, kind: str) -> bool:
    setting = (contact.get("dndSettings") or {}).get(kind) or {}
    return bool(contact.get("dnd")) or setting.get("status") in {"active", "permanent"}


def _visible(world: World, location: Location, conversation_id: str) -> list[Document]:
    """Return the messages that lists show by now, newest first."""
    newest = world.now_ms() - world.settings.message_lag_s * 1000
    return [one for one in reversed(location.messages[conversation_id]) if one["at_ms"] <= newest]


def _shown(message: Document) -> Document:
    left_out = {"at_ms", "subject"}
    shown = {name: value for name, value in message.items() if name not in left_out}
    return shown | {"type": _NUMBER_OF_TYPE.get(message["messageType"], 1)}


def _send(world: World, call: Call) -> tuple[int, Document]:
    fields = _SEND.check(call.json())
    location = home(world, call, fields["contactId"], "Contact")
    if not (fields.get("message") or fields.get("html") or fields.get("attachments")):
        raise Refused(400, "There is no message or attachments for this message. Skip sending.")
    message = send(world, location, fields, source="api")
    document = {
        "conversationId": message["conversationId"],
        "messageId": message["id"],
        "messageIds": [message["id"]],
        "msg": "Message queued successfully.",
        "status": "pending",
    }
    if fields["type"] == "Email":
        document["emailMessageId"] = message["id"]
    return 200, document


def _receive(world: World, call: Call) -> tuple[int, Document]:
    fields = _INBOUND.check(call.json())
    location = home(world, call, fields["conversationId"], "Conversation")
    found = [one for one in location.conversations.values() if one["id"] == fields["conversationId"]]
    text = fields.get("message") or fields.get("html") or ""
    message = receive(world, location, found[0]["contactId"], text, kind=fields["type"])
    return 200, {
        "success": True,
        "conversationId": message["conversationId"],
        "messageId": message["id"],
        "message": "Message added successfully",
        "contactId": message["contactId"],
        "dateAdded": message["dateAdded"],
    }


def _create(world: World, call: Call) -> tuple[int, Document]:
    fields = call.json()
    location = of_location(world, call, fields.get("locationId"))
    contact_id = str(fields.get("contactId"))
    if contact_id not in location.contacts:
        raise Refused(400, "The contact was not found.")
    if contact_id in location.conversations:
        raise Refused(400, f"Conversation with the contact id:{contact_id} already exists!")
    conversation = conversation_of(world, location, contact_id)
    shown = {name: value for name, value in conversation.items() if name != "unreadCount"}
    return 201, {"success": True, "conversation": shown | {"lastMessageDate": conversation["dateUpdated"]}}


def _search(world: World, call: Call) -> tuple[int, Document]:
    query = call.query
    location = of_location(world, call, query.get("locationId"))
    limit = call.number("limit", 20, most=_LARGEST_PAGE)
    contact_id = query.get("contactId")
    if contact_id:
        chosen = [one for one in (location.conversations.get(contact_id),) if one]
    else:
        chosen = list(location.conversations.values())
    shown = []
    for conversation in chosen:
        contact = location.contacts.get(conversation["contactId"], {})
        messages = _visible(world, location, conversation["id"])
        last = messages[0] if messages else {"body": "", "messageType": "TYPE_SMS"}
        shown.append(
            {
                **{name: conversation[name] for name in ("id", "contactId", "locationId", "unreadCount")},
                "lastMessageBody": last["body"],
                "lastMessageType": last["messageType"],
                "lastMessageDate": last.get("at_ms", 0),
                "type": "TYPE_PHONE",
                "fullName": contact.get("name", ""),
                "contactName": contact.get("name", ""),
                "email": contact.get("email", ""),
                "phone": contact.get("phone", ""),
            }
        )
    shown.sort(key=lambda one: (one["lastMessageDate"], one["id"]), reverse=True)
    if after := query.get("startAfterDate"):
        shown = [one for one in shown if one["lastMessageDate"] < int(after)]
    return 200, {"conversations": shown[:limit], "total": len(shown)}


def _messages(world: World, call: Call) -> tuple[int, Document]:
    location = home(world, call, call.ids[0], "Conversation")
    limit = call.number("limit", 20, most=_LARGEST_PAGE)
    found = _visible(world, location, call.ids[0])
    if last := call.query.get("lastMessageId"):
        ids = [one["id"] for one in found]
        found = found[ids.index(last) + 1 :] if last in ids else []
    page = found[:limit]
    # The real answer nests them once more than its document says.
    return 200, {
        "messages": {
            "lastMessageId": page[-1]["id"] if page else "",
            "nextPage": len(found) > limit,
            "messages": [_shown(one) for one in page],
        }
    }


def _message(world: World, call: Call) -> tuple[int, Document]:
    location = home(world, call, call.ids[0], "Message")
    for messages in location.messages.values():
        for one in messages:
            if one["id"] == call.ids[0]:
                return 200, _shown(one)
    raise Refused(404, "Message not found")


_READ, _WRITE = "conversations/message.readonly", "conversations/message.write"
ROUTES = [
    Route("POST", "/conversations/messages", _WRITE, _send, VERSION),
    Route("POST", "/conversations/messages/inbound", _WRITE, _receive, VERSION),
    Route("GET", "/conversations/messages/{id}", _READ, _message, VERSION),
    Route("GET", "/conversations/{conversationId}/messages", _READ, _messages, VERSION),
    Route("GET", "/conversations/search", "conversations.readonly", _search, VERSION),
    Route("POST", "/conversations/", "conversations.write", _create, VERSION),
]
