"""HTML in descriptions becomes Markdown, plain text stays unchanged, and hostile HTML is cheap and harmless."""

import pytest

from openmeet.domain.icalendar.html_text import is_html, markdown_of, target_of
from openmeet.i18n.markdown import html_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b and c > d", False),
        ("Write to <ana@example.org>", False),
        ("5<p6", False),
        ("Bring <b>tea</b>", True),
        ("one<br>two", True),
        ("one<BR/>two", True),
        ("<!doctype html><p>x", True),
        ('<a href="https://x.example">x</a>', True),
    ],
)
def test_text_with_a_known_tag_is_html(text: str, expected: bool) -> None:  # a table
    assert is_html(text) is expected


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hello <b>World </b>&amp; <i>you</i></p>", "Hello **World** \\& *you*"),
        ("one<br>two<br/><br>three", "one\ntwo\n\nthree"),
        ("<div>one</div><div>two</div>", "one\n\ntwo"),
        ("<ul><li>One</li><li>Two</li></ul>", "- One\n- Two"),
        ("<ol><li>One<li>Two</ol>", "1. One\n2. Two"),
        ("<h2>When</h2>Now", "## When\n\nNow"),
        ('See <a href="https://x.example/a_b">the page</a>', "See [the page](https://x.example/a_b)"),
        ('<a href="https://x.example/a">https://x.example/a</a>', "https://x.example/a"),
        ('<a href="mailto:ana@example.org">ana@example.org</a>', "ana@example.org"),
        ('<a href="javascript:alert(1)">press</a>', "press"),
        (
            '<a href="https://www.google.com/url?q=https://x.example/y&amp;sa=D">there</a>',
            "[there](https://x.example/y)",
        ),
        ("<table><tr><td>Mon<td>Tea</table>", "Mon – Tea"),
        ("<script>alert(1)</script><style>p{}</style>Tea", "Tea"),
        (
            "<p>- tea</p><p># 1</p><p>1. no list</p><p>a * b [c]</p>",
            "\\- tea\n\n\\# 1\n\n1\\. no list\n\na \\* b \\[c\\]",
        ),
        ("<img src=x onerror=alert(1)>Tea", "Tea"),
        ("<b></b><i> </i>", ""),
    ],
)
def test_html_becomes_markdown(html: str, text: str) -> None:
    assert markdown_of(html) == text


def test_text_that_looks_like_markdown_or_html_is_shown_as_it_was_written() -> None:
    shown = html_of(markdown_of("<p>**no** _no_ `no` &lt;b&gt; [x](https://y.example) &amp;amp;</p>"))
    for tag in ("<strong", "<em", "<code", "<b>"):
        assert tag not in shown
    assert "&amp;amp;" in shown


def test_redirect_links_are_replaced_by_valid_targets() -> None:
    safe = "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fx.example%2Fy&data=1"
    assert target_of(safe) == "https://x.example/y"
    for bad in (
        "https://www.google.com/url?q=javascript:alert(1)",
        "https://www.google.com/url?q=https://user@x.example/",
        "https://evil.example/url?q=https://x.example/",
        "https://[broken",
    ):
        assert target_of(bad) == bad


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 20_000,
        "".join(f"<b id={number}>" for number in range(5_000)) + "<p>x" * 5_000,
        "<ul><li>x" * 6_000,
        '<a href="https://x.example/">' * 2_000 + "<p>x" * 1_000,
        "<" * 60_000,
        "<pre>" + "`" * 50_000,
    ],
    ids=["nested", "formatting", "lists", "links", "angles", "fences"],
)
def test_hostile_html_gives_bounded_text(html: str) -> None:
    assert len(markdown_of(html)) <= 8 * 60_000
