"""Text from people and repositories, as shown on pages."""

import itertools
import sys
import unicodedata
from collections.abc import Callable

import pytest

from openmeet.i18n.markdown import html_of, one_line, summary_of


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "![",
        "[a](",
        "[a][",
        "*a **b ",
        "_a",
        "<",
        "a\n",
        "> ",
        "- ",
        "`",
        "\\",
        "[x]: y\n",
        "https://a",
        "https://a)",
        ")",
        "(",
        "_\r",
        "**a*",
        "a.",
        "*_",
        "*a",
        "&",
        "<a@b",
    ],
)
@pytest.mark.parametrize("length", [20_000, 900_000])
def test_no_text_takes_long_to_render(piece: str, length: int) -> None:
    """Rendering blocks other requests. Without a bound, the work for brackets would grow with the square of their
    number.
    """
    text = (piece * length)[:length]
    assert calls_of(lambda: (html_of(text), summary_of(text))) < 500_000


@pytest.mark.parametrize("head", ["https://a", "https://a(", "see https://a) https://b"])
@pytest.mark.parametrize("piece", [")", "().", ").", "]", "'", "(", "a)", "/https://a)"])
def test_a_long_url_is_scanned_only_a_few_times(head: str, piece: str) -> None:
    """Counts the characters that string methods scan. In an earlier version, 20,000 brackets after a URL caused 400
    million.
    """
    text = head + (piece * 19_000)[:19_000]
    assert scanned_by(lambda: html_of(text)) < 200 * len(text)


def test_summaries_of_many_hostile_texts_are_cheap() -> None:
    """A front page shows twenty summaries, and one person can write twenty hostile texts."""
    for piece in ("[[a](", "*_", "*a", "&"):
        texts = [f"{number} " + piece * 2000 for number in range(20)]
        assert calls_of(lambda: [summary_of(text) for text in texts]) < 200_000, piece  # noqa: B023


def test_a_summary_of_many_links_has_their_texts() -> None:
    assert summary_of("One [two](https://a.example) three") == "One two three"
    assert summary_of("[] " * 50 + "end", 1000).endswith("[] end")


def calls_of(work: Callable[[], object]) -> int:
    """The number of calls and returns, which is the same on every machine. Caches are cleared first."""
    html_of.cache_clear()
    counted = itertools.count()
    sys.setprofile(lambda _frame, _event, _argument: next(counted))
    try:
        work()
    finally:
        sys.setprofile(None)
    return next(counted)


def scanned_by(work: Callable[[], object]) -> int:
    """The total length of the strings that string methods are called on. Caches are cleared first."""
    html_of.cache_clear()
    scanned = 0

    def note(_frame: object, event: str, called: object) -> None:
        nonlocal scanned
        on = getattr(called, "__self__", None)
        if event == "c_call" and isinstance(on, str):
            scanned += len(on)

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return scanned


def test_a_text_of_brackets_is_shown_unchanged() -> None:
    assert html_of("[" * 500) == f"<p>{'[' * 500}</p>"


def test_a_text_too_long_for_markdown_keeps_only_its_paragraphs() -> None:
    shown = html_of("<b>one</b>\ntwo\n\n*three*\n\n" + "x" * 30_000)
    assert shown.startswith("<p>&lt;b&gt;one&lt;/b&gt;<br>two</p><p>*three*</p>")


def test_a_huge_text_is_cut() -> None:
    assert len(html_of("x" * 900_000)) < 51_000


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "[x](data:text/html,y)",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](http://tracker.example/x.png)",
        "[x](JaVaScRiPt&colon;alert(1))",
        "<a href='javascript:1'>x</a>",
    ],
)
def test_texts_cannot_run_scripts_or_load_resources(text: str) -> None:
    shown = html_of(text)
    assert "<script" not in shown
    assert "<img" not in shown
    assert 'href="javascript' not in shown.lower()
    assert 'href="data' not in shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  two   words\n", "two words"),
        ("\u202egnp.exe", "gnp.exe"),
        ("a\u2066b\u2069", "ab"),
        ("bell\x07 and escape\x1b[31m", "bell and escape[31m"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("Pay\u200dpal \u200c2", "Paypal 2"),
        ("\u05d0\u200f!", "\u05d0\u200f!"),
    ],
)
def test_a_line_contains_no_invisible_or_reversing_characters(text: str, line: str) -> None:
    assert one_line(text) == line


STACK = "\u0363\u033f\u0346" * 12


def test_a_line_has_at_most_eight_marks_on_a_letter() -> None:
    assert one_line(f"Za{STACK}lgo{STACK}") == f"Za{STACK[:8]}lgo{STACK[:8]}"
    assert one_line(f"a{STACK[:8]}\u200d{STACK}b") == f"a{STACK[:8]}b", "a joiner does not start a new stack"
    assert one_line(one_line(f"a{STACK}")) == one_line(f"a{STACK}")


@pytest.mark.parametrize(
    "text",
    [
        "กี่ที่นี้น้ำ",
        "क्षत्रिय स्त्रीत्व द्व्यर्थक",
        "בְּרֵאשִׁ֖ית בָּרָ֣א אֱלֹהִ֑ים",
        unicodedata.normalize("NFD", "Nguyễn Thị Tuyết, ở đường Trần Hưng Đạo"),
        "ཧཀྵྨླཝརཡཾ ཨོཾ་མ་ཎི་པདྨེ་ཧཱུྃ",
        "မြွှာကြီး ကျွန်ုပ်",
        "ស្ត្រី",
        "مُحَمَّدٌ ٱللَّٰهِ",
        "👩🏽‍❤️‍💋‍👨🏿 👨‍👩‍👧‍👦 1️⃣ 🏴󠁧󠁢󠁷󠁬󠁳󠁿",
    ],
)
def test_a_line_keeps_the_marks_that_scripts_and_emoji_need(text: str) -> None:
    assert one_line(text) == text


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("See https://example.org/a_b?c=1&d=2.", "https://example.org/a_b?c=1&amp;d=2"),
        ("(https://example.org/wiki/A_(b))", "https://example.org/wiki/A_(b)"),
        ("*at http://example.org!*", "http://example.org"),
    ],
)
def test_a_bare_url_becomes_a_link_without_trailing_punctuation(text: str, address: str) -> None:
    assert f'<a href="{address}" rel="nofollow ugc noopener">{address}</a>' in html_of(text)


@pytest.mark.parametrize("text", ["`https://example.org`", "https://", "https://...", "ftp://example.org"])
def test_code_and_non_web_urls_are_not_linked(text: str) -> None:
    assert "<a" not in html_of(text)


def test_a_link_is_not_linked_again() -> None:
    assert html_of("[https://example.org](https://example.net)").count("<a") == 1


def test_list_markers_are_next_to_their_text() -> None:
    shown = html_of("- شاي\n- قهوة\n\n> مرحبا\n\n1. tea")
    assert (
        shown.count('<ul dir="auto">') == shown.count('<ol dir="auto">') == shown.count('<blockquote dir="auto">') == 1
    )
    assert "dir" not in html_of("- tea\n\n1. coffee\n\n> hello")
