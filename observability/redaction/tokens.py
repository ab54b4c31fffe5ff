"""Secrets that give themselves away: by a prefix, a scheme, or the place in a URL where they stand.

Each row is searched for by a literal first, so a line without one costs a handful of `in`.
"""

import base64
import binascii
import re
from collections.abc import Iterator

from observability.redaction.placeholders import SECRET
from observability.redaction.spans import TOKEN, Span


def _common(prefixes: list[str]) -> str:
    """Return what all of the prefixes begin with: one search for it spares one for each."""
    shortest = min(prefixes, key=len)
    size = next((n for n, c in enumerate(shortest) if any(p[n] != c for p in prefixes)), len(shortest))
    return shortest[:size]


# What a secret begins with, whether that must not go on from a word (task-… is no sk-…), and how it goes on.
# The beginning is harmless and stays.
_PREFIXED: list[tuple[str, list[str], bool, re.Pattern[str]]] = [
    (_common(prefixes.split()), prefixes.split(), free, re.compile(pattern))
    for prefixes, free, pattern in [
        ("sk_live_ sk_test_", False, r"[A-Za-z0-9*_]{4,}"),
        ("rk_live_ rk_test_", False, r"[A-Za-z0-9*_]{4,}"),
        ("pk_live_ pk_test_", False, r"[A-Za-z0-9*_]{4,}"),
        ("whsec_", False, r"[A-Za-z0-9+/=_-]{6,}"),
        ("pit-", True, r"(?=[\w-]{0,60}\d)[A-Za-z0-9-]{8,}"),
        ("PIT-", True, r"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}"),
        ("xox", False, r"[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{6,}"),
        ("xapp-", False, r"[A-Za-z0-9-]{6,}"),
        ("hooks.slack", False, r"(?:-gov)?\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]+"),
        ("/api/webhooks/", False, r"\d+/[\w-]+"),
        ("/webhookb2/", False, r"[^\s\"'<>]+"),
        (
            "pagerduty.com/integration/ pagerduty.com/generic/ pagerduty.com/x-ere/",
            False,
            r"[A-Za-z0-9_-]{8,}",
        ),
        ("pdr+", False, r"[A-Za-z0-9_-]{8,}"),
        ("AKIA", False, r"[0-9A-Z]{12,}"),
        ("ASIA", True, r"(?=[0-9A-Z]{0,60}\d)[0-9A-Z]{12,}"),
        (
            "sk-",
            True,
            r"(?:proj|ant|svcacct|admin|or|lf)-[A-Za-z0-9_*-]{6,}|(?=[\w-]{0,60}\d)[A-Za-z0-9_*-]{16,}",
        ),
        ("pk-lf-", True, r"[A-Za-z0-9-]{8,}"),
        ("phc_ phx_ phs_ phr_ pha_", True, r"[A-Za-z0-9]{8,}"),
        ("ghp_ gho_ ghu_ ghs_ ghr_", True, r"[A-Za-z0-9]{10,}"),
        ("github_pat_", False, r"[A-Za-z0-9_]{10,}"),
        ("glpat- glrt- gldt- glcbt- glptt-", True, r"[A-Za-z0-9_-]{8,}"),
        ("AIza", False, r"[0-9A-Za-z_-]{16,}"),
        ("ya29.", True, r"[0-9A-Za-z_-]{10,}"),
        ("1//", True, r"(?=[\w-]{0,60}[A-Za-z])[0-9A-Za-z_-]{20,}"),
        ("GOCSPX-", False, r"[0-9A-Za-z_-]{10,}"),
        ("SK", True, r"[0-9a-f]{32}(?![0-9A-Za-z])"),
        ("SG.", True, r"[\w-]{6,}\.[\w-]{6,}"),
        ("key-", True, r"[0-9a-f]{32}(?![0-9A-Za-z])"),
        ("eyJ", False, r"[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){1,4}|[A-Za-z0-9_-]{24,}={0,2}"),
        ("v2.local.", True, r"[\w-]{20,}(?:\.[\w-]+)?"),
        ("trainu_", False, r"[0-9a-f]{8}_[A-Za-z0-9_-]{6,}"),
        ("sntrys_ sntryu_", False, r"[A-Za-z0-9_=+/-]{8,}"),
        ("npm_", True, r"[A-Za-z0-9]{20,}"),
        ("pypi-", True, r"(?=[\w-]{0,60}[A-Z])[A-Za-z0-9_-]{30,}"),
        ("hf_", True, r"[A-Za-z0-9]{20,}"),
        ("shpat_ shpss_ shpca_", True, r"[a-fA-F0-9]{16,}"),
        ("sq0", True, r"[a-z]{3}-[\w-]{10,}"),
        ("EAA", True, r"(?=[A-Za-z0-9]{0,60}\d)[A-Za-z0-9]{30,}"),
        ("dop_v1_", False, r"[a-f0-9]{16,}"),
        ("dckr_pat_", False, r"[\w-]{10,}"),
        ("lin_api_", False, r"[A-Za-z0-9]{10,}"),
        ("hvs.", True, r"[\w-]{16,}"),
        ("sbp_", True, r"[a-f0-9]{16,}"),
        ("glsa_", False, r"[A-Za-z0-9_]{16,}"),
        ("secret_", True, r"(?=[A-Za-z0-9]{0,60}\d)[A-Za-z0-9]{32,}"),
        ("ATATT", True, r"[\w=-]{16,}"),
        ("NRAK-", False, r"[A-Z0-9]{16,}"),
        ("AGE-SECRET-KEY-1", False, r"[A-Z0-9]+"),
        ("AccountKey=", False, r"[A-Za-z0-9+/=]{8,}"),
        ("/bot", False, r"\d{6,12}:[\w-]{20,}"),
    ]
]
# By a character that all of its beginnings have, so that a text without it skips the row.
_BY_CHARACTER = [
    (
        common,
        [row for row in _PREFIXED if common == next((c for c in "_-/." if all(c in p for p in row[1])), "")],
    )
    for common in ("", "_", "-", "/", ".")
]
# What more of a prefix may be shown than what it was found by.
_SHOWN = {
    "trainu_": re.compile(r"trainu_[0-9a-f]{8}_"),
    "hooks.slack": re.compile(r"hooks\.slack(?:-gov)?\.com/[a-z]+/"),
    "sk-": re.compile(r"sk-(?:(?:proj|ant|svcacct|admin|or|lf)-)?"),
    "/api/webhooks/": re.compile(r"/api/webhooks/\d+/"),
    "xox": re.compile(r"xox[a-z](?:\.xox[a-z])?-"),
}
# Secrets with something before them, or around them. Group 1, where there is one, is harmless and stays.
_SEARCHED: list[tuple[str, re.Pattern[str]]] = [
    (literal, re.compile(pattern, re.DOTALL))
    for literal, pattern in [
        ("-----BEGIN", r"-----BEGIN [A-Z0-9 ]{1,60}-----.*?(?:-----END [A-Z0-9 ]{1,60}-----|\Z)"),
        ("_secret_", r"\b((?:pi|seti|cs|src|ek|sub|in)_[A-Za-z0-9]{1,80}_secret_)[A-Za-z0-9]{1,}"),
        ("-us", r"\b[0-9a-f]{32}-us\d{1,2}(?!\w)"),
        ("AC", r"\b(AC[0-9a-f]{32}:)[0-9a-f]{32}"),
        (
            "key ",
            r"((?:[Rr]outing|[Ii]ntegration|[Ss]ervice|A[Pp][Ii]|api|[Ss]ecret|[Aa]ccess|[Ss]igning|[Pp]ager[Dd]uty)"
            r"[ _-]key[ ]['\"]?)(?=[\w+-]{0,60}\d)[\w+-]{16,}",
        ),
        (":AA", r"\b\d{8,10}:AA[\w-]{30,}"),
        ("reset", r"(reset[\w-]{0,20}/[\w-]{1,20}/)[a-z0-9]{1,13}-[0-9a-f]{20,}"),
        # Hashes of passwords.
        (
            "$",
            r"((?:\b(?:pbkdf2_sha(?:1|256|512)|bcrypt(?:_sha256)?|argon2|scrypt|md5|sha1)"
            r"|(?<![\w$])\$(?:2[abxy]|argon2id|argon2i|argon2d|scrypt|[156]|y))\$)[\w$./+=,-]{16,}",
        ),
        (" -u", r"((?:^|\s)-u[ =][\"']?)[^\s:\"']{1,100}:[^\s\"']+"),
        ("user", r"(--(?:proxy-)?user[ =][\"']?)[^\s:\"']{1,100}:[^\s\"']+"),
        (" -p", r"((?:mysql|mysqldump|mariadb|sshpass)\b[^\n|;]{0,80}?\s-p[ ]?)(?!\d+\b)[^\s\"'-][^\s\"']*"),
    ]
]
# user:password@ and token@ in any URL. Databases' passwords hold / ? and # unescaped often enough.
_USERINFO = re.compile(r"://([^\s/?#\"'<>@]{1,300}(?:@[^\s/?#\"'<>@.]{1,100})*)@(?=[^\s/])")
_DATABASE = re.compile(
    r"://([^\s:/@\"'<>]{0,100}:(?!\d{1,5}(?:[/?\s\"']|\Z))[^\s\"'<>]{1,200})@(?=[\w.\-\[])"
)
_DATABASES = re.compile(
    r"(?:postgres(?:ql)?|mysql|mariadb|rediss?|amqps?|mongodb|mssql|smtps?|ftps?|sftp)(?:\+\w+)?\Z",
    re.IGNORECASE,
)
_SCHEME = re.compile(
    r"(?<![A-Za-z0-9])(bearer|basic|token|apikey|digest|negotiate|sso-key|aws4-hmac-sha256)"
    r"((?:\s|%20|\+){1,3}|:\s?)(\\?[\"']?)(?:token[= ])?([A-Za-z0-9._~+/=|:*-]{4,})", re.IGNORECASE,
)  # fmt: skip
_PAIR = re.compile(r"[A-Za-z]+(?:_[A-Za-z]+)*=[^=\s\"',;]")
_SCHEMES = frozenset(["bearer", "basic", "token", "apikey", "digest", "negotiate", "sso-key"])
_SCHEME_GATES = ("earer", "asic", "oken", "EARER", "ASIC", "pikey", "piKey", "piKEY")
# Parameters that are secrets in a URL only: elsewhere `code` is an error's.
_PARAMETER = re.compile(
    r"([?&](?:code|sig|key|t|hash|hmac|st|ticket|X-Amz-Signature|X-Amz-Credential|X-Goog-Signature)=)([A-Za-z0-9%_~.+/-]{16,})"
)
_CODE = re.compile(r"[Cc](?:ode|ODE)[sS]?\s?(?:is|:|was|=)?\s?:?\s?(\d(?:[ -]?\d){3,7})(?!\w)")
_CODE_OWNER = re.compile(
    r"\b(?:verification|security|login|sign-?in|one[- ]time|2fa|mfa|otp|access|confirmation|auth"
    r"|authentication|your)\s(?:pass)?\Z",
    re.IGNORECASE,
)
_ONE_TIME = re.compile(r"\b(?:OTP|otp|2FA|2fa|PIN)(?: code)?(?: is|:)? (\d{4,8})(?!\w)")
_CODE_FIRST = re.compile(r"\b(\d{4,8}) is your [\w ]{0,40}?(?:code|OTP|otp|PIN|pin)\b")
_SPOKEN = re.compile(
    r"(?i)\b((?:password|passcode|passphrase|pin|secret|token|(?:api|access|secret)[ _-]?key)"
    r"(?:\s(?:is|was)\s?:?\s[\"'`]?|\s(?=[\"'`][^\s\"'`<>]{4,100}[\"'`])[\"'`]))([^\s\"'`<>]{4,})"
)
_SPOKEN_GATES = (
    "assword",
    "ASSWORD",
    "ecret",
    "oken",
    "key",
    "KEY",
    "Key",
    "pin",
    "PIN",
    "ass",
    "ECRET",
    "OKEN",
    "Pin",
)
_AWS_SECRET = re.compile(
    r"(?<![A-Za-z0-9/+=])(?=[A-Za-z0-9/+]{0,39}[a-z])(?=[A-Za-z0-9/+]{0,39}[A-Z])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
)


