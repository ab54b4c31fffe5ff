"""`manage.py rotate_credentials`: encrypt all secrets that are kept with the first of the keys.

Put the new key in front of TRAINU_CREDENTIAL_KEYS and restart everything before; drop the old one after.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from sync import signals
from sync.signals import Act
from trainu import encryption

_NAMED = 20


class Command(BaseCommand):
    help = "Encrypt all secrets with the first key of TRAINU_CREDENTIAL_KEYS, after it was added."

    def handle(self, *args: Any, **options: Any) -> None:
        unreadable: list[str] = []
        with transaction.atomic():
            changed = {holder: holder.encrypt_anew(unreadable.append) for holder in encryption.holders()}
            changes = {"reencrypted": (None, sum(changed.values())), "unreadable": (None, len(unreadable))}
            act = Act("configuration.change", "sync.credential", "", changes=changes)
            signals.acted.send(sender=None, acts=[act])
        for holder, number in changed.items():
            what = holder.one if number == 1 else holder.many
            self.stdout.write(f"{number:,} {what} encrypted with the first key.")
        if unreadable:
            named = ", ".join(unreadable[:_NAMED]) + (" …" if len(unreadable) > _NAMED else "")
            raise CommandError(
                f"No key opens what {len(unreadable):,} more have: {named}. Put the key back that it"
                " was encrypted with and run this again, or enter it anew."
            )
        self.stdout.write("Keys behind the first one are needed no longer.")
