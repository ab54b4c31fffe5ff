"""`manage.py rotate_credentials`: encrypt every location's tokens with the first of the keys.

Put the new key in front of TRAINU_CREDENTIAL_KEYS and restart everything before; drop the old one after.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from sync import credentials, signals
from sync.signals import Act

_NAMED = 20


class Command(BaseCommand):
    help = "Encrypt GoHighLevel's tokens with the first key of TRAINU_CREDENTIAL_KEYS, after it was added."

    def handle(self, *args: Any, **options: Any) -> None:
        unreadable: list[str] = []
        with transaction.atomic():
            changed = credentials.encrypt_anew(unreadable.append)
            changes = {"reencrypted": (None, changed), "unreadable": (None, len(unreadable))}
            act = Act("configuration.change", "sync.credential", "", changes=changes)
            signals.acted.send(sender=None, acts=[act])
        locations = "location's tokens" if changed == 1 else "locations' tokens"
        self.stdout.write(f"{changed:,} {locations} encrypted with the first key.")
        if unreadable:
            named = ", ".join(unreadable[:_NAMED]) + (" …" if len(unreadable) > _NAMED else "")
            raise CommandError(
                f"No key opens the tokens of {len(unreadable):,} more: {named}. Put the key back that they"
                " were encrypted with and run this again, or enter their tokens anew."
            )
        self.stdout.write("Keys behind the first one are needed no longer.")
