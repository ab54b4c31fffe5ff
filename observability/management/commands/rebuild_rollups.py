"""`manage.py rebuild_rollups --since DAY`: make roll-ups anew from stored events, beside those in use.

Pages and workers go on meanwhile. A run that was interrupted is gone on with by the same command.
"""

from argparse import ArgumentTypeError
from datetime import UTC, date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from observability.audit.actor import acting_as
from observability.rollups import rebuild


class Command(BaseCommand):
    help = "Make the counts behind the dashboards anew from stored events; pages go on meanwhile."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", type=_day, help="first day, such as 2026-09-01, in UTC")
        parser.add_argument(
            "--give-up", action="store_true", help="throw away what an interrupted run has left"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if options["give_up"]:
            given_up = rebuild.give_up()
            self.stdout.write(
                "Given up; nothing in use was touched." if given_up else "Nothing was unfinished."
            )
            return
        since: date | None = options["since"]
        if since is None:
            raise CommandError("Say since which day: --since 2026-09-01.")
        if since > now.astimezone(UTC).date():
            raise CommandError("That day is still to come. Choose one of the past.")
        with acting_as("command:rebuild_rollups"):
            try:
                self._rebuild(since)
            except rebuild.NothingStored:
                self.stdout.write("No events are stored: there is nothing to count.")
            except rebuild.Busy:
                raise CommandError("Another process rebuilds at this moment. Wait for it.") from None
            except ValueError as error:
                raise CommandError(str(error)) from None
            except KeyboardInterrupt:
                raise CommandError(
                    f"Stopped; nothing in use was touched. Go on: rebuild_rollups --since {since}"
                ) from None

    def _rebuild(self, since: date) -> None:
        now = timezone.now()
        started = rebuild.begin(since, now=now)
        is_second = started.reached is not None
        if is_second:
            self.stdout.write(f"Going on after {started.reached}, where an earlier run has got to.")
        events = 0
        left = rebuild.days(started, now=now)
        with tqdm(total=len(left), desc="Counting", unit="day", file=self.stderr, ncols=78) as bar:
            for day, count in rebuild.advance(started, now=now):
                events += count
                bar.set_postfix_str(f"{day}, {events:,} events", refresh=False)
                bar.update()
        by_this = " by this run" if is_second else ""
        self.stdout.write(f"Done: {events:,} events counted anew since {since}{by_this}.")
        self.stdout.write("Dashboards count their days anew when somebody opens them.")


def _day(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise ArgumentTypeError("write a day such as 2026-09-01") from None
