"""`manage.py posthog_dashboards`: make the dashboards in PostHog what they are declared as. Ends in 1 when
something could not be done; what could is done, and the next run goes on."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import EventDefinition
from observability.posthog_dashboards import DASHBOARDS, apply, found, plan
from observability.posthog_dashboards.client import SCOPES, Client, Failed, Hopeless
from observability.posthog_dashboards.plan import Plan


class Command(BaseCommand):
    help = "Make and update the dashboards in PostHog; touches nothing that is not ours."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            client = _client()
            if options["dry_run"]:
                self._show(plan.make(DASHBOARDS, found.read(client)))
                self.stdout.write("Nothing was changed.")
                return
            with apply.alone() as still:
                self._run(client, still)
        except (Hopeless, Failed, apply.Busy) as reason:
            raise CommandError(str(reason)) from None

    def _run(self, client: Client, still: Any) -> None:
        made = plan.make(DASHBOARDS, found.read(client))
        self._show(made)
        if not made.actions:
            return
        _record(made, client.project)
        with tqdm(
            total=len(made.actions), desc="Changing", file=self.stderr, disable=not sys.stderr.isatty()
        ) as bar:
            outcome = apply.carry_out(made, DASHBOARDS, client, before=still, progress=bar.update)
        self.stdout.write(f"{len(outcome.done)} of {len(made.actions)} done.")
        for action, reason in outcome.failed:
            self.stdout.write(f"  not done: {action.verb} {action.kind} [{action.key}]. {reason}")
        if outcome.failed:
            raise CommandError(f"{len(outcome.failed)} could not be done; see above, then run it again.")

    def _show(self, made: Plan) -> None:
        """Print a plan, a line an action, and what a person should look at."""
        self.stdout.write(
            f"PostHog project {settings.POSTHOG_PROJECT_ID} at {settings.POSTHOG_APP_HOST}:"
            f" {made.as_declared} as declared, {len(made.actions)} to do."
        )
        for action in made.actions:
            self.stdout.write(f"  {action}")
        for note in [*made.notes, *_not_forwarded()]:
            self.stdout.write(f"  note: {note}")


def _client() -> Client:
    """Return a client as the environment describes it; raises CommandError that says what to set."""
    missing = [
        f"{name} ({what})"
        for name, what in (
            ("POSTHOG_PERSONAL_KEY", f"a personal API key with the scopes {SCOPES}"),
            ("POSTHOG_PROJECT_ID", "the project's number, which stands in the address of its settings"),
        )
        if not getattr(settings, name)
    ]
    if missing:
        raise CommandError(f"Set {' and '.join(missing)}. POSTHOG_APP_HOST is {settings.POSTHOG_APP_HOST}.")
    return Client(settings.POSTHOG_PERSONAL_KEY, settings.POSTHOG_PROJECT_ID, settings.POSTHOG_APP_HOST)


def _record(made: Plan, project: int) -> None:
    """Enter the run into the audit log ahead of its first request: what is killed midway has its entry."""
    verbs = ("create", "update", "remove")
    planned = {verb: [f"{one.kind} {one.key}" for one in made.actions if one.verb == verb] for verb in verbs}
    record(
        Action.POSTHOG_PROVISION,
        actor="command:posthog_dashboards",
        target=("posthog.project", project),
        changes={verb: (None, keys) for verb, keys in planned.items() if keys},
    )


def _not_forwarded() -> list[str]:
    names = EventDefinition.objects.filter(forwarded=False, kind=EventDefinition.Kind.CATALOG)
    return [
        f"{name} is not forwarded to PostHog: what is made of it there stays empty."
        for name in names.order_by("name").values_list("name", flat=True)
    ]
