"""Messages in the reader's language: gettext catalogues, and which language a request or an e-mail speaks.

A whole number that a message names is a count, and written by locale: ``20,000 going``. Years and ids are passed as text.

The sources are English, so English needs no catalogue. A server has one ``Catalogue``; ``<language>/LC_MESSAGES/<domain>.po``
in its folder adds a language without code. Files are compiled in memory when they are first used, or by ``read_all``. ``make
messages`` keeps them up to date.
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
from babel.numbers import format_decimal
from markupsafe import Markup, escape

from groundwork.i18n import pseudo

T = TypeVar("T")

# The language of the sources.
SOURCE: Final = "en"

# Dates and numbers of the source language are written as in Britain: the day first, 24 hours.
_FORMATS: Final = {SOURCE: "en_GB", pseudo.TAG: "en_GB", pseudo.MIRRORED: "en_GB"}


@dataclass(frozen=True, slots=True)
class Language:
    """A language of a server. ``tag`` is for ``lang`` attributes (BCP 47), ``locale`` for dates and numbers."""

    tag: str
    locale: str
    catalogue: "Catalogue" = field(repr=False)
    messages: standard_gettext.NullTranslations = field(repr=False)

    @property
    def name(self) -> str:
        """The language's name in itself: ``Deutsch``."""
        if self.tag in pseudo.TAGS:
            return "Pseudo"
        found = Locale.parse(self.tag, sep="-").get_display_name()
        return str(found[:1].upper() + found[1:]) if found else self.tag

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``, for ``dir`` attributes."""
        if self.tag in pseudo.TAGS:
            return "rtl" if self.tag == pseudo.MIRRORED else "ltr"
        return str(Locale.parse(self.tag, sep="-").text_direction)


_CURRENT: ContextVar[Language | None] = ContextVar("language", default=None)


def current_locale() -> str:
    """The locale in which dates and numbers are written now; that of the source language outside of requests and e-mails."""
    language = _CURRENT.get()
    return _FORMATS[SOURCE] if language is None else language.locale


def number(value: float) -> str:
    """A number with separators: ``1,000``."""
    return str(format_decimal(value, locale=current_locale()))


def shown_number(value: object) -> object:
    """A parameter of a message: a whole number by locale, anything else as it is."""
    # Below a thousand the digits are the same in every language that there is.
    return number(value) if type(value) is int and abs(value) >= 1_000 else value


def _shown_params(params: dict[str, object]) -> dict[str, object]:
    return {name: shown_number(value) for name, value in params.items()}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The messages of a server: ``<folder>/<language>/LC_MESSAGES/<domain>.po``, one file a language."""

    domain: str
    folder: Path

    def available(self) -> tuple[str, ...]:
        """Tags of the languages that people may choose: the source language, and those that have a file."""
        return _available(self.domain, self.folder)

    def language(self, tag: str) -> Language:
        """The language with this tag; its file is read once. Raises KeyError for one that is not available."""
        return _language(self, tag)

    def read_all(self) -> None:
        """Read the file of every language, about a second each: before a program answers anybody."""
        for tag in self.available():
            self.language(tag)

    def is_known(self, tag: str) -> bool:
        """Whether a setting may name this language."""
        return tag in pseudo.TAGS or tag in self.available()

    def negotiated(self, accept_language: str, default: str) -> str:
        """The best of the available languages for an Accept-Language header (RFC 9110, section 12.5.4).

        ``de-AT`` matches ``de``; what names no available language gets the default.
        """
        known = {tag.lower(): tag for tag in self.available()}
        best, weight = default, 0.0
        for part in accept_language.split(",")[:20]:
            wanted, _, parameters = part.strip().lower().partition(";")
            quality = _quality(parameters)
            found = known.get(wanted) or known.get(wanted.partition("-")[0])
            if found is not None and quality > weight:
                best, weight = found, quality
        return best

    def current(self) -> Language:
        """The language of this request or e-mail; the source language outside of both."""
        language = _CURRENT.get()
        if language is not None and language.catalogue is self:
            return language
        tag = SOURCE if language is None else language.tag
        return self.language(tag if self.is_known(tag) else SOURCE)

    @contextmanager
    def speaking(self, tag: str) -> Iterator[None]:
        """Speak this language; the source language instead of one that is not available."""
        before = _CURRENT.get()
        _CURRENT.set(self.language(tag if self.is_known(tag) else SOURCE))
        try:
            yield
        finally:
            # Not by a token: a cancelled request may be unwound in another context.
            _CURRENT.set(before)

    def in_language(self, tag: str, work: Callable[[], T]) -> T:
        """Do the work in this language: a worker process does not know that of its caller."""
        with self.speaking(tag):
            return work()

    def switch_to(self, tag: str) -> None:
        """Speak this language until the end of the ``speaking`` around it, unless it is not available."""
        if self.is_known(tag):
            _CURRENT.set(self.language(tag))

    def choices(self, default: str) -> list[tuple[str, str]]:
        """Tag and name of the languages that people may choose. A pseudo-locale is one where it is the site's default."""
        tags = [*self.available(), *([default] if default in pseudo.TAGS else [])]
        return [(tag, self.language(tag).name) for tag in tags]

    def gettext(self, message: str, /, **params: object) -> str:
        """The message in the current language, ``%(name)s`` replaced by the parameters and ``%%`` by a percent sign."""
        return self.current().messages.gettext(message) % _shown_params(params)

    def ngettext(self, one: str, many: str, number: int, /, **params: object) -> str:
        """The message in the form for this number, which is also the parameter ``number``."""
        return self.current().messages.ngettext(one, many, number) % _shown_params({"number": number, **params})

    def pgettext(self, context: str, message: str, /, **params: object) -> str:
        """``gettext`` where the same English word means two things; ``context`` says which."""
        return self.current().messages.pgettext(context, message) % _shown_params(params)

    def lazy(self, message: str, /, **params: object) -> "LazyText":
        """A message for a table of a module; ``str()`` of it, or a template, finds its words."""
        return LazyText(self, message, "", tuple(params.items()))

    def plazy(self, context: str, message: str, /) -> "LazyText":
        """``lazy`` where the same English word means two things; ``context`` says which."""
        return LazyText(self, message, context)


