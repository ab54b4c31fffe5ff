"""A quick look that spares most events the long one: nothing in here can be personal or secret.

For events of the catalog: their ids, words, routes, numbers and times are made of few characters and in
few shapes, and the names of their properties announce nothing personal. The rule: when in doubt it says
yes, and redaction decides; tests hold that it never says no where redaction would have changed anything.
"""

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import StringConstraints, TypeAdapter

from observability.redaction import vocabulary as v

# What stands before the id of a person, a place or a service. Any other word before a colon is looked at.
_KINDS = frozenset(["client", "trainer", "staff", "user", "contact", "lead", "location", "svc", "anon"])


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words) if word.isascii())


# Rust's regular expressions, which pydantic brings along, take a tenth of the time of Python's here.
_DOUBTS = (
    # A character that ids, words, routes, numbers and times do without: a space, an @, an accent.
    r"""[^A-Za-z0-9_.:/{}<>",\[\]+-]""",
    # The beginning of a token, with enough behind it.
    r"(?:sk|rk|pk)_(?:live|test)_|whsec_|(?i:pit)-|xox[a-z]|xapp-|hooks\.slack|/webhookb2/|/webhooks/",
    r"AKIA[0-9A-Z]|ASIA[0-9A-Z]|(?:^|[^A-Za-z0-9])(?:sk|pk)-|ph[cxsra]_[A-Za-z0-9]|gh[poushr]_[A-Za-z0-9]",
    r"github_pat_|gl(?:pat|rt|dt|cbt|ptt)-|AIza|ya29\.|GOCSPX-|SK[0-9a-f]{32}|AC[0-9a-f]{32}|SG\.|key-[0-9a-f]{32}",
    r"eyJ[A-Za-z0-9_-]{5}|v2\.local\.|trainu_[0-9a-f]{8}_|sntryu?s?_|npm_|pypi-|hf_|shp(?:at|ss|ca)_|sq0[a-z]",
    r"EAA[A-Za-z0-9]{30}|dop_v1_|dckr_pat_|lin_api_|hvs\.|sbp_|glsa_|secret_|ATATT|NRAK-|AGE-SECRET|pdr\+|1//|pagerduty\.com",
    r"[0-9a-f]{32}-us|:AA|/bot\d|reset[\w-]*/|-----|://|--user|\d:[A-Za-z_-]{20}",
    # A word that may say what the value behind it is; a T and two digits are a time's.
    r"[A-SU-Za-z_.]-?\d*:|T(?:-|\d?|\d{3,}):|[A-Za-z_.]T\d\d:",
    rf"(?i:{_any_of(v.PHONE_WORDS | v.PHONE)})[A-Za-z_.:/-]*\d",
    # Digits that could be dialled, or be a card's.
    r"""[":/_.](?:\d+[./-][\d./-]*\d|0\d{6,}|\d{13,})["/:_.]|[A-Za-z]-\d+[./-][\d./-]*\d["/:_]""",
    r"\+\d{3}|\+\d{1,2}[./-]|[,<>{}\[\]]0\d{9}",
    # Dashes and brackets where no id has them, which would hide from the line above where digits end.
    r"""\d-[",/:_.}\]]|[^A-Za-z0-9:]-\d|[A-Za-z0-9_./-]\[""",
    # An account's number.
    r"[^A-Za-z0-9][A-Z]{2}\d\d[A-Z0-9]{11}",
)

_doubtful: TypeAdapter[str] = TypeAdapter(Annotated[str, StringConstraints(pattern="|".join(_DOUBTS))])
_matches = _doubtful.validator.isinstance_python


def may_hold(properties: str, distinct_id: str) -> bool:
    """Return whether redaction has to look at an event. properties: JSON text, as compact as it is stored."""
    kind, _, identifier = distinct_id.partition(":")
    # Properties are JSON, in which a quote stands behind a backslash; in here it could pass for the end.
    return '"' in distinct_id or _matches(f'{properties}"{identifier if kind in _KINDS else distinct_id}"')
