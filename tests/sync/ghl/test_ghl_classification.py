"""How an attempt's end is judged: the design's table, row by row, and nothing else than that."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.ghl.errors import READ, Code, Outcome, Verdict, classify
from sync.ghl.operations import OPERATIONS
from sync.ghl.rate_limits import LONGEST_WAIT_S
from sync.ghl.response import Answer, Cause, Failure, Phase, read
from sync.ghl.words import _PLAIN, explain, fault_code
from trainu.faults import SyncFault

NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
AGAIN = OPERATIONS["contact.update"]
ONCE = OPERATIONS["message.send"]
GONE_IS_FINE = OPERATIONS["contact.delete"]


def answer(status: int, body: Any = None, **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return read(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def judged(operation: Any, result: Answer | Failure) -> tuple[Outcome, Code]:
    verdict = classify(operation, result, now=NOW)
    return verdict.outcome, verdict.code


SAID = {"message": "GoHighLevel's own words."}


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        (400, Outcome.PERMANENT, Code.STATUS_400),
        (403, Outcome.PERMANENT, Code.STATUS_403),
        (404, Outcome.PERMANENT, Code.TARGET_GONE),
        (409, Outcome.PERMANENT, Code.STATUS_409),
        (410, Outcome.PERMANENT, Code.TARGET_GONE),
        (413, Outcome.PERMANENT, Code.STATUS_413),
        (415, Outcome.PERMANENT, Code.STATUS_415),
        (422, Outcome.PERMANENT, Code.STATUS_422),
        (418, Outcome.PERMANENT, Code.STATUS_4XX),
        (401, Outcome.CONFIGURATION, Code.UNAUTHORIZED),
        (429, Outcome.DEFERRED, Code.RATE_LIMITED),
    ],
)
def test_a_refusal_is_the_same_for_what_can_be_repeated_and_what_cannot(
    status: int, outcome: Outcome, code: Code
) -> None:
    assert judged(AGAIN, answer(status, SAID)) == judged(ONCE, answer(status, SAID)) == (outcome, code)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (301, Code.REDIRECTED),
        (408, Code.STATUS_408),
        (425, Code.STATUS_425),
        (500, Code.STATUS_500),
        (502, Code.STATUS_502),
        (503, Code.STATUS_503),
        (504, Code.STATUS_504),
        (524, Code.STATUS_5XX),
    ],
)
def test_what_passes_is_transient_and_ambiguous_where_it_must_not_happen_twice(
    status: int, code: Code
) -> None:
    assert judged(AGAIN, answer(status, SAID)) == (Outcome.TRANSIENT, code)
    assert judged(ONCE, answer(status, SAID)) == (Outcome.AMBIGUOUS, code)


def test_what_was_taken_back_before_it_left_waits_and_costs_nothing() -> None:
    for operation in (AGAIN, ONCE):
        taken_back = Failure(Phase.BEFORE_SENDING, Cause.KILL_SWITCH)
        assert judged(operation, taken_back) == (Outcome.DEFERRED, Code.KILL_SWITCH)


_OURS = {Cause.UNUSABLE_TOKEN, Cause.KILL_SWITCH}


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause not in _OURS])
def test_no_answer_is_ambiguous_only_if_it_may_have_been_sent_and_must_not_be_repeated(cause: Cause) -> None:
    code = Code(cause.value)
    assert judged(AGAIN, Failure(Phase.BEFORE_SENDING, cause)) == (Outcome.TRANSIENT, code)
    assert judged(ONCE, Failure(Phase.BEFORE_SENDING, cause)) == (Outcome.TRANSIENT, code)
    assert judged(AGAIN, Failure(Phase.MAYBE_SENT, cause)) == (Outcome.TRANSIENT, code)
    assert judged(ONCE, Failure(Phase.MAYBE_SENT, cause)) == (Outcome.AMBIGUOUS, code)


def test_a_token_that_no_header_can_carry_is_a_matter_of_configuration() -> None:
    failure = Failure(Phase.BEFORE_SENDING, Cause.UNUSABLE_TOKEN)
    assert judged(ONCE, failure) == (Outcome.CONFIGURATION, Code.UNUSABLE_TOKEN)


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (401, "Invalid token: access token is invalid", Code.UNAUTHORIZED),
        (401, "Invalid JWT", Code.UNAUTHORIZED),
        (401, "The token is not authorized for this scope.", Code.MISSING_SCOPE),
        (403, "The token is not authorized for this scope.", Code.MISSING_SCOPE),
        (403, "The token does not have access to this location.", Code.WRONG_LOCATION),
    ],
)
def test_what_concerns_the_token_pauses_the_location_and_kills_no_job(
    status: int, message: str, code: Code
) -> None:
    assert judged(ONCE, answer(status, {"message": message})) == (Outcome.CONFIGURATION, code)


def test_a_page_of_a_gate_before_gohighlevel_is_no_refusal() -> None:
    assert judged(ONCE, answer(403, b"<html>error code: 1020</html>")) == (Outcome.TRANSIENT, Code.BLOCKED)


def test_a_duplicate_contact_gives_its_id_to_the_upsert_and_to_nobody_else() -> None:
    refusal = answer(
        400,
        {
            "statusCode": 400,
            "message": "This location does not allow duplicated contacts.",
            "meta": {"contactId": "c7", "contactName": "Somebody", "matchingField": "email"},
        },
    )
    verdict = classify(OPERATIONS["contact.upsert"], refusal, now=NOW)
    assert verdict == Verdict(Outcome.OK, Code.DUPLICATE_ADOPTED, ids={"contact_id": "c7"})
    # The id is another contact's: an update that took it for its own would write into the wrong person.
    assert judged(AGAIN, refusal) == (Outcome.PERMANENT, Code.DUPLICATE)


@pytest.mark.parametrize(
    ("status", "body", "outcome", "code"),
    [
        (404, {"message": "Contact not found"}, Outcome.OK, Code.ALREADY_GONE),
        (400, {"message": "Contact with id c1 not found"}, Outcome.OK, Code.ALREADY_GONE),
        (404, {"message": "Cannot DELETE /contact/c1"}, Outcome.PERMANENT, Code.STATUS_404),
        (404, b"<html>not found</html>", Outcome.PERMANENT, Code.STATUS_404),
        (400, {"message": "contactId must be a string"}, Outcome.PERMANENT, Code.STATUS_400),
    ],
)
def test_deleting_what_is_gone_is_done_if_gohighlevel_itself_says_so(
    status: int, body: Any, outcome: Outcome, code: Code
) -> None:
    assert judged(GONE_IS_FINE, answer(status, body)) == (outcome, code)


def test_a_422_after_which_the_thing_may_exist_asks_to_be_looked_up_first() -> None:
    refusal = answer(422, {"message": ["email must be an email"]})
    assert {name for name in OPERATIONS if classify(OPERATIONS[name], refusal, now=NOW).look_up_first} == {
        name for name in OPERATIONS if OPERATIONS[name].creates
    }
    assert "Look in GoHighLevel first" in explain(classify(ONCE, refusal, now=NOW)).next_step


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<html>Welcome</html>", Code.BAD_RESPONSE),
        (b'{"messageId": ', Code.BAD_RESPONSE),
        (b"", Code.BAD_RESPONSE),
        (b"[]", Code.BAD_RESPONSE),
        (b'{"conversationId": "cv1"}', Code.BAD_RESPONSE),
        (b'{"messageId": {"not": "an id"}}', Code.BAD_RESPONSE),
        (b'{"messageId": "m1", "success": false}', Code.NOT_DONE),
    ],
)
def test_a_yes_without_what_belongs_in_it_is_not_believed(body: bytes, code: Code) -> None:
    assert judged(ONCE, answer(201, body)) == (Outcome.AMBIGUOUS, code)
    assert judged(OPERATIONS["contact.upsert"], answer(200, body)) == (Outcome.TRANSIENT, code)


def test_a_yes_whose_body_was_cut_off_is_not_believed() -> None:
    assert judged(ONCE, read(200, {}, None)) == (Outcome.AMBIGUOUS, Code.BAD_RESPONSE)


def test_an_empty_yes_will_do_where_no_id_is_needed() -> None:
    assert judged(GONE_IS_FINE, answer(200)) == (Outcome.OK, Code.OK)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry_after": "7"}, 7 + 1.5),
        ({"retry_after": "0.5"}, 0.5 + 1.5),
        ({"retry_after": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 90 + 1.5),
        ({"retry_after": format_datetime(NOW - timedelta(seconds=90), usegmt=True)}, 1.5),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_interval_milliseconds": "10000"}, 10 + 1.5),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_interval_milliseconds": "4000"}, 4 + 1.5),
        ({}, 10 + 1.5),
        ({"retry_after": "soon"}, 10 + 1.5),
        ({"retry_after": "-5"}, 10 + 1.5),
        ({"retry_after": "999999999"}, LONGEST_WAIT_S + 1.5),
        ({"x_ratelimit_daily_remaining": "0"}, 6 * 3600 + 1.5),
        ({"x_ratelimit_daily_remaining": "0", "retry_after": "10"}, 6 * 3600 + 1.5),
        ({"x_ratelimit_daily_remaining": "0", "retry_after": "30000"}, 30000 + 1.5),
    ],
)
def test_a_429_says_how_long_to_wait(headers: dict[str, str], wait_s: float) -> None:
    verdict = classify(ONCE, answer(429, None, **headers), now=NOW, jitter_s=1.5)
    assert verdict.outcome is Outcome.DEFERRED
    assert verdict.wait_s == pytest.approx(wait_s)
    assert (verdict.code is Code.QUOTA_EXHAUSTED) is ("x_ratelimit_daily_remaining" in headers)


def test_an_unavailable_service_may_say_when_to_come_back() -> None:
    assert classify(AGAIN, answer(503, None, retry_after="120"), now=NOW).wait_s == 120
    assert classify(AGAIN, answer(503, None), now=NOW).wait_s is None


JUNK = st.one_of(
    st.text(max_size=30),
    st.integers().map(str),
    st.floats().map(str),
    st.datetimes().map(str),
    st.sampled_from(["9" * 5000, "١٢", "Wed, 21 Oct 9999 07:28:00 -9999", "inf", "1e9", " 5 "]),
)


@given(
    retry_after=JUNK,
    interval=JUNK,
    remaining=JUNK,
    daily=JUNK,
    status=st.integers(100, 599),
    body=st.binary(max_size=60) | st.just(None),
    now=st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)
def test_no_header_and_no_body_breaks_the_judgement(
    retry_after: str,
    interval: str,
    remaining: str,
    daily: str,
    status: int,
    body: bytes | None,
    now: datetime,
) -> None:
    headers = {
        "Retry-After": retry_after,
        "X-RateLimit-Interval-Milliseconds": interval,
        "X-RateLimit-Remaining": remaining,
        "X-RateLimit-Daily-Remaining": daily,
    }
    for operation in (AGAIN, ONCE, READ):
        verdict = classify(operation, read(status, headers, body), now=now)
        assert verdict.wait_s is None or 0 <= verdict.wait_s <= LONGEST_WAIT_S
        assert (verdict.outcome is Outcome.DEFERRED) == (status == 429)
        assert (verdict.wait_s is not None) or status != 429
        explain(verdict)
        SyncFault(fault_code(verdict))


def test_what_must_not_happen_twice_is_never_transient_once_it_was_answered() -> None:
    """The one row of the table that protects people: all statuses, all kinds of bodies."""
    once = [operation for operation in OPERATIONS.values() if not operation.repeatable]
    for status in [*range(200, 429), *range(430, 600)]:
        for body in (b"", b"{}", b"<html>", None):
            for operation in once:
                verdict = classify(operation, read(status, {}, body), now=NOW)
                assert verdict.outcome is not Outcome.TRANSIENT or verdict.code is Code.BLOCKED, status


def test_every_code_has_plain_words_and_a_next_step() -> None:
    assert set(_PLAIN) == set(Code)
    for code in Code:
        for outcome in Outcome:
            explanation = explain(Verdict(outcome, code))
            for text in (explanation.words, explanation.next_step):
                assert text.endswith(".")
                assert text[0].isupper()
                assert not any(mark in text for mark in ("{", "HTTP", "_"))
                assert not any(letter.isdigit() for letter in text)
            SyncFault(fault_code(Verdict(outcome, code)))


@given(st.binary(max_size=200), st.integers(100, 599))
def test_an_answers_text_shows_no_body(body: bytes, status: int) -> None:
    made = read(
        status, {"Set-Cookie": "session=secret"}, b'{"message": "ada@example.com", "x": "' + body + b'"}'
    )
    assert "ada@" not in f"{made!r} {made!s}"
    assert "secret" not in str(made.headers)


def test_gohighlevels_words_are_found_in_whatever_shape_they_come() -> None:
    assert answer(422, {"message": ["a must be b", "c must be d"]}).message == "a must be b; c must be d"
    assert answer(400, {"message": "Bad Request"}).message == "Bad Request"
    assert answer(400, {"error": "invalid_grant", "error_description": "Gone"}).message == "Gone"
    assert len(answer(400, {"message": "x" * 5000}).message) == 500
    assert answer(400, ["list"]).message == answer(400, {"message": {"deep": 1}}).message == ""


def test_the_trace_id_is_found_in_body_or_headers() -> None:
    assert answer(400, {"traceId": "0398c85a-261f-43f7-a83c-ce02820ad6aa"}, cf_ray="8a1").trace_id == (
        "0398c85a-261f-43f7-a83c-ce02820ad6aa"
    )
    assert answer(400, None, cf_ray="8a1b2c-FRA").trace_id == "8a1b2c-FRA"
    assert answer(400, {"traceId": "Ada Lovelace"}).trace_id is None


def test_the_limits_are_read_from_the_headers() -> None:
    limits = answer(
        200,
        {},
        x_ratelimit_limit_daily="200000",
        x_ratelimit_daily_remaining="199998",
        x_ratelimit_interval_milliseconds="10000",
        x_ratelimit_max="100",
        x_ratelimit_remaining=" 99 ",
    ).limits
    assert (limits.daily, limits.daily_left, limits.interval_ms) == (200000, 199998, 10000)
    assert (limits.burst, limits.burst_left) == (100, 99)
