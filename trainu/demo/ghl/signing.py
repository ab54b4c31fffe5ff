"""The key that signs the simulated webhooks: Ed25519 over the raw body, as GHL signs.

The rule: the key comes from the seed and from nowhere else; it is worth nothing outside tests and demo.
"""

from base64 import b64encode
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Signer:
    """Signs bodies. public_pem: the key to verify them with, in the form GHL publishes its own."""

    def __init__(self, seed: int | str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(sha256(f"webhooks {seed}".encode()).digest())
        public = self._key.public_key()
        self.public_pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def sign(self, body: bytes) -> str:
        """Return the signature in base64, as X-GHL-Signature carries it."""
        return b64encode(self._key.sign(body)).decode()
