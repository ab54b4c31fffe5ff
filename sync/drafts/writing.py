"""One try to write a draft: what is known is put together, the model is asked, and its answer is read.

The rule: whatever goes wrong here ends as a code; a draft that breaks our program holds up no other.
"""

import time

import structlog
from django.db import Error

from sync.drafts import conversation, delivery
from sync.drafts.llm import prompts
from sync.drafts.llm.asking import Asker
from sync.drafts.llm.errors import Code, Failed
from sync.drafts.llm.prompts import Prompt, Wish
from sync.drafts.queue import Claimed, Ended
from sync.models import Draft, Message
from trainu import correlation

log = structlog.get_logger(__name__)


def prompt(draft: Draft) -> Prompt | None:
    """Return what the model is told of a draft; None where our program cannot say. Asks PostgreSQL."""
    try:
        said = conversation.of(draft.contact_id, draft.location_id, most=prompts.MOST_LINES)
        return prompts.compose(
            Wish(
                kind=draft.kind,
                channel=draft.channel,
                context=draft.context,
                zone=delivery.zone(draft),
                conversation=[(one.direction == Message.Direction.INBOUND, one.text) for one in said],
                hint=draft.hint,
                previous=draft.text if draft.hint else "",
            )
        )
    except Error:
        raise
    except Exception as error:  # noqa: BLE001 - neither texts nor locals may get into a traceback
        log.error("draft_without_prompt", draft_id=str(draft.pk), error=type(error).__name__)
        return None


async def write(claimed: Claimed, told: Prompt | None, asker: Asker) -> Ended:
    """Make one try; return how it ended. Raises nothing but being cancelled."""
    draft = claimed.draft
    began = time.perf_counter()
    with correlation.bound(draft.correlation_id):
        result = Failed(Code.BROKEN)
        try:
            if told is not None:
                result = await asker.ask(told, channel=draft.channel, kind=draft.kind)  # type: ignore[assignment]
        except Exception as error:  # noqa: BLE001 - as above
            log.error("draft_not_asked_for", draft_id=str(draft.pk), error=type(error).__name__)
        return Ended(claimed, result, (time.perf_counter() - began) * 1e3)


def given_up(claimed: Claimed) -> Ended:
    """Return how a try ends that has to be left in the middle."""
    return Ended(claimed, Failed(Code.LOST), 0.0)
