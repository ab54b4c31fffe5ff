"""`manage.py reset_watermarks`: after a restore from a dump, let roll-ups and forwarder go on from here.

A dump carries the events with the transaction ids of the old cluster, which the new one has not reached.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from observability import watermark
from observability.audit.actor import acting_as


class Command(BaseCommand):
    help = "After a restore from a dump: let roll-ups and forwarder go on where the dump had left them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        ahead = watermark.positions_ahead()
        if not ahead:
            self.stdout.write("Every watermark lies behind the database's transactions: nothing to reset.")
            return
        self.stdout.write(f"Ahead of the database: {', '.join(ahead)}. This was restored from a dump.")
        self.stdout.write("Stop the workers first.")
        if not options["yes"] and input("Reset? [y/N] ").strip().lower() != "y":
            raise CommandError("Nothing was changed.")
        with acting_as("command:reset_watermarks"):
            for partition, rows in watermark.reset():
                self.stdout.write(f"  {partition}: {rows:,} events")
        self.stdout.write("Done. Start the workers.")
