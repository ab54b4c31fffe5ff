"""Who can mend what letters died of: whatever the code and the cause, somebody can, and knows what to do."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.dead_letters import explanations, fixers
from sync.dead_letters.fixers import Fixer
from sync.ghl.errors import Code
from sync.transitions import Cause
from trainu.faults import WebhookCode

KNOWN = [*Code, WebhookCode.BAD_PAYLOAD, WebhookCode.HANDLER_ERROR, "worker_lost", "not_found", "cannot_tell"]


def test_every_code_that_there_is_has_one_who_can_fix_it_and_only_one() -> None:
    listed = [code for codes in fixers.CODES.values() for code in codes]
    assert len(listed) == len(set(listed))
    assert set(KNOWN) <= set(listed)
    assert set(fixers.CODES) == set(Fixer)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40), st.sampled_from([*Cause, "", "else"]))
def test_for_any_word_somebody_can_fix_it_and_knows_what_to_do(code: str, cause: str) -> None:
    fixer = fixers.of(code, cause)
    assert fixer.label
    assert fixer.words.endswith(".")
    assert explanations.explain(code, cause).next_step


def test_what_may_have_been_done_is_for_a_person_and_a_bug_is_told_to_developers() -> None:
    for code in KNOWN:
        assert fixers.of(code, "check_by_hand") is Fixer.PERSON
        if fixers.of(code, "refused") is Fixer.BUG:
            assert "developers" in explanations.explain(code, "refused").next_step
    assert fixers.of(Code.STATUS_503, "exhausted") is Fixer.OUTAGE
    assert fixers.of(Code.UNAUTHORIZED, "refused") is Fixer.TOKEN
    assert fixers.of(Code.STATUS_422, "refused") is Fixer.DATA
