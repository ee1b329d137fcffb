"""E-mails have an HTML version that says the same as the text, in the server's colours."""

import re
from dataclasses import replace
from html import unescape

import pytest

from at_protocol.syntax.did import Did
from aurora_locus.accounts.email_tokens import EmailTokens, TokenEmail, TokenPurpose
from aurora_locus.accounts.emails import EmailBranding, compose
from groundwork.clock import Instant
from groundwork.i18n import pseudo
from groundwork.mail.contract import Mail
from tests.untranslated_text import untranslated_texts

HOST, URL = "pds.example.org", "https://pds.example.org"
BRANDING = EmailBranding(HOST, HOST, URL)
_LINK = re.compile(r'class="button main"><a href="([^"]*)"')
_HEAD = re.compile(r"<head>.*?</head>", re.DOTALL)


def composed(
    purpose: TokenPurpose, *, language: str = "en", handle: str = "ana.test", branding: EmailBranding = BRANDING
) -> Mail:
    email = TokenEmail(
        did=Did("did:plc:a"),
        handle=handle,
        email="ana@example.org",
        purpose=purpose,
        requested_at=Instant(0),
        language=language,
    )
    return compose(email, "number", EmailTokens(b"key"), branding)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("purpose", TokenPurpose)
def test_html_says_the_same_as_the_text(purpose: TokenPurpose, language: str) -> None:
    mail = composed(purpose, language=language)
    shown = unescape(re.sub("<[^>]*>", "", _HEAD.sub("", mail.html)))
    links = [unescape(link) for link in _LINK.findall(mail.html)]
    for part in mail.text.strip().split("\n\n"):
        assert part.strip() in links or part.strip() in shown
    assert f"<h1>{mail.subject}</h1>" in mail.html
    assert f'<html lang="{language}" dir="ltr">' in mail.html
    assert len(links) <= 1


@pytest.mark.parametrize("purpose", TokenPurpose)
def test_every_e_mail_is_fully_translated(purpose: TokenPurpose) -> None:
    mail = composed(purpose, language=pseudo.TAG)
    code = [re.escape(found) for found in re.findall(r"[A-Z2-7]{5}-[A-Z2-7]{5}", mail.text)]
    content = re.compile("|".join([re.escape(HOST), "ana.test", *code]))
    assert list(untranslated_texts(_HEAD.sub("", mail.html), content)) == []


def test_names_in_an_e_mail_are_not_markup() -> None:
    mail = composed(TokenPurpose.SIGN_IN_LINK, branding=replace(BRANDING, name="Cats & <b>Dogs</b>"), handle="<i>.test")
    assert "Cats &amp; &lt;b&gt;Dogs" in mail.html
    assert "<i>" not in mail.html


def test_colour_of_the_server_is_that_of_the_button() -> None:
    plain = composed(TokenPurpose.SIGN_IN_LINK)
    coloured = composed(TokenPurpose.SIGN_IN_LINK, branding=replace(BRANDING, colour="#8a0303"))
    assert "#8a0303" in coloured.html
    assert coloured.html.index("#8a0303") > plain.html.index("td.main { background: #3d44b5; }")
