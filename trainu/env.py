"""Read the environment, one variable at a time. Rule: each variable is read once, here or in settings.

A wrong value stops the process at start with the variable's name, never later with a riddle.
"""

import os
from datetime import date, time
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    """Return the variable as it stands, or `default` where it is unset or empty."""
    return os.environ.get(name) or default


def flag(name: str, default: bool = False) -> bool:
    """Return a yes-or-no variable; raises ImproperlyConfigured for anything but true or false."""
    raw = text(name, "true" if default else "false").lower()
    if raw not in {"true", "false"}:
        raise ImproperlyConfigured(f"{name} must be true or false, not {raw!r}.")
    return raw == "true"


def number(name: str, default: int, *, minimum: int = 0, maximum: int | None = None) -> int:
    """Return a whole number; raises ImproperlyConfigured for none, or one beyond the bounds."""
    raw = text(name, str(default))
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {raw!r}.") from None
    if value < minimum:
        raise ImproperlyConfigured(f"{name} must be {minimum} or more, not {value}.")
    if maximum is not None and value > maximum:
        raise ImproperlyConfigured(f"{name} must be {maximum} or less, not {value}.")
    return value


def days(name: str, *, otherwise: str) -> tuple[date, date] | None:
    """Return the first and last day of a variable such as 2026-01-05/2026-02-01.

    otherwise: the word it may hold instead, and holds by default; then it is None. Raises
    ImproperlyConfigured for anything else, and for a first day behind the last one.
    """
    raw = text(name, otherwise)
    if raw == otherwise:
        return None
    try:
        first, last = (date.fromisoformat(day.strip()) for day in raw.split("/"))
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} must be {otherwise}, or two days as 2026-01-05/2026-02-01, not {raw!r}."
        ) from None
    if first > last:
        raise ImproperlyConfigured(f"{name}: the first day, {first}, lies behind the last one, {last}.")
    return first, last


def hours(name: str, default: str) -> tuple[time, time]:
    """Return the two times of day of a variable such as 21:00-08:00; raises ImproperlyConfigured.

    Both the same: no time at all.
    """
    value = text(name, default)
    try:
        first, last = (time.fromisoformat(part.strip()) for part in value.split("-"))
        if first.tzinfo or last.tzinfo:
            raise ValueError
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be two times of day, 21:00-08:00, not {value!r}.") from None
    return first, last


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated list without its blanks."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def secret(name: str, default: str = "") -> str:
    """Return a secret from NAME, or from the file that NAME_FILE names (as containers mount them)."""
    path = text(f"{name}_FILE")
    if not path:
        return text(name, default)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error.strerror}.") from None
