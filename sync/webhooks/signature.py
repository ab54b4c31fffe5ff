"""Whether GoHighLevel has written a body: its signature over the raw bytes.

The rule: where `X-GHL-Signature` is given it alone decides, and nothing else is tried. The key is the
same for all apps: a valid signature proves who wrote, not that it was meant for us.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

HEADER = "X-GHL-Signature"
LEGACY_HEADER = "X-WH-Signature"
# What GoHighLevel writes where it has no signature of a kind.
_NOT_THERE = {"", "N/A"}
_LONGEST_HEADER = 2_000


class Proof(StrEnum):
    """VALID: GoHighLevel wrote these bytes. WRONG: somebody claims so. MISSING: nobody claims anything."""

    VALID = "valid"
    WRONG = "wrong"
    MISSING = "missing"


def check(raw: bytes, headers: Mapping[str, str]) -> Proof:
    """Return what the headers prove of a body. raw: as it was received, before anything has read it."""
    given = _given(headers, HEADER)
    if given:
        return _proof(_is_ed25519(raw, given))
    legacy = _given(headers, LEGACY_HEADER)
    if legacy and settings.GHL_WEBHOOK_LEGACY_RSA:
        return _proof(_is_rsa(raw, legacy))
    return Proof.MISSING


def check_configuration() -> None:
    """Read the configured keys; raises ImproperlyConfigured, naming the variable at fault."""
    if not settings.GHL_WEBHOOK_KEYS:
        raise ImproperlyConfigured("GHL_WEBHOOK_KEYS must name a key: all webhooks would be refused.")
    for text in settings.GHL_WEBHOOK_KEYS:
        _ed25519_key(text)
    if settings.GHL_WEBHOOK_LEGACY_RSA:
        _rsa_key(settings.GHL_WEBHOOK_LEGACY_RSA)


def _proof(is_valid: bool) -> Proof:
    return Proof.VALID if is_valid else Proof.WRONG


def _given(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "").strip()
    return "" if value.upper() in _NOT_THERE else value


def _is_ed25519(raw: bytes, given: str) -> bool:
    signature = _decoded(given)
    if signature is None or len(signature) != 64:
        return False
    for text in settings.GHL_WEBHOOK_KEYS:
        try:
            _ed25519_key(text).verify(signature, raw)
        except InvalidSignature:
            continue
        return True
    return False


def _is_rsa(raw: bytes, given: str) -> bool:
    signature = _decoded(given)
    if signature is None:
        return False
    try:
        _rsa_key(settings.GHL_WEBHOOK_LEGACY_RSA).verify(signature, raw, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _decoded(given: str) -> bytes | None:
    """Return the bytes; None for anything but their one spelling in base64."""
    if len(given) > _LONGEST_HEADER:
        return None
    try:
        decoded = b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        return None
    # The last character has bits that no byte comes from: with them changed it would decode all the same.
    return decoded if b64encode(decoded).decode() == given else None


@lru_cache(maxsize=16)
def _ed25519_key(text: str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(text.encode()) if "-" in text else load_der_public_key(b64decode(text))
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ImproperlyConfigured(
            "GHL_WEBHOOK_KEYS must list Ed25519 public keys as GoHighLevel publishes them (PEM, or its"
            " line of base64), with commas between them."
        )
    return key


@lru_cache(maxsize=4)
def _rsa_key(text: str) -> RSAPublicKey:
    try:
        key = load_pem_public_key(text.encode())
    except ValueError:
        key = None
    if not isinstance(key, RSAPublicKey):
        raise ImproperlyConfigured("GHL_WEBHOOK_LEGACY_RSA must be an RSA public key in PEM.")
    return key
