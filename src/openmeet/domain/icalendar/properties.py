"""What an event is about as CATEGORIES (RFC 5545, section 3.8.1.2): our topics by their words, then the tags as they are."""

from collections.abc import Iterable, Sequence
from typing import Final

from openmeet.domain.events.about import MAX_CATEGORIES
from openmeet.domain.events.tags import MAX_TAG, MAX_TAGS, normalised
from openmeet.domain.events.vocabulary import CATEGORY_WORDS, Category

# The mark of events that a group did not make but follows: said to its readers, and no topic.
FROM_NETWORK: Final = "From the network"

_BY_WORDS: Final = {words: category for category, words in CATEGORY_WORDS.items()}


def topics_of(categories: Iterable[Category], tags: Iterable[str]) -> tuple[str, ...]:
    """The values to write."""
    return (*(CATEGORY_WORDS[one] for one in categories), *tags)


def topics_in(values: Sequence[str]) -> tuple[tuple[Category, ...], tuple[str, ...]]:
    """Topics and tags of values that were read, within the limits of each.

    A topic is known by its words letter for letter: the same in lower case is a tag, as every tag is.
    """
    categories = [_BY_WORDS[value] for value in values if value in _BY_WORDS][:MAX_CATEGORIES]
    others = [value for value in values if value != FROM_NETWORK and _BY_WORDS.get(value) not in categories]
    tags = dict.fromkeys(tag for tag in map(normalised, others) if tag and len(tag) <= MAX_TAG)
    return tuple(categories), tuple(tags)[:MAX_TAGS]
