"""Messages to a contact: SMS and email.

The rule: a message is sent at most once. It carries no marker, for its reader would see it; and as
GoHighLevel's search lags behind by seconds and more, a lookup can find it, and can never say it is missing.
"""

from datetime import datetime, timedelta
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sync.ghl import reads
from sync.ghl.lookup import CANNOT_TELL, Steps, found, instant
from sync.ghl.operations.operation import Operation, Sought
from sync.ghl.operations.payload import LEFT_OUT, Email, Html, Id, Line, Payload, Phone, Prose
from sync.ghl.request import Request, Version
from sync.ghl.response import id_at, objects_at

# Their clock may be behind ours by this much; more would take an earlier message of the same text for ours.
CLOCK_SKEW = timedelta(seconds=5)
_KINDS = {
    "SMS": {"TYPE_SMS", "SMS", "TYPE_CUSTOM_SMS"},
    "Email": {"TYPE_EMAIL", "Email", "TYPE_CUSTOM_EMAIL"},
}
_MOST_CONVERSATIONS = 3
# Carriers cut or refuse what is longer.
LONGEST_SMS = 1600


class MessagePayload(Payload):
    channel: Literal["SMS", "Email"] = Field(alias="type", description="How it is sent.")
    contact_id: Id = Field(description="The contact in GoHighLevel who gets it.")
    message: Prose = Field(default=LEFT_OUT, description="The text; of an email, without formatting.")
    subject: Line = Field(default=LEFT_OUT, description="Subject, for an email.")
    html: Html = Field(default=LEFT_OUT, description="The formatted text of an email.")
    email_from: Email = Field(default=LEFT_OUT, description="Sender of an email, if not the location's own.")
    from_number: Phone = Field(default=LEFT_OUT, description="Sender of an SMS, if not the location's own.")
    reply_message_id: Id = Field(default=LEFT_OUT, description="The message this one answers.")

    @model_validator(mode="after")
    def _fits_its_channel(self) -> Self:
        given = self.model_fields_set
        if self.channel == "SMS":
            if "message" not in given or given & {"subject", "html", "email_from"}:
                raise ValueError("An SMS has a message, and neither subject, html nor email_from.")
            if len(self.message) > LONGEST_SMS:
                raise ValueError(f"An SMS has at most {LONGEST_SMS} characters.")
        elif "subject" not in given or not given & {"message", "html"} or "from_number" in given:
            raise ValueError("An email has a subject and a message or html, and no from_number.")
        return self


class Send(Operation[MessagePayload]):
    """Send a contact an SMS or an email. Never sent a second time by itself."""

    name = "message.send"
    payload = MessagePayload
    repeatable = False
    creates = True
    gives = {
        "message_id": ("messageId",),
        "conversation_id": ("conversationId",),
        "email_message_id": ("emailMessageId",),
    }
    needs = frozenset({"message_id"})

    @classmethod
    def request(cls, payload: MessagePayload, location_id: str, mark: str) -> Request:
        return Request("POST", "/conversations/messages", Version.CONVERSATIONS, body=payload.wire())

    @classmethod
    def ordering_key(cls, payload: MessagePayload) -> str:
        return f"messages:{payload.contact_id}"

    @classmethod
    def look_up(cls, payload: MessagePayload, sought: Sought) -> Steps:
        answer = yield reads.conversations(sought.location_id, payload.contact_id)
        there = [id_at(item, "id") for item in objects_at(answer.body, "conversations")]
        for conversation_id in [one for one in there if one][:_MOST_CONVERSATIONS]:
            answer = yield reads.messages(conversation_id)
            # The official document has one list, live answers nest it once more.
            listed = objects_at(answer.body, "messages", "messages") or objects_at(answer.body, "messages")
            ours = [
                one
                for one in listed
                if id_at(one, "id") not in sought.claimed and _is_ours(one, payload, sought.sent_at)
            ]
            if len(ours) == 1:
                return found(message_id=id_at(ours[0], "id"), conversation_id=conversation_id)
        return CANNOT_TELL


def _is_ours(message: dict[str, Any], payload: MessagePayload, sent_at: datetime) -> bool:
    added = instant(message.get("dateAdded"))
    return (
        message.get("direction") == "outbound"
        and message.get("messageType") in _KINDS[payload.channel]
        and added is not None
        and added >= sent_at - CLOCK_SKEW
        and _text(message.get("body")) in _texts(payload)
    )


def _texts(payload: MessagePayload) -> set[str]:
    given = (payload.message, payload.html) if payload.channel == "Email" else (payload.message,)
    return {_text(text) for text in given if text} - {""}


def _text(value: object) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