# user:password@10.0.0.5, without a scheme.
_AT_HOST = re.compile(r"@(?:\d{1,3}(?:\.\d{1,3}){3}|localhost\b|[\w-]{1,60}:\d)")
_LOGIN = re.compile(rf"(?<![\w/.+\-])([\w.+-]{{1,64}}:)[^\s@/:\"'<>]{{2,100}}(?={_AT_HOST.pattern})")


def find(text: str) -> Iterator[Span]:
    """Yield what to replace in folded `text`."""
    for common, rows in _BY_CHARACTER:
        if common in text:
            for gate, prefixes, free, pattern in rows:
                if gate in text:
                    for prefix in prefixes:
                        yield from _prefixed(text, prefix, free, pattern)
    for literal, pattern in _SEARCHED:
        if literal in text:
            for found in pattern.finditer(text):
                kept = found[1] if pattern.groups else ""
                yield Span(found.start(), found.end(), kept + SECRET, TOKEN)
    if "@" in text:
        yield from logins(text)
    if any(gate in text for gate in _SCHEME_GATES):
        yield from _schemes(text)
    if "=" in text:
        for found in _PARAMETER.finditer(text):
            if any(map(str.isdigit, found[2])):
                yield Span(found.start(2), found.end(2), SECRET, TOKEN)
    if "AKIA" in text or "ASIA" in text or "aws" in text:
        for found in _AWS_SECRET.finditer(text):
            yield Span(found.start(), found.end(), SECRET, TOKEN)
    yield from _spoken(text)