@dataclass(frozen=True, slots=True)
class LazyText:
    """A message that a module names and a page or e-mail shows, in the language that is current then."""

    catalogue: Catalogue = field(repr=False)
    message: str
    context: str = ""
    params: tuple[tuple[str, object], ...] = ()

    def __str__(self) -> str:
        params = {name: str(value) if isinstance(value, LazyText) else value for name, value in self.params}
        if self.context:
            return self.catalogue.pgettext(self.context, self.message, **params)
        return self.catalogue.gettext(self.message, **params)

    def filled(self, **params: object) -> str:
        """The message with its parameters."""
        return str(LazyText(self.catalogue, self.message, self.context, tuple(params.items())))

    def __html__(self) -> Markup:
        return escape(str(self))


@cache
def _available(domain: str, folder: Path) -> tuple[str, ...]:
    found = {path.parent.parent.name.replace("_", "-") for path in folder.glob(f"*/LC_MESSAGES/{domain}.po")}
    return (SOURCE, *sorted(found - {SOURCE}))


@cache
def _language(catalogue: Catalogue, tag: str) -> Language:
    if tag in pseudo.TAGS:
        return Language(tag, _FORMATS[tag], catalogue, pseudo.Translations())
    if tag not in catalogue.available():
        raise KeyError(tag)
    locale = tag.replace("-", "_")
    path = catalogue.folder / locale / "LC_MESSAGES" / f"{catalogue.domain}.po"
    messages = _compiled(path) if path.exists() else standard_gettext.NullTranslations()
    return Language(tag, _FORMATS.get(tag, locale), catalogue, messages)


def _compiled(path: Path) -> standard_gettext.GNUTranslations:
    made = BytesIO()
    with path.open("rb") as file:
        write_mo(made, read_po(file, locale=path.parent.parent.name))
    made.seek(0)
    return standard_gettext.GNUTranslations(made)


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
