"""What a language model's answer means: the body of a chat completion, read with no trust in it. Pure.

The rule: whatever comes, it ends as a message or as a code; nothing raises.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from sync.drafts.deciding import LONGEST_EMAIL, LONGEST_SUBJECT
from sync.drafts.llm import placeholders
from sync.drafts.llm.errors import Code, Failed, Usage
from sync.drafts.llm.prompts import Prompt
from sync.ghl.operations.messages import LONGEST_SMS
from sync.models import Draft
from sync.webhooks import fields

LONGEST_MODEL = 64
_MOST_TOKENS = 2**31 - 1
_FENCE = re.compile(r"\A```[A-Za-z]*\s*\n?(.*?)\n?\s*```\Z", re.DOTALL)
_UNKEPT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_SUBJECT_LINE = re.compile(r"\A\s*subject:\s*(.+)\n\s*(.*)\Z", re.DOTALL | re.IGNORECASE)
# For an email whose answer has none.
_SUBJECTS = {
    Draft.Kind.BOOKING_CONFIRMATION: "Your booking",
    Draft.Kind.BOOKING_REMINDER: "Your booking",
    Draft.Kind.BOOKING_RESCHEDULE: "Your booking was moved",
    Draft.Kind.NO_SHOW_RECOVERY: "Shall we find another time?",
    Draft.Kind.PROGRESS_CELEBRATION: "Well done!",
    Draft.Kind.WEEKLY_CHECKIN: "How was your week?",
    Draft.Kind.AT_RISK_OUTREACH: "How are you?",
    Draft.Kind.GENERAL_REPLY: "Your message",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model has written; details are filled in."""

    text: str
    subject: str
    usage: Usage


def read(body: bytes, prompt: Prompt, *, channel: str, kind: str, model: str) -> Answer | Failed:
    """Return what a body of 200 says. model: whom we have asked, for an answer that does not say."""
    try:
        document = json.loads(body)
        message, finish = document["choices"][0]["message"], document["choices"][0].get("finish_reason")
        content, refusal = message.get("content"), message.get("refusal")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return Failed(Code.BAD_RESPONSE)
    usage = _usage(document, model)
    written = _written(content, refusal, finish, prompt, channel=channel, kind=kind)
    if isinstance(written, Code):
        return Failed(written, usage=usage)
    return Answer(*written, usage)


def _usage(document: dict[str, Any], asked: str) -> Usage:
    said, counted = document.get("model"), fields.child(document, "usage")
    model = _kept(said) if isinstance(said, str) else ""
    return Usage(
        (model or asked)[:LONGEST_MODEL],
        _tokens(counted.get("prompt_tokens")),
        _tokens(counted.get("completion_tokens")),
    )


def _written(
    content: Any, refusal: Any, finish: Any, prompt: Prompt, *, channel: str, kind: str
) -> tuple[str, str] | Code:
    """Return text and subject, or why there are none."""
    if refusal or finish == "content_filter":
        return Code.REFUSED
    said = _kept(_content(content)).strip()
    if not said:
        return Code.EMPTY
    if finish == "length":
        return Code.TOO_LONG
    parts = _parts(said)
    if isinstance(parts, Code):
        return parts
    text, subject = parts
    if not text:
        return Code.EMPTY
    is_email = channel == Draft.Channel.EMAIL
    subject = (subject or _SUBJECTS[Draft.Kind(kind)]) if is_email else ""
    try:
        text = placeholders.fill(text, prompt.values, required=prompt.required)
        subject = " ".join(placeholders.fill(subject, prompt.values).split())
    except placeholders.Missing:
        return Code.PLACEHOLDER
    longest = LONGEST_EMAIL if is_email else LONGEST_SMS
    return Code.TOO_LONG if len(text) > longest or len(subject) > LONGEST_SUBJECT else (text, subject)


def _parts(said: str) -> tuple[str, str] | Code:
    """Return text and subject of what was asked for as JSON, and may come in a fence, or bare."""
    fenced = _FENCE.match(said)
    bare = fenced[1].strip() if fenced else said
    is_json = bare.startswith(("{", "[")) and not bare.startswith("{{")
    try:
        document = json.loads(bare) if is_json else None
    except (ValueError, RecursionError):
        return Code.BAD_OUTPUT
    if isinstance(document, dict):
        if document.get("refused"):
            return Code.REFUSED
        text, subject = document.get("text"), document.get("subject", "")
        if not isinstance(text, str) or not isinstance(subject, str | None):
            return Code.BAD_OUTPUT
        return _kept(text).strip(), _kept(subject or "").strip()
    if is_json:
        return Code.BAD_OUTPUT
    if lines := _SUBJECT_LINE.match(bare):
        return lines[2].strip(), lines[1].strip()
    return bare, ""


def _content(content: Any) -> str:
    """Return a message's text; some providers give it in parts."""
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _kept(text: str) -> str:
    """Return a text without what PostgreSQL does not keep."""
    return _UNKEPT.sub("", text)


def _tokens(count: Any) -> int | None:
    is_count = isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= _MOST_TOKENS
    return count if is_count else None
