"""What the API's document says of errors: which status means what at this address.

The rule: a status that an address may answer stands in its document, in words that say what to do.
"""

from typing import Any

_SCHEMA = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_EVERYWHERE = {401: "No valid key.", 403: "The key lacks the scope.", 429: "Over the key's limit."}


def problems(words: dict[int, str]) -> dict[str, Any]:
    """Return OpenAPI's part about errors. words: beside those that every address may answer."""
    said = words | _EVERYWHERE
    return {
        "responses": {str(status): {"description": text, "content": _SCHEMA} for status, text in said.items()}
    }
