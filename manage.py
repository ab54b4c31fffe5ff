#!/usr/bin/env python
"""Run one of the service's commands; `manage.py help` lists them."""

import os
import sys

from django.core.management import execute_from_command_line

from observability.errors import reporting, units


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trainu.settings")
    try:
        with units.command(sys.argv):
            execute_from_command_line(sys.argv)
    except Exception as error:
        # Python would print what the log line already says, without redaction.
        if not reporting.is_reported(error):
            raise
        sys.exit(1)


if __name__ == "__main__":
    main()
