"""Every measure there is, registered by the app's ready(): whoever adds a file of them adds it here."""

from observability.alerts.measures import rates, register, show_rate, sync, upkeep


def declare() -> None:
    """Register every measure; a second call changes nothing."""
    register(*rates.MEASURES, *sync.MEASURES, *upkeep.MEASURES, *show_rate.MEASURES)
