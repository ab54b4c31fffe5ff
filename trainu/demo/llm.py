"""A language model for the demo: speaks OpenAI's protocol, and writes short messages as a coach would.

Run as `python -m trainu.demo.llm PORT`; GET / tells how it was asked. It listens on loopback only. The rule:
it knows nothing but what it is asked, so that it greets by the placeholders that it is offered. Some requests
take long, some fail once, some always, and some it does not want to write: the same ones each time.
"""

import hashlib
import json
import re
import threading
import time
from collections import Counter
from typing import Any

from trainu.demo.loopback import LoopbackHandler, serve

MODEL = "demo-coach-1"
SLOW_S = 3.0
# Of a hundred requests: refused, failing always, failing at first, slow.
REFUSED, BROKEN, SHAKY, SLOW = 4, 4, 8, 15
_OFFERED = re.compile(r"\{\{(\w+)\}\}")
# What a wish is recognised by: words of its first sentences, looked for in this order.
_KINDS = {
    "booking_confirmation": "confirm",
    "booking_reminder": "remind",
    "booking_reschedule": "moved",
    "no_show_recovery": "did not come",
    "progress_celebration": "celebrate",
    "at_risk_outreach": "reach out",
    "weekly_checkin": "check in",
}
# WHEN becomes the booking's time where there is one.
_TEXTS = {
    "booking_confirmation": (
        "Your session is booked: WHEN. Write me if the time does not suit after all.",
        "You are in: WHEN it is. Bring water and a towel.",
    ),
    "booking_reminder": (
        "A quick reminder of our session: WHEN. Write me soon if you cannot make it.",
        "See you WHEN! If something comes up, tell me and we find another time.",
    ),
    "booking_reschedule": (
        "Our session was moved, it is now WHEN. Does that suit you?",
        "There is a new time for our session: WHEN. Tell me if it does not fit.",
    ),
    "no_show_recovery": (
        "We missed you today. I hope all is well! Shall we find another time this week?",
        "You did not make it to our session, and that happens. Which day would be better?",
    ),
    "progress_celebration": (
        "What a week: you have kept at it, and it shows. Keep it up!",
        "You have reached what you set out to do. Well done! What shall be next?",
    ),
    "at_risk_outreach": (
        "I have not seen you for a while and wanted to ask how you are. Shall we do something easy together?",
        "It has been quiet lately. No pressure at all: would a shorter session suit you better just now?",
    ),
    "weekly_checkin": (
        "How was your week? Which session felt best, and was there one that did not?",
        "Checking in: how do you feel after this week's sessions, from one to ten?",
    ),
    "general_reply": (
        "Thank you for your message! I will look into it and come back to you today.",
        "Good question. Let us talk it through at the beginning of our next session.",
    ),
}
_SUBJECTS = {
    "booking_confirmation": "Your session is booked",
    "booking_reminder": "See you soon",
    "booking_reschedule": "A new time for our session",
    "no_show_recovery": "Shall we find another time?",
    "progress_celebration": "Well done!",
    "at_risk_outreach": "How are you?",
    "weekly_checkin": "How was your week?",
    "general_reply": "Your message",
}


def write(kind: str, number: int, offered: set[str]) -> tuple[str, str]:
    """Return subject and text of a message, with placeholders of those that are offered. number: any."""
    texts = _TEXTS[kind]
    name = next((one for one in ("client_first_name", "client_name") if one in offered), "")
    when = "{{booking_starts_at}}" if "booking_starts_at" in offered else "as planned"
    greeting = f"Hi {{{{{name}}}}}! " if name else "Hi! "
    signed = " {{trainer_name}}" if "trainer_name" in offered else ""
    return _SUBJECTS[kind], f"{greeting}{texts[number % len(texts)].replace('WHEN', when)}{signed}"


def kind_of(wish: str) -> str:
    """Return what a request asks for, as its first sentences say it."""
    asked = wish.split("Facts, as JSON", 1)[0].lower()
    return next((kind for kind, word in _KINDS.items() if word in asked), "general_reply")


def complete(messages: list[dict[str, Any]], number: int) -> tuple[str, bool]:
    """Return what is answered, and whether it was refused. number: made of the request, 0 to 99."""
    system = str(messages[0].get("content", "")) if messages else ""
    wish = str(messages[-1].get("content", "")) if messages else ""
    if number < REFUSED:
        return json.dumps({"refused": True}), True
    subject, text = write(kind_of(wish), number, set(_OFFERED.findall(system)))
    return json.dumps({"subject": subject, "text": text} if "an email" in system else {"text": text}), False


class LanguageModel(LoopbackHandler):
    asked: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    lock = threading.Lock()

    def do_POST(self) -> None:
        request = json.loads(self.body())
        messages = request.get("messages", [])
        mark = hashlib.sha256(json.dumps(messages).encode()).hexdigest()
        number = int(mark[:8], 16) % 100
        with LanguageModel.lock:
            LanguageModel.seen[mark] += 1
            is_first = LanguageModel.seen[mark] == 1
            if len(LanguageModel.seen) > 10_000:
                LanguageModel.seen.clear()
        if REFUSED <= number < REFUSED + BROKEN or (is_first and number >= 100 - SHAKY):
            self._count("failed")
            self.answer({"error": {"message": "Internal error", "type": "server_error"}}, status=500)
            return
        if REFUSED + BROKEN <= number < REFUSED + BROKEN + SLOW:
            time.sleep(SLOW_S)
        content, is_refused = complete(messages, number)
        self._count("refused" if is_refused else "answered")
        self.answer(_document(mark, str(request.get("model", MODEL)), content, messages))

    def do_GET(self) -> None:
        with LanguageModel.lock:
            self.answer({"model": MODEL, **LanguageModel.asked})

    def _count(self, how: str) -> None:
        with LanguageModel.lock:
            LanguageModel.asked[how] += 1


def _document(mark: str, model: str, content: str, messages: list[dict[str, Any]]) -> dict[str, object]:
    read, written = sum(len(str(one)) for one in messages) // 4, len(content) // 4
    message = {"role": "assistant", "content": content, "refusal": None}
    return {
        "id": f"chatcmpl-{mark[:24]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
    }


if __name__ == "__main__":
    serve(LanguageModel)
