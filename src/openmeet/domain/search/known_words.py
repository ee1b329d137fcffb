"""Words and names from upcoming events. They find hosts and series by name and correct the spelling of searches. All are
folded.

They are read from the next public events and from public groups, at most every ten minutes and only for searches.
Contains only what lists show. Code that uses one of these names checks again whether it may be shown.
"""

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from groundwork.clock import MINUTE, Instant
from groundwork.database.recorded_reads import note_unrecorded
from groundwork.database.transaction import Database, Reader
from groundwork.database.words import word_of_form
from openmeet.domain.events.visibility import is_hidden, is_listed, is_public
from openmeet.domain.groups.membership_queries import public_names
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.search import spelling
from openmeet.domain.search.related_words import TitleWords, index_titles, is_title_word
from openmeet.domain.search.spelling import KnownWords, without_umlauts
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


@dataclass(frozen=True, slots=True)
class KnownNames:
    """Folded names of hosts and titles of series. ``spelled``: all known words. ``named``: only those of the names of
    hosts, groups and series. ``titles``: only those of titles.
    """

    spelled: KnownWords
    named: KnownWords
    titles: TitleWords
    hosts: Mapping[UserId, str]
    series: Mapping[str, str]

    def hosts_named(self, words: Sequence[str], limit: int) -> list[UserId]:
        """Hosts whose name matches all these word prefixes."""
        return list(itertools.islice((one for one, name in self.hosts.items() if has_name(name, words)), limit))

    def series_named(self, words: Sequence[str], limit: int) -> list[str]:
        """Ids of series whose title matches all these word prefixes."""
        return list(itertools.islice((one for one, name in self.series.items() if has_name(name, words)), limit))


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
