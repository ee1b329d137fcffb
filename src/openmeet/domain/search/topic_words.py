"""Words for topics, in English and German: those that people type when they look for one, such as ``concert``, ``Konzert``
and ``gig`` for music. They offer the topic in addition to the search results, which they do not change.
"""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from openmeet.domain.events.vocabulary import Category
from openmeet.domain.search.spelling import KnownWords, common_parts, index_words, stems, without_umlauts
from openmeet.i18n.markdown import folded

_TOPIC_WORDS: Final[Mapping[Category, str]] = {
    Category.ARTS: "art arts drawing painting exhibition gallery theatre theater kunst malen zeichnen ausstellung galerie",
    Category.BOOKS: (
        "book reading poetry writing literature bookclub buch bücher lesen lesung lesekreis schreiben literatur "
        "gedichte"
    ),
    Category.BUSINESS: "business career networking startup freelance arbeit beruf karriere gründen selbstständig",
    Category.COMMUNITY: (
        "community neighbourhood neighborhood volunteering nachbarschaft kiez ehrenamt stadtteil flohmarkt"
    ),
    Category.CRAFTS: (
        "craft crafts knitting sewing pottery repair woodwork basteln handwerk nähen stricken töpfern reparieren"
    ),
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


def topic_of(words: Sequence[str]) -> Category | None:
    """The topic that the words are about. None if they match no topic or more than one."""
    categories = {category for word in words for category in _categories(without_umlauts(folded(word)))}
    return categories.pop() if len(categories) == 1 else None


@functools.cache
def topic_words() -> KnownWords:
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
