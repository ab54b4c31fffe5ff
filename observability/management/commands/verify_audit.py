"""`manage.py verify_audit`: check that nobody has changed the audit log. Ends in 1 where somebody has."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from observability.audit import chain
from observability.models import AuditLink


class Command(BaseCommand):
    help = "Check the audit log against its chain and its signatures. Ends in 1 when something does not fit."

    def handle(self, *args: Any, **options: Any) -> None:
        ends = AuditLink.objects.order_by("seq").values_list("seq", flat=True)
        first, last = ends.first(), ends.last()
        total = last - first + 1 if first is not None and last is not None else 0
        with tqdm(
            total=total,
            desc="Verifying",
            unit="entry",
            file=sys.stderr,
            ncols=78,
            disable=None,
        ) as bar:
            walked = chain.verify(now=timezone.now(), progress=bar.update)
        self.stdout.write(f"{walked.entries:,} entries checked, {walked.first_seq} to {walked.head_seq}.")
        if not walked.count:
            self.stdout.write(f"Nothing was tampered with. Head: {walked.head.hex()}")
            return
        for finding in walked.findings:
            self.stdout.write(str(finding))
        if walked.count > len(walked.findings):
            self.stdout.write(f"… and {walked.count - len(walked.findings):,} more.")
        raise CommandError(
            f"{walked.count:,} finding{'' if walked.count == 1 else 's'}: somebody went past the service."
            " Keep the database as it is, compare it with a backup, and find out who can reach it."
        )
