"""What is mailed, and what a mail server's answers mean: over real SMTP."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from observability.alerts.channels import email
from observability.alerts.outbox import Again, Delivered, Impossible, Outcome
from tests.alert_servers import MailServer
from tests.observability.alerts import made
from tests.servers import free_port
from trainu import mail
from trainu.mail import Server

pytestmark = pytest.mark.urls("tests.observability.alerts.test_slack")
ONE, TWO = "on-call@example.com", "second@example.com"


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    with MailServer() as running:
        settings.EMAIL_URL = running.url
        yield running


def send(act: str = "trigger", to: str = f"{ONE}\n{TWO}", **body: Any) -> Outcome:
    one = made.notification(act, channel="email", **body)
    return email.deliver(one, made.channel("email", recipients=to))


def test_it_comes_as_text_and_as_html(server: MailServer) -> None:
    assert send() == Delivered()
    [mail] = server.mails
    assert mail["Subject"] == "SEV1 Data lost: loc-1"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert server.recipients == [ONE, TWO]
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        text = part.get_content()
        for words in ("SEV1 Data lost: loc-1", "2026-11-01 03:14 UTC", "/admin/", "Delivery 7"):
            assert words in text, kind


def test_what_looks_like_markup_is_text(server: MailServer) -> None:
    one = made.notification(channel="email", about=made.incident(title="a <b>& c"))
    email.deliver(one, made.channel("email", recipients=ONE))
    [mail] = server.mails
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "a <b>& c" in text.get_content()
    assert "a &lt;b&gt;&amp; c" in html.get_content()


def test_a_repeat_has_the_same_id(server: MailServer) -> None:
    send()
    send()
    send("resolve")
    first, again, other = (mail["Message-ID"] for mail in server.mails)
    assert first == again != other


def test_who_got_it_does_not_get_it_again_because_of_others(server: MailServer) -> None:
    server.refuses = {TWO: "550 No such user"}
    assert send() == Delivered("recipients_refused")
    assert server.recipients == [ONE]


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        (("550 No", "550 No"), Impossible("recipients_refused")),
        (("450 Later", "550 No"), Again("recipients_refused")),
        (("450 Later", "450 Later"), Again("recipients_refused")),
    ],
)
def test_where_nobody_is_taken_it_depends_on_why(
    server: MailServer, answers: tuple[str, str], outcome: Outcome
) -> None:
    server.refuses = dict(zip((ONE, TWO), answers, strict=True))
    assert send() == outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("451 Later", Again("smtp_451")), ("554 Never", Impossible("smtp_554"))],
)
def test_a_refused_message_depends_on_its_number(server: MailServer, answer: str, outcome: Outcome) -> None:
    server.refuses_data = answer
    assert send() == outcome


def test_what_is_missing_or_away_has_a_code(server: MailServer, settings: Any) -> None:
    assert send(to="") == Impossible("recipients_missing")
    for address, outcome in (
        ("", Impossible("email_url_missing")),
        ("mail.example.com", Impossible("email_url_wrong")),
        (f"smtp://127.0.0.1:{free_port()}", Again("connection")),
        (f"{server.url}?tls=starttls", Impossible("smtp_not_supported")),
    ):
        settings.EMAIL_URL = address
        assert send() == outcome
    assert server.mails == []


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("smtp://mail.example.com", Server("mail.example.com", 25, "", "", "")),
        ("smtp://u%40x:p%2Fw@m.example:587?tls=starttls", Server("m.example", 587, "u@x", "p/w", "starttls")),
        ("smtp://m.example?tls=starttls", Server("m.example", 587, "", "", "starttls")),
        ("smtps://u:p@m.example", Server("m.example", 465, "u", "p", "smtps")),
        ("smtp://m.example?tls=off", None),
        ("smtp://m.example:x", None),
        ("http://m.example", None),
        ("smtp://", None),
    ],
)
def test_a_mail_server_is_named_by_an_address(address: str, found: Server | None) -> None:
    assert mail.server(address) == found


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of this machine, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_it_is_handed_in_by_tls_with_a_login_and_only_to_whom_it_trusts(
    certificate: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = MailServer()
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(certificate)
    server.log_in = ("trainu", "p@ss/word")
    with server:
        for password, trusted, outcome in (
            ("p%40ss%2Fword", False, Again("tls")),
            ("wrong", True, Impossible("smtp_535")),
            ("p%40ss%2Fword", True, Delivered()),
        ):
            if trusted:
                monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            place = server.url.removeprefix("smtp://")
            settings.EMAIL_URL = f"smtp://trainu:{password}@{place}?tls=starttls"
            assert send(to=ONE) == outcome
    assert (server.secured, server.logged_in) == ([True], [True])
