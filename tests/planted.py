"""Personal strings that tests plant wherever something might leak. They stand in a module of their own:
Sentry shows the source around each frame, and no frame is ever in here."""

import json
from urllib.parse import quote, quote_plus

EMAIL = "jane.roe@mail-of-jane.example"
PHONE = "+33 6 39 98 12 34"
NAME = "Jane Wilhelmina Roe"
TOKEN = "pit-8e1f7a52-55d4-4c0a-9d3b-0c7be6a1f2aa"
COOKIE = "s3ss10n-value-of-jane-0123456789"
ALL = (EMAIL, PHONE, NAME, TOKEN, COOKIE)
# What would tell even where only a part got through.
PARTS = (*ALL, "jane.roe", "639981234", "6 39 98 12 34", "Wilhelmina", "8e1f7a52", "s3ss10n")


def found_in(text: str) -> list[str]:
    """Return which of the planted strings stand in a text, as they are or encoded."""
    return [
        part
        for part in PARTS
        if any(form in text for form in {part, quote(part), quote_plus(part), json.dumps(part)[1:-1]})
    ]
