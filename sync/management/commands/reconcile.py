"""`manage.py reconcile --since 24h [--location ID]`: read GoHighLevel back for what its webhooks have missed.

Safe to repeat and to kill: what was told is not told again, and the next call goes on where this one stopped.
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from sync.models import Location, Reconciliation
from sync.reconciliation import runs, span, worker

BY = "command"
# A longer rest, such as for the next day's requests, is not waited for here.
LONGEST_WAIT_S = 300.0


class Command(BaseCommand):
    help = "Read contacts and appointments of GoHighLevel, repair what we know, and tell what was missed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since", default="24h", help="how far back, 30 days at most: 24h, 7d, or a moment"
        )
        parser.add_argument("--location", help="only this one, by its id; default: all that are active")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        try:
            since = span.since(options["since"], now=now)
            begun = [self._begin(id, since, now) for id in _chosen(options["location"])]
        except runs.Refused as refusal:
            raise CommandError(str(refusal)) from None
        if not begun:
            self.stdout.write("There is no active location with a token. Add one in the admin first.")
        failed = [run.location.pk for run in begun if not self._carry_on(run)]
        if failed:
            raise CommandError(f"Not reconciled: {', '.join(failed)}. What was repaired before stays so.")

    def _begin(self, location_id: str, since: datetime, now: datetime) -> Reconciliation:
        started = runs.start(location_id, since=since, now=now, by=BY)
        if started.goes_on:
            begun_at = f"{started.run.created_at:%Y-%m-%d %H:%M}"
            self.stdout.write(f"{location_id}: goes on with the reconciliation begun at {begun_at}.")
        return started.run

    def _carry_on(self, run: Reconciliation) -> bool:
        """Work on one with a bar on stderr; return whether it came to its end."""
        run = runs.take_over(run.pk, now=timezone.now())
        with tqdm(desc=run.location.pk, file=self.stderr, unit=" requests", initial=run.requests) as bar:

            def progress(run: Reconciliation) -> None:
                bar.set_postfix(stage=run.cursor["stage"], missed=run.missed, refresh=False)
                bar.update(run.requests - bar.n)

            worker.carry_on(settings.GHL_BASE_URL, [run], progress, longest_wait_s=LONGEST_WAIT_S)
        run.refresh_from_db()
        self.stdout.write(in_words(run))
        return run.state != Reconciliation.State.FAILED


def in_words(run: Reconciliation) -> str:
    """Return what came of a reconciliation as one line."""
    words = (
        f"{run.location.pk}: {run.get_state_display().lower()}, {run.contacts_read:,} contacts and"
        f" {run.appointments_read:,} appointments read, {run.missed:,} repaired,"
        f" {run.told:,} missed events told"
    )
    if run.state == Reconciliation.State.RUNNING:
        return f"{words}; workers go on with it at {run.next_at:%Y-%m-%d %H:%M}, or run this again"
    return f"{words}; {run.reason}" if run.reason else words


def _chosen(location_id: str | None) -> list[str]:
    if location_id:
        return [location_id]
    active = Location.objects.filter(state=Location.State.ACTIVE, credential__isnull=False)
    return list(active.order_by("pk").values_list("pk", flat=True))
