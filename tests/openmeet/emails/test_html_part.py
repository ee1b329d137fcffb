"""E-mails written as text also have an HTML part. Text typed by a user cannot become a link whose address differs from
the shown one.
"""

from dataclasses import replace

from openmeet.emails.render import EmailContext, Paragraph, paragraphs, with_closing, with_html
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
    assert html.count("<a ") == 3  # two of the text, and one to the site
    assert html.count('class="button main"') == 1


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


def test_lines_of_a_list_are_a_list() -> None:
    text = "You’re going to 2 dates:\n- Tuesday\n- Thursday\n\nA - not an item\n- nor\nthis\n"
    dates, other = paragraphs(text, SITE)
    assert (dates.lines, dates.items) == (("You’re going to 2 dates:",), ("Tuesday", "Thursday"))
    assert (other.lines, other.items) == (("A - not an item", "- nor", "this"), ())


def test_what_stops_the_e_mail_is_below_the_card() -> None:
    stop = f"Stop:\n{SITE}/mail/stop/x"
    html = with_html(OutgoingEmail("b@example.org", "x", with_closing("Hi.\n\n--\nBy a person.", stop)), HEAD).html
    card, below = html.split('<td class="footer">')
    assert "By a person." in card
    assert "/mail/stop/x" not in card
    assert ">Stop</a>" in below


def test_lists_of_e_mails_show_the_text_below_the_heading_and_not_the_heading_again() -> None:
    html = with_html(OutgoingEmail("b@example.org", "Tea moved", "Tea moved.\n\nNow at six.\n"), HEAD).html
    hidden = html.split("aria-hidden")[1].split("</div>")[0]
    assert "Now at six." in hidden
    assert "Tea moved." not in hidden


def test_buttons_and_links_have_the_colour_of_the_site() -> None:
    letter = OutgoingEmail("ben@example.org", "x", TEXT)
    assert "#6b21a8" not in with_html(letter, HEAD).html
    html = with_html(letter, replace(HEAD, accent="#6b21a8")).html
    light, dark = html.rsplit("@media", 1)
    assert "a { color: #6b21a8; }\n.mark, td.main { background: #6b21a8; color: #ffffff; }" in light
    assert "color: #000000; }" in dark
