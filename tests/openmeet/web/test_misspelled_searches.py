"""Misspelled searches in German and English find the events that were meant, and words that only look alike do not."""

import pytest

from groundwork.clock import HandClock
from openmeet.domain.search import corrected_search
from openmeet.domain.search.search import SearchQuery
from openmeet.domain.search.spelling import sounds_of
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, person, site_on

# Titles, most of them of the demo, each with searches that mean it.
MISSPELLED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Fahrradtour durch die Dörfer", ("Fahräder", "Fahrät", "Fahrädern", "Farrad", "Vahrrad", "Fharrad", "Farrat")),
    ("Slow yoga before work", ("joga", "jogga", "yooga", "Joga slow", "Jogakurs")),
    ("Stricken für den Kurs im Winter", ("Striken", "Schtricken", "Strikken")),
    ("Konzert: Streichquartett aus dem Haus", ("Conzert", "Koncert", "Konserte", "Konzärte", "Streichkwartett")),
    ("Linux für Laptops", ("Linuks", "Linuxx")),
    ("Poetry Slam im Keller", ("poetrie", "Poetri", "potry slam", "Poetry Släm")),
    ("Fotowalk am Ufer", ("Photowalk", "Fotowak", "Fotowallk")),
    ("Kammermusik: ein Klavier", ("Klawier", "Klafier", "Klavir")),
    ("Vogelstimmen am See", ("Fogelstimmen", "Vogelschtimmen", "Vögelstimme")),
    ("Straßenfest mit langer Tafel", ("Strassenfest", "Strasenfest", "Straßenfässt")),
    ("Kräuterwanderung am Stadtrand", ("Kraeuterwanderung", "Kräuterwandrung", "Kreuterwanderung")),
    ("Repair café", ("kafe", "Caffe", "repare cafe")),
    ("Choir rehearsal: open evening", ("choire", "rehersal")),
    ("Canons for everyone", ("Kanons", "Kannons")),
    ("Pub quiz, without sports questions", ("Quitz", "Quizz")),
    ("Brot backen mit Sauerteig", ("Broht", "Brodt", "Sauerteick", "Sauertaig")),
    ("Coffee for people who moved here", ("koffee", "cofee", "coffe")),
    ("Knitting and complaining", ("nitting", "kniting", "knittin")),
)

# A title, and searches for something else that differs in few letters.
DIFFERENT: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Yoga", ("Toga", "Soga")),
    ("Garten", ("Karten", "Warten", "Marten")),
    ("Reading in the rain", ("train", "heading", "Trains")),
    ("Rauchen", ("Tauchen", "Fauchen")),
    ("Zeichen", ("Weichen", "Leichen")),
    ("Leben", ("Kleben", "Geben")),
    ("Night", ("Light", "Right")),
    ("Wool", ("Voll",)),
    ("Singen", ("Sync",)),
)


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


async def _found(site: Site, words: str) -> list[str]:
    async with site.db.reader() as reader:
        query = SearchQuery(tuple(words.split()))
        result = await corrected_search.coming(site.db, reader, query, None, 20, may_drop_words=True)
    return [event.title for event in result.events]


async def test_misspelled_words_find_what_was_meant(site: Site, subtests: pytest.Subtests) -> None:
    async with site.db.transaction() as tx:
        host = await person(tx, "Ida")
        for title, _ in MISSPELLED:
            await event_by(tx, host, title=title)
    for title, searches in MISSPELLED:
        for words in searches:
            with subtests.test(words=words):
                assert title in await _found(site, words)


async def test_words_that_only_look_alike_find_nothing(site: Site, subtests: pytest.Subtests) -> None:
    async with site.db.transaction() as tx:
        host = await person(tx, "Ida")
        for title, _ in DIFFERENT:
            await event_by(tx, host, title=title)
    for _, searches in DIFFERENT:
        for words in searches:
            with subtests.test(words=words):
                assert await _found(site, words) == []


async def test_a_word_that_sounds_alike_comes_before_a_similar_one(site: Site) -> None:
    async with site.db.transaction() as tx:
        host = await person(tx, "Ida")
        await event_by(tx, host, title="Kanons für alle")
        await event_by(tx, host, title="Canoes on the river")
    assert await _found(site, "Canons") == ["Kanons für alle"]


def test_words_have_few_sounds() -> None:
    assert sounds_of("joga") & sounds_of("yoga")
    assert not sounds_of("karten") & sounds_of("garten")
    assert not sounds_of("wahl") & sounds_of("fall")
    assert len(sounds_of("c" * 12 + "v" * 12)) <= 8
    assert len(sounds_of("chevce" * 4)) <= 8
