"""Words and names from upcoming events, to find hosts and series by name and to correct the spelling of searches.

Read from the next public events and from public groups, at most every ten minutes and only for searches. Contains only
what lists show. Code that uses one of these names checks again whether it may be shown.
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
from openmeet.domain.events.visibility import is_hidden, is_listed, is_public
from openmeet.domain.groups.membership_queries import public_names
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.search import spelling
from openmeet.domain.search.spelling import Known
from openmeet.domain.users.model import UserId
from openmeet.i18n.markdown import folded

_EVENTS: Final = 2_000
_GROUPS: Final = 1_000
_TEXT: Final = 1_500
_MAX_AGE: Final = 10 * MINUTE
_NAMES_AT_ONCE: Final = 500
# At least one word of a name search must have this many letters.
_LEAST: Final = 3

_WORDS = re.compile(r"\w+")
_ENCODED = re.compile(r"_([0-9a-f]+)_")


@dataclass(frozen=True, slots=True)
class KnownNames:
    """Folded names of hosts and titles of series. ``spelled``: all known words."""

    spelled: Known
    hosts: Mapping[UserId, str]
    series: Mapping[str, str]

    def hosts_named(self, words: Sequence[str], limit: int) -> list[UserId]:
        """Hosts whose name matches all these word prefixes."""
        return list(itertools.islice((one for one, name in self.hosts.items() if has_name(name, words)), limit))

    def series_named(self, words: Sequence[str], limit: int) -> list[str]:
        """Ids of series whose title matches all these word prefixes."""
        return list(itertools.islice((one for one, name in self.series.items() if has_name(name, words)), limit))


def has_name(name: str, words: Sequence[str]) -> bool:
    """Whether a folded name matches all these word prefixes. At least one of them must have three letters."""
    prefixes = [folded(word) for word in words]
    parts = name.split()
    return any(len(word) >= _LEAST for word in prefixes) and all(
        any(part.startswith(word) for part in parts) for word in prefixes
    )


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
    written: dict[str, str] = {}
    series: dict[str, str] = {}
    for title, indexed, series_id in events:
        if series_id is not None:
            series.setdefault(series_id, folded(title))
        plain = {_ENCODED.sub(_letter, word) for word in indexed.split() if "=" not in word}
        words.update(filter(spelling.is_word, plain | _written_in(title, written)))
    for name in (*hosts.values(), *groups):
        words.update(filter(spelling.is_word, _written_in(name, written)))
    return KnownNames(spelling.index_words(words, written), {one: folded(name) for one, name in hosts.items()}, series)


def _written_in(text: str, written: dict[str, str]) -> set[str]:
    """Return the words of a text, folded. Also adds their original spelling to ``written``."""
    written_words = {folded(word): word for word in _WORDS.findall(text)}
    for form, word in written_words.items():
        # Prefer ``night`` to ``Night`` if both occur.
        if form not in written or word.islower():
            written[form] = word
    return set(written_words)


def _letter(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))
