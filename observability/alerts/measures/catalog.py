"""Every measure there is, registered by the app's ready(): whoever adds a file of them adds it here."""

from observability.alerts.measures import rates, register


def declare() -> None:
    """Register every measure; a second call changes nothing."""
    register(*rates.MEASURES)
