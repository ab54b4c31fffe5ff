"""GoHighLevel's official OpenAPI documents, made strict, as the judge of our requests.

They let unknown fields pass, which the live service refuses; here each body and query holds declared
fields only.
"""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse
from pydantic import SecretStr

from sync.ghl.request import Request

TOKEN = SecretStr("pit-for-tests")
HOST = "https://services.leadconnectorhq.com"
FOLDER = Path(__file__).parent / "specs"


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    strict = {name: _strict(item) for name, item in node.items()}
    if strict.get("type") == "object" and strict.get("properties"):
        strict.setdefault("additionalProperties", False)
    return strict


DOCUMENTS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")}
LOOSE = {name: OpenAPI.from_dict(document) for name, document in DOCUMENTS.items()}
STRICT = {name: OpenAPI.from_dict(_strict(document)) for name, document in DOCUMENTS.items()}


def check(request: Request) -> None:
    """Fail unless the request, as it would be sent, is one that the official documents know and allow."""
    name, operation = _operation(request)
    split = urlsplit(request.target)
    query = parse_qsl(split.query, keep_blank_values=True)
    declared = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
    assert {key for key, _ in query} <= declared
    STRICT[name].validate_request(_mock(request))


def check_answer(request: Request, status: int, document: Any) -> None:
    """Fail unless the official documents allow this answer to the request."""
    name, _ = _operation(request)
    answer = MockResponse(json.dumps(document).encode(), status, content_type="application/json")
    LOOSE[name].validate_response(_mock(request), answer)


def _mock(request: Request) -> MockRequest:
    split = urlsplit(request.target)
    headers = request.headers(TOKEN)
    return MockRequest(
        HOST,
        request.method,
        split.path,
        args=dict(parse_qsl(split.query, keep_blank_values=True)),
        headers=headers,
        data=request.content(),
        content_type=headers.get("Content-Type", "application/json"),
    )


def _operation(request: Request) -> tuple[str, dict[str, Any]]:
    path = urlsplit(request.target).path
    exact_first = sorted(
        ((name, template) for name, document in DOCUMENTS.items() for template in document["paths"]),
        key=lambda pair: pair[1].count("{"),
    )
    for name, template in exact_first:
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path):
            operation = DOCUMENTS[name]["paths"][template].get(request.method.lower())
            if operation is not None:
                return name, operation
    raise AssertionError(f"The official documents know no {request.method} {path}.")
