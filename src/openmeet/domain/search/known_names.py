"""Words and names of what is coming up: finds hosts and series by name, and mends typing errors and word endings.

Read from the next public events, at most every ten minutes and only for searches. It knows no more than the lists show;
code that uses a name from it asks again whether it may be shown.
"""

import asyncio
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Database, Reader
from openmeet.domain.events.visibility import is_hidden, is_listed, is_public
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.users.model import UserId
from openmeet.i18n.markdown import folded

_EVENTS: Final = 2_000
_TEXT: Final = 1_500
_KEPT: Final = 10 * MINUTE
_NAMES_AT_ONCE: Final = 500

# Words this short are not mended; from the second length on two letters may be wrong.
_LEAST, _LONG = 4, 8
_LEAST_STEM: Final = 3
# Longer words are no words; their variants would be many.
_MOST: Final = 24
# Endings of English and German words, the longest first.
_ENDINGS: Final = (
    *("innen", "ungen", "ings", "ing", "ung", "ies", "ers", "est", "ern", "en", "er", "es", "em", "ed", "ly"),
    *("s", "n", "e", "y"),
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_ENCODED = re.compile(r"_([0-9a-f]+)_")


@dataclass(frozen=True, slots=True)
class KnownNames:
    """Words of coming events, by which searches are corrected. ``words``: how many events have each. ``variants``:
    words by what is left when letters are taken out.
    """

    words: Mapping[str, int]
    variants: Mapping[str, Sequence[str]]
    hosts: Mapping[UserId, str]
    series: Mapping[str, str]

    def forgiven(self, words: Sequence[str]) -> list[str] | None:
        """The words without endings and typing errors; None where all of them are known, or one is like no known word."""
        mended = [self._mended(folded(word)) for word in words]
        if None in mended or mended == [folded(word) for word in words]:
            return None
        return [word for word in mended if word is not None]

    def hosts_named(self, words: Sequence[str], limit: int) -> list[UserId]:
        """Hosts whose name has all these beginnings of words."""
        return _named(self.hosts.items(), words, limit)

    def series_named(self, words: Sequence[str], limit: int) -> list[str]:
        """Ids of series whose title has all these beginnings of words."""
        return _named(self.series.items(), words, limit)

    def _mended(self, word: str) -> str | None:
        if not _WORD.fullmatch(word) or len(word) > _MOST or self._is_beginning(word):
            return word
        for stem in _stems(word):
            if self._is_beginning(stem):
                return stem
        return self._nearest(word)

    def _is_beginning(self, word: str) -> bool:
        return word in self.words or any(known.startswith(word) for known in self.words)

    def _nearest(self, word: str) -> str | None:
        most = _errors_in(word)
        if not most:
            return None
        near = {known for left in _without_letters(word, most) for known in self.variants.get(left, ())}
        ranked = sorted(
            (distance, -self.words[known], known) for known in near if (distance := _distance(word, known)) <= most
        )
        return ranked[0][2] if ranked else None


_kept: "WeakKeyDictionary[Database, tuple[Instant, KnownNames]]" = WeakKeyDictionary()


async def known_names(db: Database, reader: Reader) -> KnownNames:
    """What is known now, at most ten minutes old."""
    kept = _kept.get(db)
    if kept is not None and kept[0] <= reader.now < kept[0] + _KEPT:
        return kept[1]
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
    texts = [(row["title"], row["words"], row["series_id"]) for row in rows]
    found = await asyncio.to_thread(names_in, texts, {one: names[one] for one in authors})
    _kept[db] = (reader.now, found)
    return found


def names_in(events: Iterable[tuple[str, str, str | None]], hosts: Mapping[UserId, str]) -> KnownNames:
    """Collect the words of events, given as title, search words and series of each. Pure."""
    words: Counter[str] = Counter()
    series: dict[str, str] = {}
    for title, indexed, series_id in events:
        if series_id is not None:
            series.setdefault(series_id, folded(title))
        plain = {_ENCODED.sub(_letter, word) for word in indexed.split() if "=" not in word}
        words.update(
            word for word in plain | set(folded(title).split()) if _WORD.fullmatch(word) and len(word) <= _MOST
        )
    folded_hosts = {one: folded(name) for one, name in hosts.items()}
    for name in folded_hosts.values():
        words.update(word for word in name.split() if _WORD.fullmatch(word) and len(word) <= _MOST)
    variants: dict[str, list[str]] = defaultdict(list)
    for word in words:
        for left in _without_letters(word, _errors_in(word)):
            variants[left].append(word)
    return KnownNames(words, variants, folded_hosts, series)


def _letter(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _named(names: Iterable[tuple[str, str]], words: Sequence[str], limit: int) -> list:  # type: ignore[type-arg]  # of the same kind as the ids given
    wanted = [folded(word) for word in words]
    if not any(len(word) >= _LEAST_STEM for word in wanted):
        return []
    fitting = (
        one for one, name in names if all(any(part.startswith(word) for part in name.split()) for word in wanted)
    )
    return list(itertools.islice(fitting, limit))


def _stems(word: str) -> Iterator[str]:
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _LEAST_STEM:
            yield stem
            if stem[-1] == stem[-2] and len(stem) > _LEAST_STEM:
                # ``running``: ``run``.
                yield stem[:-1]


def _errors_in(word: str) -> int:
    return 0 if len(word) < _LEAST else 1 if len(word) < _LONG else 2


def _without_letters(word: str, most: int) -> set[str]:
    """The word, and what is left of it without up to so many letters."""
    found = {word}
    for _ in range(most):
        found |= {one[:at] + one[at + 1 :] for one in found for at in range(len(one))}
    return found


def _distance(one: str, other: str) -> int:
    """Letters to change, add, leave out, or swap with their neighbour (optimal string alignment)."""
    before: list[int] = []
    line = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        before, last, line = line, before, [row]
        for column, right in enumerate(other, 1):
            cost = min(before[column] + 1, line[-1] + 1, before[column - 1] + (left != right))
            if row > 1 and column > 1 and left == other[column - 2] and one[row - 2] == right:
                cost = min(cost, last[column - 2] + 1)
            line.append(cost)
    return line[-1]
