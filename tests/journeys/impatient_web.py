"""The web application as granian serves it, with less patience for a database that is away."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trainu.settings")
django.setup()

from observability import database_watch  # noqa: E402 - models can be imported only now

# Before the application would start it with its own.
database_watch.start(database_watch.Patience(ask_every_s=0.3, answer_within_s=1, away_after_s=2))

from trainu.wsgi import application  # noqa: E402

__all__ = ["application"]
