"""Which locations' webhooks have stopped coming, as `sync.reconciliation.silence` has noticed it."""

from sync.models import Silence

MOST = 1_000


def locations() -> list[str]:
    """Return the ids of the active locations that are silent, at most MOST."""
    found = Silence.objects.filter(location__state="active").order_by("pk")
    return list(found.values_list("pk", flat=True)[:MOST])
