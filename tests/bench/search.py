"""Searches among very many events: for common and rare words, with filters, near a point, and deep pages."""

import random
from time import perf_counter
from typing import Final

from groundwork.geo_points import SearchArea
from openmeet.domain.events.values import Mode
from openmeet.domain.events.vocabulary import Category
from openmeet.domain.search import search
from openmeet.domain.search.search import EventOrigin, SearchQuery
from tests.bench.crowd import Crowd
from tests.bench.figure import check as holds
from tests.bench.timing import percentile
from tests.bench.vocabulary import words

ROUNDS: Final = 600
PAGE: Final = 31


async def measured(crowd: Crowd) -> dict[str, float]:
    """The 99th percentile in milliseconds of each kind of search."""
    chosen = random.Random(11)  # the same searches every time
    vocabulary = words()
    kinds = {
        "searches for a common word": [SearchQuery((word,)) for word in vocabulary[:40]],
        "searches for any word": [SearchQuery((word,)) for word in chosen.sample(vocabulary, 100)],
        "searches for the beginning of a word": [
            SearchQuery((word[: chosen.randint(1, 3)],)) for word in chosen.sample(vocabulary, 60)
        ],
        "searches for several words": [_several(chosen, vocabulary) for _ in range(100)],
        "searches with filters": [_filtered(chosen, vocabulary) for _ in range(100)],
    }
    found = {kind: await _p99(crowd, asked) for kind, asked in kinds.items()}
    holds(await _count(crowd, SearchQuery((vocabulary[0],))) == PAGE, "a common word finds less than a page")
    holds(await _count(crowd, SearchQuery(("n42",))) >= 1, "a rare word finds nothing")
    return found


def _several(chosen: random.Random, vocabulary: list[str]) -> SearchQuery:
    # Frequent and rare words together, as people write.
    return SearchQuery(
        tuple(vocabulary[int(len(vocabulary) ** chosen.random()) - 1] for _ in range(chosen.randint(2, 4)))
    )


def _filtered(chosen: random.Random, vocabulary: list[str]) -> SearchQuery:
    word = vocabulary[int(len(vocabulary) ** chosen.random()) - 1]
    near = SearchArea(chosen.uniform(-60, 70), chosen.uniform(-180, 180), chosen.choice((25, 100, 500)))
    return SearchQuery(
        words=(word,) if chosen.random() < 0.5 else (),
        topics=(f"category:{chosen.choice(list(Category)).value}",) if chosen.random() < 0.5 else (),
        mode=chosen.choice((None, None, Mode.ONLINE)),
        source=chosen.choice((EventOrigin.ALL, EventOrigin.ATPROTO)),
        near=near if chosen.random() < 0.3 else None,
    )


async def _count(crowd: Crowd, wanted: SearchQuery) -> int:
    async with crowd.db.reader() as reader:
        return len(await search.coming(reader, wanted, None, PAGE))


async def _p99(crowd: Crowd, asked: list[SearchQuery]) -> float:
    samples = []
    for number in range(ROUNDS):
        begun = perf_counter()
        async with crowd.db.reader() as reader:
            await search.coming(reader, asked[number % len(asked)], None, PAGE)
        samples.append(perf_counter() - begun)
    return percentile(samples, 0.99) * 1_000
