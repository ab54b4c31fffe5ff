"""What lets us write to a channel: kept encrypted, shown to nobody.

The rule: it is entered and replaced, never read back; what is opened stays wrapped until the request.
"""

from collections.abc import Callable

from pydantic import SecretStr

from observability.models import Channel
from trainu import encryption
from trainu.encryption import Unreadable, open_sealed, seal


class Unusable(Exception):
    """There is no secret to write with. code: why, for the outbox."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def has_one(channel: Channel) -> bool:
    """Whether something was entered."""
    return bool(channel.secret)


def opened(channel: Channel) -> SecretStr:
    """Return a channel's secret, wrapped. Raises Unusable."""
    if not has_one(channel):
        raise Unusable("secret_missing")
    try:
        return open_sealed(channel.secret)
    except Unreadable:
        raise Unusable("secret_unreadable") from None


def encrypt_anew(on_unreadable: Callable[[str], None]) -> int:
    """Encrypt every channel's secret with the first key; return how many. Told which ones no key opens."""
    changed = 0
    for channel in Channel.objects.exclude(secret=b""):
        try:
            secret = seal(open_sealed(channel.secret))
        except Unreadable:
            on_unreadable(channel.kind)
            continue
        # Not over one that was entered meanwhile.
        kept = Channel.objects.filter(pk=channel.pk, secret=bytes(channel.secret))
        changed += kept.update(secret=secret)
    return changed


def declare() -> None:
    """Let these be encrypted anew when keys are rotated; called by the app's ready()."""
    encryption.hold("channel's secret", "channels' secrets", encrypt_anew)
