"""Letters that are written as text, as HTML too: the same words, and our own links as something to press.

Only addresses of the site itself become links. What a person wrote (a host's message, a name) is shown as it was typed: words that lead
elsewhere than they say would come from us.
"""

from dataclasses import dataclass, replace

from openmeet.emails.templating import TEMPLATES
from openmeet.outbox.emails import Letter


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines, or a link with its ``words``; ``is_main``: what the letter is for."""

    lines: tuple[str, ...]
    url: str = ""
    words: str = ""
    is_main: bool = False


def with_html(letter: Letter, public_url: str) -> Letter:
    """The letter with its text as HTML, unless it has some."""
    if letter.html:
        return letter
    context = {"subject": letter.subject, "paragraphs": paragraphs(letter.text, public_url)}
    return replace(letter, html=TEMPLATES.get_template("plain.html").render(context))


def paragraphs(text: str, public_url: str) -> list[Paragraph]:
    """The text in paragraphs. A line that ends with a colon, and an address of ours below it, are one link."""
    found: list[Paragraph] = []
    for block in text.strip().split("\n\n"):
        *lines, last = block.strip("\n").split("\n")
        if lines and last.startswith(f"{public_url}/") and " " not in last and lines[-1].endswith(":"):
            if lines[:-1]:
                found.append(Paragraph(tuple(lines[:-1])))
            is_main = not any(one.url for one in found)
            found.append(Paragraph((), last, lines[-1].removesuffix(":"), is_main))
        else:
            found.append(Paragraph((*lines, last)))
    return found
