"""A request as a value: ids stay in their place, and no text of it shows a body or a token."""

import pickle
import traceback
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr
from yarl import URL

from sync.ghl.request import Request, UnusableToken, path

# The beginning keeps them apart from words of our own code, which hypothesis likes to try.
SECRETS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40).map("zqx-{}".format)
PEOPLE = st.text(max_size=40).map("qzw-{}".format)


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("../opportunities/o1", "..%2Fopportunities%2Fo1"),
        ("a b", "a%20b"),
        ("a?b#c", "a%3Fb%23c"),
        ("ä/ß", "%C3%A4%2F%C3%9F"),
        ("%2e%2e", "%252e%252e"),
        ("ocQ_1729821600000_1800", "ocQ_1729821600000_1800"),
    ],
)
def test_an_id_is_quoted_whole(value: str, quoted: str) -> None:
    assert path("/contacts/{id}/notes", id=value) == f"/contacts/{quoted}/notes"


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_an_id_that_would_climb_out_of_its_place_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="id cannot stand in a path"):
        path("/contacts/{id}", id=value)


@given(st.text(min_size=1))
def test_any_id_arrives_as_it_was_and_in_its_place(value: str) -> None:
    assume(value not in {".", ".."})
    assume(value.isprintable() or not any(0xD800 <= ord(letter) <= 0xDFFF for letter in value))
    sent = URL("http://127.0.0.1" + path("/contacts/{id}/notes", id=value), encoded=True).raw_path
    assert sent.startswith("/contacts/")
    assert sent.endswith("/notes")
    assert unquote(sent.removeprefix("/contacts/").removesuffix("/notes")) == value
    assert sent.count("/") == 3


@given(st.dictionaries(st.sampled_from(["email", "number", "q"]), st.text(min_size=1)))
def test_any_query_arrives_as_it_was(query: dict[str, str]) -> None:
    split = urlsplit(Request("GET", "/contacts/search/duplicate", None, query=query).target)
    assert parse_qs(split.query, keep_blank_values=True) == {name: [value] for name, value in query.items()}


def test_the_plus_of_a_phone_number_is_not_read_as_a_space() -> None:
    query = {"number": "+49 1511"}
    assert Request("GET", "/x", None, query=query).target == "/x?number=%2B49%201511"


def test_headers_carry_version_and_token() -> None:
    headers = Request("POST", "/contacts/upsert", "2021-07-28", body={}).headers(SecretStr("pit-1"))
    assert headers == {
        "Accept": "application/json",
        "Version": "2021-07-28",
        "Content-Type": "application/json",
        "Authorization": "Bearer pit-1",
    }
    assert "Authorization" not in Request("POST", "/oauth/token", None).headers(None)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Injected: 1", "schlüssel", "x" * 10_000])
def test_a_token_that_no_header_can_carry_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(UnusableToken) as refused:
        Request("GET", "/x", None).headers(SecretStr(token))
    shown = "".join(traceback.format_exception(refused.value)) + repr(refused.value.args)
    assert not token or token not in shown


@given(secret=SECRETS, person=PEOPLE)
def test_no_text_of_a_request_shows_token_body_or_query_values(secret: str, person: str) -> None:
    request = Request(
        "POST",
        "/oauth/token",
        None,
        query={"email": person},
        body={"client_secret": SecretStr(secret), "name": person},
        encoding="form",
    )
    for text in (repr(request), str(request), f"{request}", repr([request])):
        assert secret not in text
        assert "qzw" not in text, "not even quoted"
    assert secret not in repr(request.body)
    assert secret not in repr(pickle.loads(pickle.dumps(request)))


def test_a_form_reveals_its_secrets_only_as_content() -> None:
    request = Request("POST", "/x", None, body={"a": SecretStr("s&cret"), "b": "ü"}, encoding="form")
    assert request.content() == b"a=s%26cret&b=%C3%BC"
    assert Request("GET", "/x", None).content() is None
    assert Request("DELETE", "/x", None, body={}).content() == b"{}"
