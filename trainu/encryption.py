"""Secrets at rest: what others let us in with is encrypted before it is written to a row.

Kernel: imports no app. The rule: TRAINU_CREDENTIAL_KEYS are the keys; the first encrypts, all decrypt. What
is opened stays wrapped, in memory only. Who keeps secrets hands in, from its ready(), how they are encrypted
anew when keys are rotated.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from pydantic import SecretStr


class Unreadable(Exception):
    """It was encrypted with a key that is not configured any more."""


# Encrypts with the first key; is told what no key opens, by an id; returns how many it has encrypted.
EncryptAnew = Callable[[Callable[[str], None]], int]


@dataclass(frozen=True, slots=True)
class Holder:
    """Who keeps secrets. one, many: what they are called, such as "channel's secret", "channels' secrets"."""

    one: str
    many: str
    encrypt_anew: EncryptAnew


_holders: dict[str, Holder] = {}


def hold(one: str, many: str, encrypt_anew: EncryptAnew) -> None:
    """Let these secrets be encrypted anew when keys are rotated; a second call changes nothing."""
    _holders[one] = Holder(one, many, encrypt_anew)


def holders() -> list[Holder]:
    """Return everybody who keeps secrets, in the order of their names."""
    return [_holders[one] for one in sorted(_holders)]


def seal(secret: SecretStr) -> bytes:
    """Encrypt a secret with the first key."""
    return _fernet().encrypt(secret.get_secret_value().encode())


def open_sealed(sealed: bytes | memoryview) -> SecretStr:
    """Decrypt a secret with whichever key fits. Raises Unreadable where none does."""
    try:
        return SecretStr(_fernet().decrypt(bytes(sealed)).decode())
    except InvalidToken:
        raise Unreadable(
            "A secret cannot be decrypted: TRAINU_CREDENTIAL_KEYS lacks the key it was encrypted with. Put it"
            " back, or enter the secret again."
        ) from None


def _fernet() -> MultiFernet:
    keys = [word.strip() for word in str(settings.CREDENTIAL_KEYS).split(",") if word.strip()]
    # Any text is a key: Fernet wants 32 bytes.
    return MultiFernet(
        [Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys]
    )