def _prefixed(text: str, prefix: str, free: bool, pattern: re.Pattern[str]) -> Iterator[Span]:
    at = text.find(prefix)
    while at >= 0:
        start = at + len(prefix)
        before = text[at - 1 : at]
        found = None if free and before.isascii() and before.isalnum() else pattern.match(text, start)
        if found:
            shown = _SHOWN[prefix].match(text, at) if prefix in _SHOWN else None
            yield Span(at, found.end(), (shown[0] if shown else prefix) + SECRET, TOKEN)
        at = text.find(prefix, found.end() if found else start)


def logins(text: str) -> Iterator[Span]:
    """Yield the credentials before an @ and a host in folded `text`."""
    if "://" in text:
        yield from _userinfo(text)
    if _AT_HOST.search(text):
        for found in _LOGIN.finditer(text):
            yield Span(found.start(), found.end(), found[1] + SECRET, TOKEN)


def _userinfo(text: str) -> Iterator[Span]:
    at = text.find("://")
    while at >= 0:
        found = _USERINFO.match(text, at)
        if _DATABASES.search(text, max(0, at - 24), at):
            found = _DATABASE.match(text, at) or found
        if found and found[1] not in (SECRET, "git") and "[email]" not in found[1]:
            # With the @, lest the password is taken for the local part of an address.
            yield Span(found.start(1), found.end(1) + 1, f"{SECRET}@", TOKEN)
        at = text.find("://", at + 3)


