"""E-mails written as text also have an HTML part. Text typed by a user cannot become a link whose address differs from
the shown one.
"""

from dataclasses import replace

from openmeet.emails.render import EmailContext, Paragraph, paragraphs, with_html
from openmeet.outbox.emails import OutgoingEmail
from tests.openmeet.site_under_test import CODE_KEY

SITE = "https://meet.example"
HEAD = EmailContext(CODE_KEY, "Town Events", SITE)
TEXT = """Ana <b> invites you to Tea & Cake.

View and answer:
https://meet.example/arrivals/abc

Win a prize:
https://evil.example/x

Sign in:
https://meet.example.evil.example/x

Stop e-mails about your own answers:
https://meet.example/mail/stop/def
"""


def test_only_links_of_the_site_become_links() -> None:
    assert paragraphs(TEXT, SITE) == [
        Paragraph(("Ana <b> invites you to Tea & Cake.",)),
        Paragraph((), "https://meet.example/arrivals/abc", "View and answer", is_main=True),
        Paragraph(("Win a prize:", "https://evil.example/x")),
        Paragraph(("Sign in:", "https://meet.example.evil.example/x")),
        Paragraph((), "https://meet.example/mail/stop/def", "Stop e-mails about your own answers"),
    ]


def test_text_by_people_is_not_markup() -> None:
    html = with_html(OutgoingEmail("ben@example.org", "An <i>invitation</i>", TEXT), HEAD).html
    assert "Ana &lt;b&gt; invites you to Tea &amp; Cake." in html
    assert "<title>An &lt;i&gt;invitation&lt;/i&gt;</title>" in html
    assert html.count("<a ") == 2
    assert html.count('class="button"') == 1


def test_an_e_mail_with_html_keeps_it() -> None:
    letter = OutgoingEmail("ben@example.org", "News", TEXT, html="<p>Ours</p>")
    assert with_html(letter, HEAD) == letter


def test_a_subject_is_one_line() -> None:
    """Titles from other apps can contain line breaks, but a header must not."""
    letter = OutgoingEmail("ben@example.org", "Cancelled: Tea\r\nBcc: eve@example.org\x85\u202e", TEXT)
    assert with_html(letter, HEAD).subject == "Cancelled: Tea Bcc: eve@example.org"


def test_the_first_line_is_the_heading_unless_it_is_long() -> None:
    short = with_html(OutgoingEmail("ben@example.org", "x", "You’re going.\n\nTea\nBerlin\n"), HEAD).html
    assert "<h1>You’re going.</h1>" in short
    long = with_html(OutgoingEmail("ben@example.org", "x", "w" * 91 + "\n\nTea\n"), HEAD).html
    assert "<h1>" not in long


def test_buttons_and_links_have_the_colour_of_the_site() -> None:
    letter = OutgoingEmail("ben@example.org", "x", TEXT)
    assert "#6b21a8" not in with_html(letter, HEAD).html
    html = with_html(letter, replace(HEAD, accent="#6b21a8")).html
    light, dark = html.rsplit("@media", 1)
    assert "a { color: #6b21a8; }\n.button { background: #6b21a8; color: #ffffff; }" in light
    assert "color: #000000; }" in dark
