"""A body counts as GoHighLevel's when a key of theirs has signed these very bytes, and never otherwise."""

from base64 import b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sync.webhooks import signature
from sync.webhooks.signature import HEADER, LEGACY_HEADER, Proof
from trainu import settings as shipped
from trainu.demo.ghl.signing import Signer

SIGNER = Signer("tests")
OTHER = Signer("another")
BODY = b'{"type":"ContactCreate","locationId":"ve9EPM428h8vShlRW1KT"}'


@pytest.fixture(autouse=True)
def _key(settings: Any) -> None:
    settings.GHL_WEBHOOK_KEYS = [SIGNER.public_pem]
    settings.GHL_WEBHOOK_LEGACY_RSA = ""


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)


def test_a_signed_body_is_valid_and_nothing_but_that_body() -> None:
    headers = {HEADER: SIGNER.sign(BODY)}
    assert signature.check(BODY, headers) is Proof.VALID
    # The same document, written with other blanks, was not signed.
    assert signature.check(BODY.replace(b":", b": "), headers) is Proof.WRONG
    assert signature.check(b"", headers) is Proof.WRONG


@hypothesis_settings(deadline=None)
@given(body=st.binary(min_size=1, max_size=300), bit=st.integers(0, 2_399))
def test_any_changed_bit_of_a_body_is_refused(body: bytes, bit: int) -> None:
    with override_settings(GHL_WEBHOOK_KEYS=[SIGNER.public_pem]):
        headers = {HEADER: SIGNER.sign(body)}
        assert signature.check(body, headers) is Proof.VALID
        assert signature.check(flipped(body, bit), headers) is Proof.WRONG


def test_any_changed_bit_of_a_signature_is_refused() -> None:
    """Of the header's own characters: base64 has spellings that decode to the same bytes."""
    header = SIGNER.sign(BODY).encode()
    for bit in range(len(header) * 8):
        assert signature.check(BODY, {HEADER: flipped(header, bit).decode("latin-1")}) is not Proof.VALID


def test_a_key_may_be_followed_by_the_next_one_and_given_as_its_line_alone(settings: Any) -> None:
    line = "".join(SIGNER.public_pem.splitlines()[1:-1])
    headers = {HEADER: SIGNER.sign(BODY)}
    for keys in ([OTHER.public_pem, line], [line, OTHER.public_pem]):
        settings.GHL_WEBHOOK_KEYS = keys
        assert signature.check(BODY, headers) is Proof.VALID
    settings.GHL_WEBHOOK_KEYS = [OTHER.public_pem]
    assert signature.check(BODY, headers) is Proof.WRONG


@pytest.mark.parametrize("headers", [{}, {HEADER: ""}, {HEADER: "N/A"}, {HEADER: " n/a "}])
def test_without_a_signature_nobody_is_believed(headers: dict[str, str]) -> None:
    assert signature.check(BODY, headers) is Proof.MISSING


@pytest.mark.parametrize(
    "header",
    ["x", "A" * 88, "=" * 88, "é" * 88, "A" * 1_000_000, b64encode(b"0" * 63).decode(), "null", "-----BEGIN"],
)
def test_what_is_no_signature_is_refused_without_an_error(header: str) -> None:
    assert signature.check(BODY, {HEADER: header}) is Proof.WRONG


class Legacy:
    """GoHighLevel as it signed until 2026."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.pem = (
            self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        )

    def sign(self, body: bytes) -> str:
        return b64encode(self.key.sign(body, PKCS1v15(), SHA256())).decode()


@pytest.fixture(scope="module")
def legacy() -> Legacy:
    return Legacy()


def test_a_legacy_signature_counts_only_where_its_key_is_configured(settings: Any, legacy: Legacy) -> None:
    headers = {LEGACY_HEADER: legacy.sign(BODY)}
    assert signature.check(BODY, headers) is Proof.MISSING
    settings.GHL_WEBHOOK_LEGACY_RSA = legacy.pem
    assert signature.check(BODY, headers) is Proof.VALID
    assert signature.check(BODY, headers | {HEADER: "N/A"}) is Proof.VALID
    assert signature.check(flipped(BODY, 3), headers) is Proof.WRONG
    assert signature.check(BODY, {LEGACY_HEADER: "AAAA"}) is Proof.WRONG


def test_nobody_falls_back_to_the_legacy_key(settings: Any, legacy: Legacy) -> None:
    settings.GHL_WEBHOOK_LEGACY_RSA = legacy.pem
    headers = {HEADER: OTHER.sign(BODY), LEGACY_HEADER: legacy.sign(BODY)}
    assert signature.check(BODY, headers) is Proof.WRONG


def test_the_key_that_is_shipped_is_an_ed25519_key_and_legacy_is_off(settings: Any) -> None:
    settings.GHL_WEBHOOK_KEYS = shipped.GHL_WEBHOOK_KEYS
    signature.check_configuration()
    assert shipped.GHL_WEBHOOK_LEGACY_RSA == ""
    # By any other key, nothing of it is believed.
    assert signature.check(BODY, {HEADER: SIGNER.sign(BODY)}) is Proof.WRONG


@pytest.mark.parametrize("keys", [[], ["nonsense"], ["-----BEGIN PUBLIC KEY-----"], ["AAAA"]])
def test_a_wrong_key_stops_the_process_at_its_start(settings: Any, keys: list[str]) -> None:
    settings.GHL_WEBHOOK_KEYS = keys
    with pytest.raises(ImproperlyConfigured, match="GHL_WEBHOOK_KEYS"):
        signature.check_configuration()


def test_a_key_of_the_wrong_kind_is_told_apart(settings: Any, legacy: Legacy) -> None:
    settings.GHL_WEBHOOK_KEYS = [legacy.pem]
    with pytest.raises(ImproperlyConfigured, match="GHL_WEBHOOK_KEYS"):
        signature.check_configuration()
    settings.GHL_WEBHOOK_KEYS = [SIGNER.public_pem]
    settings.GHL_WEBHOOK_LEGACY_RSA = SIGNER.public_pem
    with pytest.raises(ImproperlyConfigured, match="GHL_WEBHOOK_LEGACY_RSA"):
        signature.check_configuration()
