"""Words that searches know: words and names from upcoming events, words related to them, and words for topics. They
find hosts and series by name and correct the spelling of searches. All are folded.

The words and names are read from the next public events and from public groups, at most every ten minutes and only for
searches. Contains only what lists show. Code that uses one of these names checks again whether it may be shown.

``Konzerte`` is related to ``Konzert``, ``Wohnzimmerkonzert`` and ``Konzertabend``. German writes compounds as one word,
so most titles about concerts do not contain the word ``Konzert``.

Words for topics, in English and German, are those that people type when they look for one, such as ``concert``,
``Konzert`` and ``gig`` for music. They offer the topic in addition to the search results, which they do not change.
"""

import asyncio
import functools
import itertools
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final
from weakref import WeakKeyDictionary

from groundwork.clock import MINUTE, Instant
from groundwork.database.recorded_reads import note_unrecorded
from groundwork.database.transaction import Database, Reader
from groundwork.database.words import word_of_form
from openmeet.domain.events.visibility import is_hidden, is_listed, is_public
from openmeet.domain.events.vocabulary import Category
from openmeet.domain.groups.membership_queries import public_names
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.search import spelling
from openmeet.domain.search.spelling import (
    LINKS,
    SECOND_PARTS,
    Known,
    common_parts,
    index_words,
    stems,
    without_umlauts,
)
from openmeet.domain.users.model import UserId
from openmeet.i18n.markdown import folded

_EVENTS: Final = 2_000
_GROUPS: Final = 1_000
_TEXT: Final = 1_500
_MAX_AGE: Final = 10 * MINUTE
_NAMES_AT_ONCE: Final = 500
# At least one word of a name search must have this many letters.
_MIN_LETTERS: Final = 3

_WORDS = re.compile(r"\w+")

# Shorter words and stems are part of too many others.
_LEAST_RELATED: Final = 4
_LEAST_HEAD: Final = 3
# A word of this length ends others by accident only rarely. A shorter one must be a common second part, or what comes
# before it must be a word.
_LONG: Final = 6
# How many words with the same beginning or ending are examined, and how many related words a search uses.
_MOST_EXAMINED: Final = 200
_MOST_RELATED: Final = 16
# Longer words are no real ones. Titles have longer words than texts: Nachbarschaftsversammlung has 25 letters.
_MOST_LETTERS: Final = 40
_AFTER_ALL: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class TitleWords:
    """The words of titles. ``words``: how often each occurs; ``ordered``: the same words in order. ``endings``: their
    forms without inflection, reversed and in order, each with its word.
    """

    words: Mapping[str, int]
    ordered: Sequence[str]
    endings: Sequence[tuple[str, str]]

    def related(self, word: str) -> tuple[str, ...]:
        """Words of titles that are related to this one, the most frequent first. Words that begin with it are left out,
        because a search finds them anyway.
        """
        if len(word) < _LEAST_RELATED or not is_title_word(word):
            return ()
        found = {
            one
            for form in _forms(word) | _forms(without_umlauts(word))
            for one in (
                *self._inflected(form),
                *self._compounds_beginning_with(form),
                *self._compounds_ending_with(form),
            )
            if not one.startswith(word)
        }
        return tuple(sorted(found, key=lambda one: (-self.words[one], one))[:_MOST_RELATED])

    def _inflected(self, form: str) -> Iterator[str]:
        return (one for one in self._beginning_with(form) if form in _forms(one))

    def _compounds_beginning_with(self, form: str) -> Iterator[str]:
        for one in self._beginning_with(form):
            for link in LINKS:
                rest = one.removeprefix(form + link)
                if rest != one and len(rest) >= _LEAST_RELATED and self._is_second_part(rest, besides=one):
                    yield one
                    break

    def _compounds_ending_with(self, form: str) -> Iterator[str]:
        key = form[::-1]
        at = bisect_left(self.endings, (key,))
        for reversed_, one in islice(self.endings, at, at + _MOST_EXAMINED):
            if not reversed_.startswith(key):
                return
            head = reversed_[len(key) :][::-1]
            if len(head) >= _LEAST_HEAD and (
                len(form) >= _LONG or form in SECOND_PARTS or self._is_first_part(head, besides=one)
            ):
                yield one

    def _is_first_part(self, head: str, *, besides: str) -> bool:
        """Whether a word begins with this, with or without the linking letters."""
        return any(
            self._has_beginning(stem, besides)
            for link in LINKS
            if head.endswith(link) and len(stem := head.removesuffix(link)) >= _LEAST_HEAD
        )

    def _is_second_part(self, rest: str, *, besides: str) -> bool:
        return bool(SECOND_PARTS & {rest, *stems(rest)}) or self._has_beginning(rest, besides)

    def _has_beginning(self, beginning: str, besides: str) -> bool:
        return any(one != besides for one in islice(self._beginning_with(beginning), 2))

    def _beginning_with(self, beginning: str) -> Iterator[str]:
        first = bisect_left(self.ordered, beginning)
        end = bisect_left(self.ordered, beginning + _AFTER_ALL)
        return islice(self.ordered, first, min(end, first + _MOST_EXAMINED))


