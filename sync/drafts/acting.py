"""For which trainer an app decides: the drafts that it reaches then, and what the audit log says of it.

The rule: an app's key may work all drafts; one that says for whom it acts reaches that trainer's alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db.models import QuerySet

from sync.models import Draft

_trainer: ContextVar[str] = ContextVar("acting_for", default="")


@contextmanager
def acting_for(trainer_id: str) -> Iterator[None]:
    """Decide for a trainer within a block; an empty text: for nobody in particular."""
    token = _trainer.set(trainer_id)
    try:
        yield
    finally:
        _trainer.reset(token)


def reached() -> QuerySet[Draft]:
    """Return the drafts that may be decided about now."""
    trainer_id = _trainer.get()
    return Draft.objects.filter(trainer_id=trainer_id) if trainer_id else Draft.objects.all()


def changes() -> dict[str, tuple[object, object]]:
    """Return what an audit entry says of it beside its own changes."""
    trainer_id = _trainer.get()
    return {"acting_for": (None, trainer_id)} if trainer_id else {}
