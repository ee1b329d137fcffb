"""Messages in the reader's language: gettext catalogues, and the choice of language for a request or an e-mail.

A whole number in a message is a count and is formatted for the locale: ``20,000 going``. Years and ids are passed as
text.

The sources are English, so English needs no catalogue. A server has one ``Catalogue``. Adding
``<language>/LC_MESSAGES/<domain>.po`` to its folder adds a language without code. The file of a region, such as
``en_US``, has only the messages that differ from those of its language; dates, numbers and weeks are those of the
region. Files are compiled in memory when they are first used, or by ``read_all``. ``make messages`` keeps them up to
date.
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

# Dates and numbers of the source language use the British form: day first, 24 hours.
_FORMATS: Final = {SOURCE: "en_GB", pseudo.TAG: "en_GB", pseudo.MIRRORED: "en_GB"}


@dataclass(frozen=True, slots=True)
class Language:
    """A language of a server. ``tag`` is for ``lang`` attributes (BCP 47); ``locale`` is for dates and numbers."""

    tag: str
    locale: str
    catalogue: "Catalogue" = field(repr=False)
    messages: standard_gettext.NullTranslations = field(repr=False)

    @property
    def name(self) -> str:
        """The language's own name for itself, such as ``Deutsch`` or ``English (US)``."""
        if self.tag in pseudo.TAGS:
            return "Pseudo"
        native_name = Locale.parse(self.base).get_display_name()
        words = str(native_name[:1].upper() + native_name[1:]) if native_name else self.base
        return f"{words} ({self.region})" if self.region else words

    @property
    def base(self) -> str:
        """The tag of the language without the region: ``en`` for ``en-US``."""
        return base_of(self.tag)

    @property
    def region(self) -> str:
        """The region of a regional variant: ``US``. Empty for a language as such."""
        return "" if self.tag in pseudo.TAGS else self.tag.partition("-")[2]

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``, for ``dir`` attributes."""
        if self.tag in pseudo.TAGS:
            return "rtl" if self.tag == pseudo.MIRRORED else "ltr"
        return str(Locale.parse(self.tag, sep="-").text_direction)


_CURRENT: ContextVar[Language | None] = ContextVar("language", default=None)


def current_locale() -> str:
    """Return the locale for dates and numbers now. Outside of requests and e-mails, it is that of the source language."""
    language = _CURRENT.get()
    return _FORMATS[SOURCE] if language is None else language.locale


def number(value: float) -> str:
    """Format a number with separators: ``1,000``."""
    return str(format_decimal(value, locale=current_locale()))


def shown_number(value: object) -> object:
    """Format a parameter of a message: a whole number for the locale, anything else unchanged."""
    # Below a thousand, the digits are the same in every language.
    return number(value) if type(value) is int and abs(value) >= 1_000 else value


def _shown_params(params: dict[str, object]) -> dict[str, object]:
    return {name: shown_number(value) for name, value in params.items()}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The messages of a server: ``<folder>/<language>/LC_MESSAGES/<domain>.po``, one file per language."""

    domain: str
    folder: Path

    def available(self) -> tuple[str, ...]:
        """Return the tags of the languages that people can choose: the source language and those that have a file, each
        followed by its regional variants.
        """
        return _available(self.domain, self.folder)

    def language(self, tag: str) -> Language:
        """Return the language with this tag. Its file is read once. Raises KeyError if it is not available."""
        return _language(self, tag)

    def read_all(self) -> None:
        """Read the file of every language, which takes about a second each. Called before a program answers requests."""
        for tag in self.available():
            self.language(tag)

    def is_known(self, tag: str) -> bool:
        """Whether a setting may name this language."""
        return tag in pseudo.TAGS or tag in self.available()

    def negotiated(self, accept_language: str, default: str) -> str:
        """Return the best available language for an Accept-Language header (RFC 9110, section 12.5.4).

        ``en-US`` matches ``en-US``; ``de-AT`` matches ``de`` if there is no variant for Austria. A header that names no
        available language gets the default.
        """
        tags_by_lower_case = {tag.lower(): tag for tag in self.available()}
        best, weight = default, 0.0
        for part in accept_language.split(",")[:20]:
            requested, _, parameters = part.strip().lower().partition(";")
            quality = _quality(parameters)
            available_tag = tags_by_lower_case.get(requested) or tags_by_lower_case.get(base_of(requested))
            if available_tag is not None and quality > weight:
                best, weight = available_tag, quality
        return best

    def current(self) -> Language:
        """Return the language of this request or e-mail; outside of both, the source language."""
        language = _CURRENT.get()
        if language is not None and language.catalogue is self:
            return language
        tag = SOURCE if language is None else language.tag
        return self.language(tag if self.is_known(tag) else SOURCE)

    @contextmanager
    def speaking(self, tag: str) -> Iterator[None]:
        """Use this language inside the block, or the source language if it is not available."""
        before = _CURRENT.get()
        _CURRENT.set(self.language(tag if self.is_known(tag) else SOURCE))
        try:
            yield
        finally:
            # The context variable is not reset by its token, because a cancelled request might end in another context.
            _CURRENT.set(before)

    def in_language(self, tag: str, work: Callable[[], T]) -> T:
        """Do the work in this language. For worker processes, which do not know the language of their caller."""
        with self.speaking(tag):
            return work()

    def switch_to(self, tag: str) -> None:
        """Use this language until the end of the enclosing ``speaking`` block. Does nothing if it is not available."""
        if self.is_known(tag):
            _CURRENT.set(self.language(tag))

    def choices(self, default: str) -> list[tuple[str, str]]:
        """Return tag and name of the languages that people can choose. A pseudo-locale is included only if it is the
        site's default.
        """
        tags = [*self.available(), *([default] if default in pseudo.TAGS else [])]
        return [(tag, self.language(tag).name) for tag in tags]

    def gettext(self, message: str, /, **params: object) -> str:
        """Return the message in the current language. ``%(name)s`` is replaced by the parameters and ``%%`` by a
        percent sign.
        """
        return self.current().messages.gettext(message) % _shown_params(params)

    def ngettext(self, one: str, many: str, number: int, /, **params: object) -> str:
        """Return the message in the plural form for this number, which is also the parameter ``number``."""
        return self.current().messages.ngettext(one, many, number) % _shown_params({"number": number, **params})

    def pgettext(self, context: str, message: str, /, **params: object) -> str:
        """Do the same as ``gettext`` for an English word with two meanings. ``context`` selects the meaning."""
        return self.current().messages.pgettext(context, message) % _shown_params(params)

    def lazy(self, message: str, /, **params: object) -> "LazyText":
        """Return a message for a table in a module. It is translated when ``str()`` or a template uses it."""
        return LazyText(self, message, "", tuple(params.items()))

    def plazy(self, context: str, message: str, /) -> "LazyText":
        """Do the same as ``lazy`` for an English word with two meanings. ``context`` selects the meaning."""
        return LazyText(self, message, context)


