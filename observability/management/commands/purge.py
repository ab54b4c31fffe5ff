"""`manage.py purge`: show what is older than its policy, and remove it.

On a terminal it asks first; without one it needs --yes, or --dry-run to look only.
"""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from observability.models import PurgeRun
from observability.retention import purge
from observability.retention.purge import Plan
from trainu.datasets import Dataset, find, registered


class Command(BaseCommand):
    help = "Remove what is older than its retention policy; shows it first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dataset", help="only this one; default: all")
        parser.add_argument("--dry-run", action="store_true", help="show what would go, remove nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        chosen = _chosen(options["dataset"])
        plans = [
            purge.plan(dataset, now=now)
            for dataset in tqdm(chosen, desc="Looking", file=self.stderr, disable=not sys.stderr.isatty())
        ]
        for line in _table(plans):
            self.stdout.write(line)
        if options["dry_run"]:
            self.stdout.write("Nothing was removed.")
            return
        due = [plan for plan in plans if not plan.is_empty]
        if not due:
            self.stdout.write("Nothing is older than its policy.")
            return
        if not options["yes"]:
            self._ask()
        failed = [plan.dataset.name for plan in due if not self._run(plan)]
        if failed:
            raise CommandError(f"Not purged: {', '.join(failed)}. What went before stays gone; run it again.")

    def _ask(self) -> None:
        if not sys.stdin.isatty():
            raise CommandError("There is nobody to ask. Say --yes to remove it, or --dry-run to look only.")
        if input("Remove it for good? [y/N] ").strip().lower() not in {"y", "yes"}:
            raise CommandError("Nothing was removed.")

    def _run(self, plan: Plan) -> bool:
        """Purge one dataset with a bar on stderr; return whether it went well."""
        total = len(plan.partitions) or plan.rows
        with tqdm(total=total, desc=plan.dataset.name, file=self.stderr, unit="") as bar:
            try:
                report = purge.run(plan.dataset, now=timezone.now(), by="command:purge", progress=bar.update)
            except purge.Busy as busy:
                self.stderr.write(str(busy))
                return False
        self.stdout.write(in_words(report))
        return report.state == PurgeRun.State.DONE


def in_words(report: PurgeRun) -> str:
    """Return a report as one line."""
    gone = f"{report.partitions:,} partitions" if report.partitions else f"{report.rows:,} rows"
    words = f"{report.dataset}: {report.get_state_display().lower()}, {gone} in {report.seconds:.1f} s"
    return f"{words}; {report.reason}" if report.reason else words


def _chosen(name: str | None) -> list[Dataset]:
    if name is None:
        return registered()
    dataset = find(name)
    if dataset is None:
        known = ", ".join(one.name for one in registered())
        raise CommandError(f"There is no dataset {name}. There are: {known}.")
    return [dataset]


def _table(plans: list[Plan]) -> list[str]:
    """Return what would go, a line a dataset, and below it the partitions by name."""
    width = max(len(plan.dataset.name) for plan in plans)
    lines = []
    for plan in plans:
        lines.append(
            f"{plan.dataset.name:<{width}}  older than {plan.cutoff_at:%Y-%m-%d %H:%M}"
            f"  {len(plan.partitions):>5,} partitions  {plan.rows_in_words:>18} rows"
        )
        lines += [f"{'':<{width}}  {name}" for name in plan.partitions]
        if plan.held:
            lines.append(f"{'':<{width}}  {plan.held}")
    return lines
