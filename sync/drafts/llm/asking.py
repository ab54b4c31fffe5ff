"""One call of the language model, through the `openai` client.

The rules: a call is one request: the client's own tries are off, and no redirect is followed. It ends
within its time, also where the answer drips. Nothing the client raises goes any further, for its exceptions
hold the request with prompt and key.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.utils import timezone

from sync.drafts.llm import answers, errors
from sync.drafts.llm.answers import Answer
from sync.drafts.llm.errors import Code, Failed
from sync.drafts.llm.prompts import Prompt

# A lane lives little longer than this.
LONGEST_CALL_S = 60.0
_CONNECT_S = 10.0
# The client refuses to be made without one; a model in the house may want none.
_NO_KEY = "none"


class Asker:
    """Asks one model. Use as `async with`. timeout_s: for a whole call; the rest is as in the settings."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        model: str,
        *,
        timeout_s: float,
        connections: int = 20,
        clock: Callable[[], datetime] = timezone.now,
    ) -> None:
        # Here, for it takes a second to import, and most processes never ask.
        import httpx2
        import openai

        self.model = model
        self.timeout_s = min(timeout_s, LONGEST_CALL_S)
        self._openai, self._httpx = openai, httpx2
        self._clock = clock
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or _NO_KEY,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(
                follow_redirects=False,
                timeout=httpx2.Timeout(self.timeout_s, connect=min(_CONNECT_S, self.timeout_s)),
                limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
            ),
        )

    async def ask(self, prompt: Prompt, *, channel: str, kind: str) -> Answer | Failed:
        """Ask once; return what was written, or why nothing was. Raises nothing but being cancelled."""
        messages: Any = prompt.messages()
        try:
            async with asyncio.timeout(self.timeout_s):
                raw: Any = await self._client.chat.completions.with_raw_response.create(
                    model=self.model, messages=messages, timeout=self.timeout_s
                )
        except TimeoutError:
            return Failed(Code.TIMEOUT)
        except self._openai.APITimeoutError:
            return Failed(Code.TIMEOUT)
        except self._openai.APIConnectionError:
            return Failed(Code.CONNECTION)
        except self._openai.APIStatusError as error:
            code = errors.of_status(error.status_code, error.code)
            wait = errors.asked_wait(error.response.headers, now=self._clock())
            return Failed(code, wait if code in errors.MAY_PASS else None)
        except (self._openai.OpenAIError, self._httpx.HTTPError, self._httpx.InvalidURL, ValueError):
            # A body in an encoding that is none, an address that is none.
            return Failed(Code.BAD_RESPONSE)
        return answers.read(raw.content, prompt, channel=channel, kind=kind, model=self.model)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()


def from_settings() -> Asker | None:
    """Return who asks the model that is set up; None where none is."""
    if not settings.LLM_MODEL:
        return None
    return Asker(
        settings.LLM_BASE_URL, settings.LLM_API_KEY, settings.LLM_MODEL, timeout_s=settings.LLM_TIMEOUT_S
    )