@dataclass(frozen=True, slots=True)
class KnownNames:
    """Folded names of hosts and titles of series. ``spelled``: all known words. ``named``: only those of the names of
    hosts, groups and series. ``titles``: only those of titles.
    """

    spelled: Known
    named: Known
    titles: TitleWords
    hosts: Mapping[UserId, str]
    series: Mapping[str, str]

    def hosts_named(self, words: Sequence[str], limit: int) -> list[UserId]:
        """Hosts whose name matches all these word prefixes."""
        return list(itertools.islice((one for one, name in self.hosts.items() if has_name(name, words)), limit))

    def series_named(self, words: Sequence[str], limit: int) -> list[str]:
        """Ids of series whose title matches all these word prefixes."""
        return list(itertools.islice((one for one, name in self.series.items() if has_name(name, words)), limit))


_TOPIC_WORDS: Final[Mapping[Category, str]] = {
    Category.ARTS: "art arts drawing painting exhibition gallery theatre theater kunst malen zeichnen ausstellung galerie",
    Category.BOOKS: "book reading poetry writing literature bookclub buch bücher lesen lesung lesekreis schreiben literatur gedichte",
    Category.BUSINESS: "business career networking startup freelance arbeit beruf karriere gründen selbstständig",
    Category.COMMUNITY: "community neighbourhood neighborhood volunteering nachbarschaft kiez ehrenamt stadtteil flohmarkt",
    Category.CRAFTS: "craft crafts knitting sewing pottery repair woodwork basteln handwerk nähen stricken töpfern reparieren",
    Category.DANCE: "dance dancing salsa tango swing tanz tanzen tanzkurs",
    Category.FAITH: "faith prayer spirituality church glaube gebet kirche gottesdienst meditation",
    Category.FAMILY: "family families kid children toddler baby parents familie familien kind kinder eltern",
    Category.FILM: "film movie cinema photography photo kino filmabend fotografie foto",
    Category.FOOD: "food dinner cooking supper brunch wine essen kochen abendessen frühstück wein backen",
    Category.GAMES: "game games boardgame chess quiz spiel spiele spieleabend brettspiel brettspiele schach",
    Category.HEALTH: "health yoga wellbeing mindfulness gesundheit entspannung achtsamkeit",
    Category.LANGUAGES: "language languages tandem sprache sprachen sprachcafé stammtisch",
    Category.LEARNING: "talk talks lecture workshop course class vortrag vorträge kurs lernen seminar",
    Category.MUSIC: "music concert gig choir jazz singing jam musik konzert konzerte chor singen",
    Category.OUTDOORS: "outdoors hike hiking walk nature climbing wandern wanderung spaziergang natur klettern draußen",
    Category.POLITICS: "politics activism demo protest politik aktivismus demonstration",
    Category.SCIENCE: "science astronomy stargazing physics wissenschaft astronomie sterne sternwarte",
    Category.SPORTS: "sport sports running football cycling fitness laufen fußball radfahren turnen schwimmen",
    Category.TECHNOLOGY: "technology tech coding programming hackathon software technik programmieren informatik",
}

_TOPICS: Final[Mapping[str, Category]] = {
    without_umlauts(folded(word)): topic for topic, words in _TOPIC_WORDS.items() for word in words.split()
}

_cache: "WeakKeyDictionary[Database, tuple[Instant, KnownNames]]" = WeakKeyDictionary()


async def known_names(db: Database, reader: Reader) -> KnownNames:
    """Return the known names, at most ten minutes old."""
    cached = _cache.get(db)
    if cached is not None and cached[0] <= reader.now < cached[0] + _MAX_AGE:
        note_unrecorded()
        return cached[1]
    rows = await reader.fetch(
        f"""
        select e.title, substr(e.search_words, 1, {_TEXT}) as words, e.author_id, e.series_id from events e
         where e.starts_at > :now and {is_listed("e")} and {is_public("e")} and not {is_hidden("e")}
         order by e.starts_at, e.id limit :limit
        """,
        now=reader.now,
        limit=_EVENTS,
    )
    authors = list(dict.fromkeys(UserId(row["author_id"]) for row in rows))
    names: dict[UserId, str] = {}
    for first in range(0, len(authors), _NAMES_AT_ONCE):
        names |= await shown_names(reader, authors[first : first + _NAMES_AT_ONCE])
    groups = await public_names(reader, _GROUPS)
    texts = [(row["title"], row["words"], row["series_id"]) for row in rows]
    names_now = await asyncio.to_thread(names_in, texts, {one: names[one] for one in authors}, groups)
    _cache[db] = (reader.now, names_now)
    return names_now


