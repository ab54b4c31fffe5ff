"""One person's data in stored webhooks, and what erasure leaves of them: the row, without its body.

The rule: a body is a whole person as GoHighLevel knows them. It goes at once; that there was a webhook
stays, so that a resend of it is still known and brings nothing back.
"""

from datetime import datetime

from django.db import connection
from django.utils import timezone

from sync.webhooks.processing import ERASED
from trainu.personal_data import Place, register

# The id as a whole JSON text: a longer id that contains it is somebody else.
_MENTIONS = "(contact_id = %(id)s or object_id = %(id)s or position(%(quoted)s::bytea in body) > 0)"
_FIND = f"select count(*) from sync_webhook where {_MENTIONS}"
# A worker that has one in hand finds its fence passed; a dead one stays dead, and is not tried again.
_ERASE = f"""
update sync_webhook set body = '', contact_id = '',
    object_id = case when object_id = %(id)s then '' else object_id end,
    fence = fence + 1,
    state = case when state in ('waiting', 'leased') then 'ignored' else state end,
    code = case when state in ('waiting', 'leased') then %(erased)s else code end,
    processed_at = coalesce(processed_at, %(now)s)
where {_MENTIONS}
"""


def declare() -> None:
    """Register this place; a second call changes nothing."""
    register("sync.webhooks", lambda: [PLACE])


def find(contact_id: str) -> int:
    """Return how many webhooks mention a contact of GoHighLevel."""
    with connection.cursor() as cursor:
        cursor.execute(_FIND, _parameters(contact_id))
        [count] = cursor.fetchone()
        return int(count)


def erase(contact_id: str) -> int:
    """Empty the bodies that mention a contact; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_ERASE, _parameters(contact_id) | {"now": timezone.now(), "erased": ERASED})
        return int(cursor.rowcount)


def _parameters(contact_id: str) -> dict[str, str | bytes | datetime]:
    return {"id": contact_id, "quoted": f'"{contact_id}"'.encode()}


PLACE = Place("webhooks", "Webhooks of GoHighLevel", find, erase)
