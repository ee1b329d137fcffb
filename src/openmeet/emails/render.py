"""Rendering of e-mails: templates, the parts that they share, and HTML for e-mails that are written as plain text. Links
in plain text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import jinja2

from groundwork import ui
from groundwork.mail.hyphens import keep_hyphens
from groundwork.signing_key import SigningKey
from groundwork.ui.colours import Accent, accents
from openmeet.domain.covers.model import cover_for
from openmeet.domain.events.model import Event
from openmeet.i18n.catalogue import SOURCE, current, gettext
from openmeet.i18n.markdown import one_line
from openmeet.i18n.templates import speak
from openmeet.outbox.emails import OutgoingEmail


@dataclass(frozen=True, slots=True)
class EmailContext:
    """Site-wide values that every composer of e-mails needs.

    ``key``: the key from which link tokens are derived. ``language``: the language for recipients whose own is not
    known. ``accent``: the site's colour for buttons and links, as ``#rrggbb``; empty for the usual one.
    """

    key: SigningKey
    site_name: str
    public_url: str
    language: str = SOURCE
    accent: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.public_url).hostname or "localhost"

    @property
    def colours(self) -> tuple[Accent, Accent] | None:
        """The accent in the light and in the dark scheme; None for the usual one."""
        return accents(self.accent) if self.accent else None


# Maximum length of a subject line, because phones cut off the rest. A shortened title keeps at least this many
# characters.
_LONGEST_SUBJECT: Final = 60
_SHORTEST_TITLE: Final = 12


def subject_line(fact: str, title: str, day: str = "") -> str:
    """A subject line such as ``You’re going: Lightning talks, Tue 24 Nov``: what happened, the title, and the day.

    If it is too long, only the title is shortened, at the end of a word unless that leaves too little of it.
    """

    def written(title: str) -> str:
        if day:
            return gettext("%(fact)s: %(title)s, %(day)s", fact=fact, title=title, day=day)
        return gettext("%(fact)s: %(title)s", fact=fact, title=title)

    room = _LONGEST_SUBJECT - len(written(""))
    if len(title) <= max(room, _SHORTEST_TITLE):
        return written(title)
    length = max(room, _SHORTEST_TITLE) - 1
    words = title[: length + 1].rpartition(" ")[0]
    shortened = words if len(words) >= _SHORTEST_TITLE - 1 else title[:length]
    return written(shortened.rstrip(" ,.;:–-") + "…")


def cover_url(site: EmailContext, event: Event) -> str:
    """URL of the event's picture, either uploaded or generated.

    The URL reveals nothing about the event. Anyone who has it can open it, because mail programs are not signed in.
    """
    picture = event.content.picture
    return site.public_url + (cover_for(event.content).png_path if picture is None else f"/media/{picture.key}/small")


@dataclass(frozen=True, slots=True)
class EmailCard:
    """What an e-mail shows about one event. ``links``: pairs of label and URL, the main action first."""

    headline: str
    when: str
    links: Sequence[tuple[str, str]]
    place: Sequence[str] = ()
    join_url: str = ""
    entry_instructions: str = ""
    note: str = ""


def render_html(template: str, site: EmailContext, subject: str, context: Mapping[str, object]) -> str:
    """HTML of an e-mail, with what every e-mail shows of the site."""
    shared = {"subject": subject, "site_name": site.site_name, "site_url": site.public_url, "colours": site.colours}
    return keep_hyphens(TEMPLATES.get_template(template).render({**shared, **context}))


def event_html(site: EmailContext, event: Event, subject: str, card: EmailCard, closing: str) -> str:
    """HTML of an e-mail about one event, with its cover and details. ``closing``: the text below them."""
    shown = {
        "cover_url": cover_url(site, event),
        "title": one_line(event.title),
        "card": card,
        "closing": paragraphs(closing, site.public_url),
    }
    return render_html("event.html", site, subject, shown)


# A first line of at most this many characters is shown as a heading; a longer one as normal text.
_LONGEST_HEADING: Final = 90


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines of text and the ``items`` of a list below them, or a link labelled ``words``. ``is_main``: the link is the
    main action of the e-mail.
    """

    lines: tuple[str, ...]
    url: str = ""
    words: str = ""
    is_main: bool = False
    items: tuple[str, ...] = ()


# The line between the text of an e-mail and why the recipient gets it and how they stop it.
_CLOSING: Final = "\n\n--\n"
# How the lines of a list begin.
_ITEM: Final = "- "


def with_closing(text: str, closing: str) -> str:
    """The plain text of an e-mail, and below a line why the recipient gets it and how they stop it."""
    return f"{text.rstrip()}{_CLOSING}{closing.strip()}\n"


def with_html(email: OutgoingEmail, site: EmailContext) -> OutgoingEmail:
    """The e-mail with an HTML version made from its text, unless it already has one, and with its subject on one line."""
    email = replace(email, subject=one_line(email.subject))
    if email.html:
        return email
    # The last such line is ours: above it may be text that people wrote.
    body, line, closing = email.text.rpartition(_CLOSING)
    context = {
        "paragraphs": paragraphs(body if line else closing, site.public_url),
        "closing": paragraphs(closing, site.public_url) if line else [],
        "longest_heading": _LONGEST_HEADING,
    }
    return replace(email, html=render_html("plain.html", site, email.subject, context))


def paragraphs(text: str, public_url: str) -> list[Paragraph]:
    """Split the text into paragraphs. A line that ends with a colon and is followed by a URL of this site becomes one
    link.
    """
    parts: list[Paragraph] = []
    for block in text.strip().split("\n\n"):
        *lines, last = block.strip("\n").split("\n")
        if lines and last.startswith(f"{public_url}/") and " " not in last and lines[-1].endswith(":"):
            if lines[:-1]:
                parts.append(Paragraph(tuple(lines[:-1])))
            is_main = not any(one.url for one in parts)
            parts.append(Paragraph((), last, lines[-1].removesuffix(":"), is_main))
        else:
            texts = [*lines, last]
            first_item = next((number for number, one in enumerate(texts) if one.startswith(_ITEM)), len(texts))
            items = texts[first_item:]
            if not all(one.startswith(_ITEM) for one in items):
                first_item, items = len(texts), []
            written = tuple(one.removeprefix(_ITEM) for one in items)
            parts.append(Paragraph(tuple(texts[:first_item]), items=written))
    return parts


TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader([Path(__file__).parent / "templates", ui.TEMPLATES]),
    autoescape=jinja2.select_autoescape(enabled_extensions=("html",), disabled_extensions=("txt",)),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    extensions=["jinja2.ext.i18n"],
)
speak(TEMPLATES)
TEMPLATES.globals |= {"language": current}


def opt_out_lines(url: str) -> str:
    """The closing lines, with the opt-out link, of an e-mail that another person caused."""
    return text_link(gettext("Stop all e-mails like this from this site, from anyone"), url) + "\n"


def text_link(words: str, url: str) -> str:
    """A link in plain text; in HTML, the words become the link."""
    return f"{words}:\n{url}"