def base_of(tag: str) -> str:
    """The language of a tag without its region: ``en`` for ``en-US``."""
    return tag.partition("-")[0]


@dataclass(frozen=True, slots=True)
class LazyText:
    """A message that is defined in a module and translated when a page or e-mail shows it."""

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
        """Return the message with its parameters filled in."""
        return str(LazyText(self.catalogue, self.message, self.context, tuple(params.items())))

    def __html__(self) -> Markup:
        return escape(str(self))


@cache
def _available(domain: str, folder: Path) -> tuple[str, ...]:
    tags = {path.parent.parent.name.replace("_", "-") for path in folder.glob(f"*/LC_MESSAGES/{domain}.po")} | {SOURCE}
    return tuple(sorted(tags, key=lambda tag: (base_of(tag) != SOURCE, tag)))


@cache
def _language(catalogue: Catalogue, tag: str) -> Language:
    if tag in pseudo.TAGS:
        return Language(tag, _FORMATS[tag], catalogue, pseudo.Translations())
    if tag not in catalogue.available():
        raise KeyError(tag)
    locale = tag.replace("-", "_")
    path = catalogue.folder / locale / "LC_MESSAGES" / f"{catalogue.domain}.po"
    messages = _compiled(path) if path.exists() else standard_gettext.NullTranslations()
    base = base_of(tag)
    if base != tag and base in catalogue.available():
        messages.add_fallback(catalogue.language(base).messages)
    return Language(tag, _FORMATS.get(tag, locale), catalogue, messages)


def _compiled(path: Path) -> standard_gettext.GNUTranslations:
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=path.parent.parent.name))
    compiled.seek(0)
    return standard_gettext.GNUTranslations(compiled)


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
