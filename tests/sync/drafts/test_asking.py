"""Asking the model: what each thing that can go wrong is called, with one request and no secret kept."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sync.drafts.llm import errors
from sync.drafts.llm.answers import Answer
from sync.drafts.llm.asking import Asker
from sync.drafts.llm.errors import Code, Failed
from sync.drafts.llm.prompts import Prompt
from tests.llm_server import FAULTS, KEY, MODEL, LLMServer, Said, llm, wrong, wrote
from tests.servers import free_port
from trainu.faults import LLMCode

PROMPT = Prompt("Rules.", "Write.", {"client_first_name": "Ada", "trainer_name": "Grace Hopper"})
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

MEANT = {
    "429": Code.RATE_LIMITED,
    "quota": Code.QUOTA,
    "500": Code.PROVIDER_5XX,
    "503": Code.OVERLOADED,
    "529": Code.OVERLOADED,
    "504": Code.TIMEOUT,
    "hang": Code.TIMEOUT,
    "drip": Code.TIMEOUT,
    "cut": Code.CONNECTION,
    "drop": Code.CONNECTION,
    "garbage": Code.BAD_RESPONSE,
    "html": Code.BAD_RESPONSE,
    "no choices": Code.BAD_RESPONSE,
    "null": Code.BAD_RESPONSE,
    "wrong encoding": Code.CONNECTION,
    "401": Code.AUTH,
    "403": Code.AUTH,
    "400": Code.BAD_REQUEST,
    "404": Code.NO_MODEL,
    "redirect": Code.BAD_REQUEST,
    "filtered request": Code.REFUSED,
    "refusal": Code.REFUSED,
    "refused in words": Code.REFUSED,
    "filtered": Code.REFUSED,
    "empty": Code.EMPTY,
    "null content": Code.EMPTY,
    "cut off": Code.TOO_LONG,
    "oversize": Code.TOO_LONG,
    "unknown placeholder": Code.PLACEHOLDER,
    "broken placeholder": Code.PLACEHOLDER,
    "gap": Code.PLACEHOLDER,
    "json without a text": Code.BAD_OUTPUT,
    "half a json": Code.BAD_OUTPUT,
}


class Model(LLMServer):
    """The server, and who asks it: one client for all tests, for making one takes as long as twenty calls."""

    runner: asyncio.Runner
    asker: Asker

    def ask(
        self, *, key: str = KEY, channel: str = "sms", url: str = "", timeout_s: float = 20
    ) -> Answer | Failed:
        """Ask once. A key, an address or a time of one's own takes a client of one's own."""

        async def once() -> Answer | Failed:
            other = Asker(url or self.url, key, "asked-for", timeout_s=timeout_s, clock=lambda: NOW)
            async with other as asker:
                return await asker.ask(PROMPT, channel=channel, kind="general_reply")

        if key != KEY or url or timeout_s != 20:
            return self.runner.run(once())
        return self.runner.run(self.asker.ask(PROMPT, channel=channel, kind="general_reply"))


@pytest.fixture(scope="module")
def serving() -> Iterator[Model]:
    with llm(Model()) as server, asyncio.Runner() as runner:
        assert isinstance(server, Model)
        server.runner = runner
        server.asker = Asker(server.url, KEY, "asked-for", timeout_s=20, clock=lambda: NOW)
        yield server
        runner.run(server.asker.__aexit__(None, None, None))


@pytest.fixture
def model(serving: Model) -> Model:
    serving.replies.clear()
    return serving


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_code_and_costs_one_request(
    model: Model, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = model.calls
    model.script(FAULTS[fault])
    with caplog.at_level(logging.INFO):
        failed = model.ask(timeout_s=2 if MEANT[fault] == Code.TIMEOUT and fault != "504" else 20)
    assert isinstance(failed, Failed)
    assert failed.code == MEANT[fault]
    assert model.calls == before + 1
    assert KEY not in f"{failed!r}{caplog.text}"
    assert "Rules." not in caplog.text


def test_a_wrong_key_and_a_server_that_is_away_are_told_apart(model: Model) -> None:
    assert model.ask(key="sk-another") == Failed(Code.AUTH)
    assert model.ask(url=f"http://127.0.0.1:{free_port()}/v1") == Failed(Code.CONNECTION)


def test_an_answer_is_filled_in_and_says_what_it_cost(model: Model) -> None:
    model.script(wrote("Hi {{client_first_name}}, yours, {{ trainer_name }}"))
    answer = model.ask()
    assert isinstance(answer, Answer)
    assert (answer.text, answer.subject) == ("Hi Ada, yours, Grace Hopper", "")
    assert (answer.usage.model, answer.usage.prompt_tokens, answer.usage.answer_tokens) == (MODEL, 120, 30)


@pytest.mark.parametrize(
    ("said", "channel", "text", "subject"),
    [
        ('{"text": "Hi"}', "sms", "Hi", ""),
        ('```json\n{"text": "Hi"}\n```', "sms", "Hi", ""),
        ("```\nHi\n```", "sms", "Hi", ""),
        ("{{client_first_name}}, hi", "sms", "Ada, hi", ""),
        ('{"text": "Hi", "subject": "News"}', "email", "Hi", "News"),
        ("Subject: News\n\nHi", "email", "Hi", "News"),
        ("Hi", "email", "Hi", "Your message"),
        ([{"type": "text", "text": "Hi"}], "sms", "Hi", ""),
        ('{"text": "a\\u0000b\\ud800"}', "sms", "ab", ""),
    ],
)
def test_an_answer_is_read_in_whatever_form_it_comes(
    model: Model, said: object, channel: str, text: str, subject: str
) -> None:
    model.script(wrote(said))
    answer = model.ask(channel=channel)
    assert isinstance(answer, Answer)
    assert (answer.text, answer.subject) == (text, subject)


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("7", 7),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30),
        ("Mon, 23 Nov 2026 11:00:00 GMT", None),
        ("soon", None),
        ("-1", None),
        ("nan", None),
        ("9" * 30, None),
    ],
)
def test_a_wait_that_is_asked_for_is_told(model: Model, said: str, wait: int | None) -> None:
    model.script(wrong(429, retry_after=said))
    failed = model.ask()
    assert isinstance(failed, Failed)
    assert failed.asked_for == (None if wait is None else timedelta(seconds=wait))


def test_a_body_of_another_shape_never_raises(model: Model) -> None:
    for body in (b"[]", b"1", b'{"choices": 1}', b'{"choices": [{"message": []}]}', b"[" * 5000, b""):
        model.script(Said(body=body))
        assert isinstance(model.ask(), Failed)


def test_every_code_has_words_and_those_of_the_model_a_fault() -> None:
    assert all(errors.words(code) for code in Code)
    assert errors.words("") == ""
    assert errors.words("of another version")
    ours = {Code.LOST, Code.BROKEN, Code.NOT_SET_UP}
    assert {code for code in Code if errors.fault(code) is None} == ours
    assert errors.fault(Code.RATE_LIMITED) == LLMCode.RATE_LIMITED