def _schemes(text: str) -> Iterator[Span]:
    at = 0
    while found := _SCHEME.search(text, at):
        # "bearer Basic …": what follows one scheme may be another.
        at = found.start(4) if found[4].lower() in _SCHEMES else found.end()
        scheme, value = found[1].lower(), found[4].rstrip(".:")
        if _PAIR.match(text, found.start(4)):
            # token_type=bearer expires_in=3600
            continue
        if scheme == "basic":
            secret = _is_basic(value)
        elif scheme == "bearer":
            secret = _is_random(value)
        else:
            secret = len(value) >= 16 and _is_random(value)
        if secret:
            yield Span(found.start(4), found.start(4) + len(value), SECRET, TOKEN)


def _is_random(value: str) -> bool:
    """Tell a token from a word: it has digits, or capitals among small letters, or no end."""
    if len(value) >= 6 and any(map(str.isdigit, value)) and any(map(str.isalpha, value)):
        return True
    if len(value) >= 8 and value.isdigit():
        return True
    mixed = any(map(str.isupper, value[1:])) and any(map(str.islower, value))
    return len(value) >= 28 or (len(value) >= 8 and mixed)


def _is_basic(value: str) -> bool:
    """Tell whether `value` is user:password in base64, as far as it can be read."""
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return len(value) >= 12 and _is_random(value)
    if b":" in decoded and len(value) >= 4 and decoded.isascii():
        return True
    return len(value) >= 12 and _is_random(value)


def _spoken(text: str) -> Iterator[Span]:
    """Yield what people write: "your code is 123456", "the password is hunter2"."""
    if "ode" in text or "ODE" in text:
        for found in _CODE.finditer(text):
            if _CODE_OWNER.search(text, max(0, found.start() - 24), found.start()):
                yield Span(found.start(1), found.end(1), SECRET, TOKEN)
    if "OTP " in text or "otp " in text or "2FA " in text or "PIN " in text:
        for found in _ONE_TIME.finditer(text):
            yield Span(found.start(1), found.end(1), SECRET, TOKEN)
    if " is your " in text:
        for found in _CODE_FIRST.finditer(text):
            yield Span(found.start(1), found.end(1), SECRET, TOKEN)
    if not (" is" in text or " was" in text or ' "' in text or " '" in text or " `" in text):
        return
    if not any(gate in text for gate in _SPOKEN_GATES):
        return
    for found in _SPOKEN.finditer(text):
        value = found[2].rstrip(".,;:!?)")
        if len(value) >= 4 and not value.isalpha() and re.search(r"[\d!#$%&*@^]", value):
            yield Span(found.start(2), found.start(2) + len(value), SECRET, TOKEN)