def names_in(
    events: Iterable[tuple[str, str, str | None]], hosts: Mapping[UserId, str], groups: Sequence[str] = ()
) -> KnownNames:
    """Collect the words of events and names. Pure.

    ``events``: title, search words and series id of each event.
    """
    words: Counter[str] = Counter()
    titles: Counter[str] = Counter()
    names: Counter[str] = Counter()
    written: dict[str, str] = {}
    series: dict[str, str] = {}
    for title, indexed, series_id in events:
        if series_id is not None:
            series.setdefault(series_id, folded(title))
        plain = {word_of_form(word) for word in indexed.split() if "=" not in word}
        of_title = _written_in(title, written)
        words.update(filter(spelling.is_word, plain | of_title))
        titles.update(filter(is_title_word, of_title))
    # ``Fahrad`` is close to ``Fahrrad``, which occurs only in ``Fahrradtour``.
    words.update(filter(spelling.is_word, (part for word in titles for part in spelling.common_parts(word))))
    for name in (*hosts.values(), *groups):
        of_name = _written_in(name, written)
        words.update(filter(spelling.is_word, of_name))
        names.update(filter(spelling.is_word, of_name))
    for title in series.values():
        names.update(filter(spelling.is_word, _WORDS.findall(title)))
    return KnownNames(
        spelling.index_words(words, written),
        spelling.index_words(names, written),
        index_titles(titles),
        {one: folded(name) for one, name in hosts.items()},
        series,
    )


def has_name(name: str, words: Sequence[str]) -> bool:
    """Whether a folded name matches all these word prefixes, however their umlauts are spelled. At least one of them
    must have three letters.
    """
    prefixes = [without_umlauts(folded(word)) for word in words]
    parts = without_umlauts(name).split()
    return any(len(word) >= _MIN_LETTERS for word in prefixes) and all(
        any(part.startswith(word) for part in parts) for word in prefixes
    )


def _written_in(text: str, written: dict[str, str]) -> set[str]:
    """Return the words of a text, folded. Also adds their original spelling to ``written``."""
    written_words = {folded(word): word for word in _WORDS.findall(text)}
    for form, word in written_words.items():
        # Prefer ``night`` to ``Night`` if both occur.
        if form not in written or word.islower():
            written[form] = word
    return set(written_words)


def index_titles(words: Counter[str]) -> TitleWords:
    """Index the words of titles, each with the number of titles that contain it."""
    endings = sorted((form[::-1], word) for word in words for form in _forms(word))
    return TitleWords(words, sorted(words), endings)


def is_title_word(word: str) -> bool:
    """Whether a text counts as a word of a title."""
    return word.isalpha() and len(word) <= _MOST_LETTERS


def _forms(word: str) -> set[str]:
    """The word, and its stems that are long enough to tell it from others."""
    return {word, *(stem for stem in stems(word) if len(stem) >= _LEAST_RELATED)}


def topic_of(words: Sequence[str]) -> Category | None:
    """The topic that the words are about. None if they match no topic or more than one."""
    categories = {category for word in words for category in _categories(without_umlauts(folded(word)))}
    return categories.pop() if len(categories) == 1 else None


@functools.cache
def topic_words() -> Known:
    """The words for topics, to correct the spelling of words that no event contains."""
    written = {folded(word): word for words in _TOPIC_WORDS.values() for word in words.split()}
    return index_words(Counter(written.keys()), written)


def is_topic_word(word: str) -> bool:
    """Whether the word, and not just a part of it, is one for a topic."""
    return bool(_of_whole(without_umlauts(folded(word))))


def _of_whole(plain: str) -> set[Category]:
    return {_TOPICS[form] for form in (plain, *stems(plain)) if form in _TOPICS}


def _categories(plain: str) -> set[Category]:
    """Categories of a word, or else of the parts of a compound, such as ``Buchclub``."""
    return _of_whole(plain) or {_TOPICS[part] for part in common_parts(plain) if part in _TOPICS}
