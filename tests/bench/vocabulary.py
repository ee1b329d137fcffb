"""Texts of events with a realistic distribution of words: a few are in nearly all texts, most in nearly none (Zipf's
law).

A seeded generator makes the words from syllables, so that the texts are always the same and many words begin alike.
"""

import bisect
import itertools
import random
from collections.abc import Iterator
from typing import Final

_SYLLABLES: Final = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "in")]
# The size of a language: the most frequent of 20,000 words makes up a tenth of all text.
_WORDS: Final = 20_000
_IN_TITLE: Final = 4
_IN_TEXT: Final = 40


def words() -> list[str]:
    """The vocabulary, the most frequent word first."""
    chosen = random.Random(20_260_704)  # the same texts every time
    every = ["".join(parts) for parts in itertools.product(_SYLLABLES, repeat=2)]
    every += ["".join(parts) for parts in itertools.product(_SYLLABLES[::3], repeat=3)]
    return chosen.sample(every, _WORDS)


def texts(count: int, *, is_title: bool) -> Iterator[list[str]]:
    """A number of titles, or of texts below a title, as lists of words."""
    chosen = random.Random(count + is_title)  # the same texts every time
    vocabulary = words()
    weights = list(itertools.accumulate(1 / (rank + 2) for rank in range(_WORDS)))
    for _ in range(count):
        length = _IN_TITLE if is_title else _IN_TEXT
        yield [vocabulary[bisect.bisect(weights, chosen.random() * weights[-1])] for _ in range(length)]
