"""`manage.py create_api_key NAME --scopes …`: prints the new key alone on stdout, once."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError
from django.utils import timezone

from observability import api_keys
from observability.audit.actor import acting_as
from observability.models import ApiKey


class Command(BaseCommand):
    help = "Make an API key and print it. It is shown this once; only its hash is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="who will use it, such as booking-app")
        parser.add_argument(
            "--scopes", required=True, help=f"comma-separated, of: {', '.join(ApiKey.Scope.values)}"
        )
        parser.add_argument("--expires-in-days", type=int, help="by default it does not expire")
        parser.add_argument("--limit-per-minute", type=int, help="events a minute; 0: no limit (600,000)")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["expires_in_days"]
        if days is not None and days < 1:
            raise CommandError("--expires-in-days must be 1 or more.")
        if (options["limit_per_minute"] or 0) < 0:
            raise CommandError("--limit-per-minute must be 0 or more.")
        try:
            with acting_as("command:create_api_key"):
                _, key = api_keys.issue(
                    options["name"],
                    [scope.strip() for scope in options["scopes"].split(",") if scope.strip()],
                    expires_at=timezone.now() + timedelta(days=days) if days else None,
                    limit_per_minute=options["limit_per_minute"],
                )
        except ValueError as error:
            raise CommandError(str(error)) from None
        except IntegrityError:
            raise CommandError(
                f"There already is a key called {options['name']}. Choose another name."
            ) from None
        self.stdout.write(key)
