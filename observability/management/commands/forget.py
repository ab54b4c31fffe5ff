"""`manage.py forget --contact ID`: find one person everywhere, erase, and print the proof.

On a terminal it asks first; without one it needs --yes, or --dry-run to look only.
"""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from observability import erasure
from observability.models import Erasure
from trainu.personal_data import registered


class Command(BaseCommand):
    help = "Erase one person everywhere, and print what was found where."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--contact", required=True, help="the person's id, in TrainU or GoHighLevel")
        parser.add_argument("--reason", default="", help="why, such as the number of the request")
        parser.add_argument("--dry-run", action="store_true", help="look only, change nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        words = {"by": "command:forget", "reason": options["reason"], "now": timezone.now()}
        if not options["dry_run"] and not options["yes"]:
            _ask(options["contact"])
        places = len(registered())
        with tqdm(total=places, desc="Places", file=self.stderr, disable=not sys.stderr.isatty()) as bar:
            try:
                proof = erasure.forget(
                    options["contact"],
                    dry_run=options["dry_run"],
                    progress=lambda place: bar.update(),
                    **words,
                )
            except ValueError as error:
                raise CommandError(str(error)) from None
        for line in in_words(proof):
            self.stdout.write(line)
        if options["dry_run"]:
            self.stdout.write("Nothing was changed.")
        elif proof.total("left"):
            raise CommandError("Something is left: it was stored meanwhile. Run it again.")


def in_words(proof: Erasure) -> list[str]:
    """Return the proof, a line a place, and what it does not reach."""
    lines = [f"Proof {proof.pk}: person {proof.pseudonym}" if proof.pk else f"Person {proof.pseudonym}"]
    for name, figures in proof.findings.items():
        lines.append(
            f"  {name:<20} found {figures['found']:>6,}  erased {figures['erased']:>6,}"
            f"  left {figures['left']:>6,}"
        )
    return lines + [f"  Not reached: {sentence}" for sentence in proof.elsewhere]


def _ask(contact: str) -> None:
    if not sys.stdin.isatty():
        raise CommandError("There is nobody to ask. Say --yes to erase, or --dry-run to look only.")
    if input("This cannot be undone. Type the id once more: ").strip() != contact.strip():
        raise CommandError("Nothing was changed.")
