"""Messages in the reader's language: gettext catalogues, and which language a request or an e-mail speaks.

The sources are English, so English needs no catalogue. ``locale/<language>/LC_MESSAGES/openmeet.po`` adds a language
without code: it is compiled in memory when the web program starts, elsewhere when it is first used. ``make messages`` keeps the catalogues up to date.
"""

import gettext as standard_gettext
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final, TypeVar

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import Markup, escape

from openmeet.i18n import pseudo

T = TypeVar("T")

DOMAIN: Final = "openmeet"
LOCALES: Final = Path(__file__).parent / "locale"

# The language of the sources.
SOURCE: Final = "en"

# Dates and numbers of the source language are written as in Britain: the day first, 24 hours.
_FORMATS: Final = {SOURCE: "en_GB", pseudo.TAG: "en_GB"}


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the site. ``tag`` is for ``lang`` attributes (BCP 47), ``locale`` for dates and numbers."""

    tag: str
    locale: str
    messages: standard_gettext.NullTranslations = field(repr=False)

    @property
    def name(self) -> str:
        """The language's name in itself: ``Deutsch``."""
        if self.tag == pseudo.TAG:
            return "Pseudo"
        found = Locale.parse(self.tag, sep="-").get_display_name()
        return str(found[:1].upper() + found[1:]) if found else self.tag


@cache
def available() -> tuple[str, ...]:
    """Tags of the languages that people may choose: the source language, and those that have a catalogue."""
    found = {path.parent.parent.name.replace("_", "-") for path in LOCALES.glob(f"*/LC_MESSAGES/{DOMAIN}.po")}
    return (SOURCE, *sorted(found - {SOURCE}))


@cache
def language(tag: str) -> Language:
    """The language with this tag; its catalogue is read once. Raises KeyError for one that is not available."""
    if tag == pseudo.TAG:
        return Language(tag, _FORMATS[tag], pseudo.Translations())
    if tag not in available():
        raise KeyError(tag)
    locale = tag.replace("-", "_")
    path = LOCALES / locale / "LC_MESSAGES" / f"{DOMAIN}.po"
    messages = _compiled(path) if path.exists() else standard_gettext.NullTranslations()
    return Language(tag, _FORMATS.get(tag, locale), messages)


def read_all() -> None:
    """Read the catalogue of every language, about a second each: before a program answers anybody."""
    for tag in available():
        language(tag)


def _compiled(path: Path) -> standard_gettext.GNUTranslations:
    made = BytesIO()
    with path.open("rb") as file:
        write_mo(made, read_po(file, locale=path.parent.parent.name))
    made.seek(0)
    return standard_gettext.GNUTranslations(made)


def is_known(tag: str) -> bool:
    """Whether a setting may name this language."""
    return tag == pseudo.TAG or tag in available()


def negotiated(accept_language: str, default: str) -> str:
    """The best of the available languages for an Accept-Language header (RFC 9110, section 12.5.4).

    ``de-AT`` matches ``de``; what names no available language gets the default.
    """
    known = {tag.lower(): tag for tag in available()}
    best, weight = default, 0.0
    for part in accept_language.split(",")[:20]:
        wanted, _, parameters = part.strip().lower().partition(";")
        quality = _quality(parameters)
        found = known.get(wanted) or known.get(wanted.partition("-")[0])
        if found is not None and quality > weight:
            best, weight = found, quality
    return best


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


_CURRENT: ContextVar[Language | None] = ContextVar("language", default=None)


def current() -> Language:
    """The language of this request or e-mail; the source language outside of both."""
    return _CURRENT.get() or language(SOURCE)


@contextmanager
def speaking(tag: str) -> Iterator[None]:
    """Speak this language; the source language instead of one that is not available."""
    before = _CURRENT.get()
    _CURRENT.set(language(tag if is_known(tag) else SOURCE))
    try:
        yield
    finally:
        # Not by a token: a cancelled request may be unwound in another context.
        _CURRENT.set(before)


def in_language(tag: str, work: Callable[[], T]) -> T:
    """Do the work in this language: a worker process does not know that of its caller."""
    with speaking(tag):
        return work()


def switch_to(tag: str) -> None:
    """Speak this language until the end of the ``speaking`` around it, unless it is not available."""
    if is_known(tag):
        _CURRENT.set(language(tag))


def choices(default: str) -> list[tuple[str, str]]:
    """Tag and name of the languages that people may choose. The pseudo-locale is one where it is the site's default."""
    tags = [*available(), *([default] if default == pseudo.TAG else [])]
    return [(tag, language(tag).name) for tag in tags]


def gettext(message: str, /, **params: object) -> str:
    """The message in the current language, ``%(name)s`` replaced by the parameters and ``%%`` by a percent sign."""
    return current().messages.gettext(message) % params


def ngettext(one: str, many: str, number: int, /, **params: object) -> str:
    """The message in the form for this number, which is also the parameter ``number``."""
    return current().messages.ngettext(one, many, number) % {"number": number, **params}


def pgettext(context: str, message: str, /, **params: object) -> str:
    """``gettext`` where the same English word means two things; ``context`` says which."""
    return current().messages.pgettext(context, message) % params


@dataclass(frozen=True, slots=True)
class LazyText:
    """A message that a module names and a page or e-mail shows, in the language that is current then."""

    message: str
    context: str = ""
    params: tuple[tuple[str, object], ...] = ()

    def __str__(self) -> str:
        params = {name: str(value) if isinstance(value, LazyText) else value for name, value in self.params}
        if self.context:
            return pgettext(self.context, self.message, **params)
        return gettext(self.message, **params)

    def filled(self, **params: object) -> str:
        """The message with its parameters."""
        return str(LazyText(self.message, self.context, tuple(params.items())))

    def __html__(self) -> Markup:
        return escape(str(self))


def lazy(message: str, /, **params: object) -> LazyText:
    """A message for a table of a module; ``str()`` of it, or a template, finds its words."""
    return LazyText(message, "", tuple(params.items()))


def plazy(context: str, message: str, /) -> LazyText:
    """``lazy`` where the same English word means two things; ``context`` says which."""
    return LazyText(message, context)
