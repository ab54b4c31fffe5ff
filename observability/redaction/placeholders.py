"""What stands where something was taken out. Every detector leaves it alone, so twice is once."""

import re

EMAIL = "[email]"
PHONE = "[phone]"
SECRET = "[secret]"
NAME = "[name]"
REDACTED = "[redacted]"
FAILED = "[redaction failed]"

ANY = re.compile(
    r"\[(?:email|phone|secret|name|redacted|redaction failed|\d{1,9} (?:characters|items) cut)\]"
)
_CUT = re.compile(r"…\[(\d{1,9}) characters cut\]\Z")


def cut(text: str, limit: int) -> str:
    """Return the beginning of `text`, with a note of how much is missing, in `limit` characters or fewer.

    The last word before the cut goes too: half an address or half a key is still a leak.
    """
    missing = 0
    if earlier := _CUT.search(text):
        text, missing = text[: earlier.start()], int(earlier[1])
    room = limit - 40
    kept = min(len(text), room)
    if kept < len(text):
        kept = next((at for at in range(kept, max(kept - 400, 0), -1) if text[at - 1].isspace()), kept - 400)
    return f"{text[:kept].rstrip()}…[{missing + len(text) - kept} characters cut]"
