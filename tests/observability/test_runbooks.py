"""Runbooks: every code leads to one, every link leads somewhere, and what they name is there."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from observability import forwarder, health, runbooks
from observability.alerts import incidents, outbox, rules

# The share that a rule speaks of is its measure's.
from observability.models import AlertRule
from observability.redaction import redact
from observability.retention import daily, lateness
from observability.runbooks import Kind, Runbook
from observability.runbooks.reading import parse
from sync import backoff, breaker, dying, locations
from sync.dead_letters import approval, explanations, fixers, ramp
from sync.drafts.llm import errors as llm_codes
from sync.ghl.errors import Code
from sync.models import CauseGroup, Location
from sync.reconciliation import regular, runs, silence, stages
from tests.conftest import Staff
from tests.sync.dying import dead_letters, location
from trainu import pulse, roles, schedules, transactions
from trainu.faults import DataLossCode, LLMCode, MassSendCode

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = ["What it means", "How to look", "What to do", "When to escalate"]
LONGEST_SECTION = 1_250
DAY = timedelta(days=1)
ALL = runbooks.everything()
# All codes with which a letter can die, of jobs and webhooks; whatever has words may be linked.
CAUSES = set(Code) | {code for codes in fixers.CODES.values() for code in codes}
FAULTS = {*DataLossCode, *MassSendCode}
PURGE = schedules.find("purge")
assert PURGE
# What pages say in numbers, and where the numbers come from.
NUMBERS = [
    (
        "breaker_open",
        "Five failures within a minute",
        (breaker.OPENS_AFTER, breaker.COUNTED_FOR.seconds),
        (5, 60),
    ),
    ("breaker_open", "after 15 seconds first", breaker.FIRST_PAUSE_S, 15),
    ("breaker_open", "every five minutes at last", breaker.LONGEST_PAUSE_S, 300),
    (
        "breaker_open",
        "one job goes, then 10, then 100",
        (breaker.FIRST_STEP, breaker.GROWTH, breaker.LAST_STEP),
        (1, 10, 100),
    ),
    (
        "dying_soon",
        "again after one minute, 5 minutes, 15 minutes, one hour and six hours",
        [one.seconds // 60 for one in backoff.DELAYS],
        [1, 5, 15, 60, 360],
    ),
    ("ghl_outage", "over more than seven hours", dying.rest(0).seconds // 3600, 7),
    ("ghl_outage", "steps of 1, 10, 100, then 500 at a time", ramp.SIZES, (1, 10, 100, 500)),
    ("check_by_hand", "Above 1,000 messages a second person", approval.MOST_ALONE, 1_000),
    (
        "rate_limits",
        "100 requests in ten seconds and 200,000 a day",
        (locations.MOST_IN_TEN_SECONDS, locations.MOST_A_DAY),
        (100, 200_000),
    ),
    (
        "rate_limits",
        "95 in ten seconds and 190,000 a day",
        (Location().burst_limit, Location().daily_limit),
        (95, 190_000),
    ),
    ("rate_limits", "half of the location's rate", ramp.SHARE, 0.5),
    ("webhook_silence", "at least half an hour", silence.SHORTEST.seconds, 1_800),
    ("webhook_silence", "every 15 minutes", silence.POLL_EVERY.seconds, 900),
    ("ghl_webhooks_down", "the last three hours", regular.HOURLY.seconds, 3 * 3600),
    ("ghl_webhooks_down", "the last 25 hours", regular.NIGHTLY.total_seconds(), 25 * 3600),
    ("ghl_webhooks_down", "up to 30 days back", runs.FARTHEST.days, 30),
    ("ghl_webhooks_down", "more than a week before", stages.BEHIND.days, 7),
    ("workers_silent", "longer than two minutes", health.LANE_SILENT.seconds, 120),
    ("posthog_away", "at most an hour apart", forwarder.LONGEST_WAIT_S, 3_600),
    ("posthog_away", "it tries every five minutes", forwarder.MISCONFIGURED_WAIT_S, 300),
    ("retention_overdue", "an hour later", daily.AFTER_FAILURE.seconds, 3_600),
    ("deadlocks", "up to three times", transactions.RETRIES, 3),
    ("workers_silent", "ends itself after two minutes", pulse.SILENT_S, 120),
    ("dying_soon", "so choose 8 hours", 8 in dying.HORIZONS and backoff.DELAYS[-1].seconds // 3600, 6),
    ("notifications_fail", "up to 50 times", outbox.MOST_TRIES, 50),
    ("retention_overdue", "more than two days over", lateness.GRACE.days, 2),
    ("retention_overdue", "begin every ten minutes", PURGE.minutes, 10),
]
# What a button takes, for the role that pages name beside it.
BUTTONS = {
    "Redrive": {"sync.redrive_deadletter"},
    "Discard it": {"sync.discard_deadletter"},
    "Send at once": {"sync.redrive_deadletter", "sync.edit_deadletter"},
    "Correct its data and send a copy": {"sync.edit_deadletter", "sync.reveal_deadletter"},
    "Assign to me": {"sync.assign_deadletter"},
    "Acknowledge": {"sync.assign_deadletter"},
    "Redrive all": {"sync.run_bulkoperation"},
    "Discard all": {"sync.run_bulkoperation"},
    "Pause": {"sync.run_bulkoperation", "sync.pause_location"},
    "Resume": {"sync.pause_location", "observability.pause_forwarder"},
    "Try again now": {"observability.pause_forwarder"},
    "Try these now": {"sync.retry_syncjob"},
    "Read back": {"sync.start_reconciliation"},
    "Release": {"sync.turn_killswitch"},
    "Stop all messages": {"sync.turn_killswitch"},
    "Send again": {"observability.resend_notification"},
    "Send the chosen events again": {"observability.resend_forwardrejection"},
}


def sections(page: Runbook) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", page.text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def body(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, path
    return flat(answer.content.decode())


def test_every_rule_has_a_page_of_its_own_with_the_rules_title() -> None:
    pages = {one.code: one.title for one in ALL if one.kind is Kind.ALERT}
    assert pages == {seed.code: seed.title for seed in rules.SEEDS}


def test_every_code_of_a_cause_or_a_fault_of_sev1_leads_to_a_page_and_none_to_two() -> None:
    served = [code for one in ALL for code in one.serves]
    assert sorted(served) == sorted(CAUSES | FAULTS)
    assert not set(served) & {one.code for one in ALL}
    for code in CAUSES | FAULTS:
        assert f"`{code}`" in runbooks.find(code).text or code.startswith("status_5"), code  # type: ignore[union-attr]


def test_what_has_words_for_staff_has_a_page() -> None:
    assert set(explanations._FINDINGS) | set(explanations._WEBHOOKS) <= CAUSES


def test_a_page_that_serves_codes_is_of_a_cause_or_a_topic_and_what_is_related_exists() -> None:
    for one in ALL:
        assert (one.kind is Kind.CAUSE) <= bool(one.serves), one.code
        assert not (one.serves and one.kind is Kind.ALERT), one.code
        assert one.code not in one.related
        assert all(runbooks.find(code) for code in one.related), one.code


def test_each_page_has_the_four_sections_and_none_is_empty_or_long() -> None:
    for one in ALL:
        found = sections(one)
        assert list(found) == SECTIONS, one.code
        for name, text in found.items():
            # A link counts as its words.
            shown = re.sub(r"\]\([^)]*\)", "]", text.strip())
            assert 40 < len(shown) <= LONGEST_SECTION, f"{one.code}, {name}: {len(shown)}"


def test_every_link_leads_somewhere() -> None:
    lost = {
        f"{one.code}: {target}" for one in ALL for target, address in runbooks.targets(one) if not address
    }
    assert lost == set()


def test_what_is_written_in_bold_stands_so_in_the_admin() -> None:
    sources = [*ROOT.glob("templates/**/*.html"), *ROOT.glob("*/**/admin/*.py"), *ROOT.glob("*/models/*.py")]
    sources += [*ROOT.glob("sync/*/admin.py"), *ROOT.glob("sync/*/admin/*.py"), *ROOT.glob("trainu/*.py")]
    sources += [ROOT / "observability/logs/search.py", ROOT / "sync/dead_letters/fixers.py"]
    there = flat(" ".join(path.read_text(encoding="utf-8") for path in set(sources)))
    missing = {
        f"{one.code}: {words}"
        for one in ALL
        for words in re.findall(r"\*\*(.+?)\*\*", one.text)
        # A column or field without words of its own is called by its name.
        if words not in there and f'"{words.lower().replace(" ", "_")}"' not in there
    }
    assert missing == set()


def test_the_role_beside_a_button_is_the_first_that_may_press_it() -> None:
    told = {
        (words, role, one.code)
        for one in ALL
        for words, role in re.findall(r"\*\*([^*]+)\*\*[^*()]{0,60}\(role: (\w+)\)", flat(one.text))
    }
    assert len(told) > 20
    wrong = {
        (words, role, code)
        for words, role, code in told
        if role != next(each.label for each in roles.ROLES if BUTTONS[words] <= each.permissions)
    }
    assert wrong == set()


@pytest.mark.parametrize(("code", "words", "found", "said"), NUMBERS, ids=lambda value: str(value)[:24])
def test_numbers_are_those_of_the_code(code: str, words: str, found: object, said: object) -> None:
    assert found == said
    assert words in flat(runbooks.find(code).text)  # type: ignore[union-attr]


def test_codes_of_faults_are_explained_where_they_lead() -> None:
    pages = (("llm_errors", LLMCode), ("data_loss", DataLossCode), ("mass_send", MassSendCode))
    for page, codes in pages:
        assert {code for code in codes if f"`{code}`" not in runbooks.find(page).text} == set()  # type: ignore[union-attr]


def test_what_a_draft_says_of_the_language_model_is_found_by_what_errors_says() -> None:
    rows = re.findall(r"^\| (`[a-z_5]+`) \| (.*) \|$", runbooks.find("llm_errors").text, re.MULTILINE)  # type: ignore[union-attr]
    said = {(word, code) for word, codes in rows for code in codes.split(", ")}
    for code in llm_codes.Code:
        counted = llm_codes.fault(code)
        if counted and counted.value != code.value:
            assert (f"`{counted.value}`", f"`{code.value}`") in said


def test_nothing_in_them_looks_personal() -> None:
    for one in ALL:
        assert redact(one.text) == one.text, one.code


def test_html_in_a_page_is_shown_and_not_obeyed() -> None:
    links = "[a](javascript:alert(1)) [b](https://x.example) [c](admin:nowhere) [d](runbook:nowhere)"
    text = f"## <script>x</script>\n\n<b>bold</b> {links}"
    html = runbooks.render(parse("hostile", f"title: T\nabout: A\nkind: topic\n\n{text}")).html
    assert "&lt;b&gt;" in html
    for bad in ("<script>", "<b>", "<a", "nowhere"):
        assert bad not in html


@pytest.mark.parametrize(
    "head",
    [
        "title: T\nkind: topic",
        "title: T\nabout: A\nkind: topic\nkind: topic",
        "title: T\nabout: A\nkind: topic\ncolour: red",
        "title: T\nabout: A\nkind: novel",
    ],
)
def test_a_head_that_is_not_as_it_should_be_is_refused(head: str) -> None:
    with pytest.raises(ValueError, match=r"head|novel"):
        parse("bad", f"{head}\n\n## What it means")


@pytest.mark.django_db
def test_every_page_and_every_code_can_be_opened_by_a_viewer(staff: Staff) -> None:
    client = staff("view_incident")
    for one in ALL:
        shown = body(client, f"/admin/runbooks/{one.code}/")
        for id in ("what-it-means", "how-to-look", "what-to-do", "when-to-escalate"):
            assert f'id="{id}"' in shown, one.code
            assert f'href="#{id}"' in shown, one.code
    assert "serves the code <code>status_422</code>" in body(client, "/admin/runbooks/status_422/")


@pytest.mark.django_db
def test_they_take_a_permission_and_change_nothing(staff: Staff) -> None:
    client = staff("view_syncjob")
    assert client.get("/admin/runbooks/").status_code == 403
    assert client.get("/admin/runbooks/start_here/").status_code == 403


@pytest.mark.django_db
def test_the_list_has_every_page_once_and_finds_by_words_and_codes(boss: Client) -> None:
    rules.seed()
    AlertRule.objects.filter(code="deadlocks").update(severity="SEV3")
    shown = body(boss, "/admin/runbooks/")
    for one in ALL:
        assert shown.count(f'/admin/runbooks/{one.code}/"') == 1, one.code
    assert (
        shown.index("for the daily digest")
        < shown.index("runbooks/deadlocks/")
        < shown.index("Causes of dead")
    )
    found = body(boss, "/admin/runbooks/?words=status_422+refuses")
    assert "runbooks/data_refused/" in found
    assert "runbooks/deadlocks/" not in found
    assert "No runbook has these words" in body(boss, "/admin/runbooks/?words=%3Cb%3Egibberish")


@pytest.mark.django_db
def test_an_unknown_code_is_answered_with_the_list(boss: Client) -> None:
    shown = body(boss, "/admin/runbooks/%3Cb%3Eno_such/", status=404)
    assert "no runbook called “&lt;b&gt;no_such”" in shown
    assert "runbooks/start_here/" in shown


@pytest.mark.django_db
def test_a_rules_page_says_what_the_rule_demands_now_and_what_is_open(boss: Client, staff: Staff) -> None:
    rules.seed()
    rule = AlertRule.objects.get(code="sync_failure_rate")
    over = incidents.fire(rule, "", title="Long over", words="2 %", value=0.02, now=timezone.now() - DAY)
    incidents.resolve(over, by="staff:1", reason="Mended", now=timezone.now() - DAY)
    assert "None is open." in body(boss, "/admin/runbooks/sync_failure_rate/")
    incidents.fire(rule, "", title="Sync jobs fail", words="2 %", value=0.02, now=timezone.now())
    AlertRule.objects.filter(pk=rule.pk).update(threshold=0.035, is_enabled=False)
    shown = body(boss, "/admin/runbooks/sync_failure_rate/")
    words = shown.replace("\N{NO-BREAK SPACE}", " ")
    assert "above 3.5 % over 1 hour, for 3 minutes on end, of at least 20 cases" in words
    assert "at or below 0.50 % for 10 minutes" in words
    assert "Switched off" in shown
    assert "None is open." not in shown
    assert "above 3.5 %" not in body(staff("view_incident"), "/admin/runbooks/sync_failure_rate/")


@pytest.mark.django_db
def test_a_causes_page_leads_to_the_open_causes_of_its_codes(boss: Client, staff: Staff) -> None:
    location()
    dead_letters(2, at=timezone.now())
    group = CauseGroup.objects.get()
    shown = body(boss, "/admin/runbooks/status_400/")
    assert f"/admin/sync/causegroup/{group.pk}/change/" in shown
    assert "2 open" in shown
    assert "No letter of these codes is open." in body(boss, "/admin/runbooks/token_refused/")
    assert f"/causegroup/{group.pk}/" not in body(staff("view_incident"), "/admin/runbooks/status_400/")
