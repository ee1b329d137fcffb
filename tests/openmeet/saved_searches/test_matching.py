"""An event matches a saved search exactly if the search finds it, and matching uses index keys. On both engines."""

import random
from datetime import UTC, datetime

import pytest

from groundwork.geo_points import SearchArea
from openmeet.domain.events.model import RecordOrigin
from openmeet.domain.events.values import Mode
from openmeet.domain.saved_searches import matching
from openmeet.domain.saved_searches.matching import SearchFacts
from openmeet.domain.search import query, search
from openmeet.domain.search.search import SearchQuery
from tests.databases import MakeDatabase
from tests.openmeet.web.search_model import insert_random_events, random_question

QUESTIONS = 60


async def _facts(reader) -> dict[str, SearchFacts]:
    rows = await reader.fetch("select * from events where deleted_at is null and over_at > :now", now=reader.now)
    return {
        row["id"]: SearchFacts(
            row["search_words"],
            Mode(row["mode"]),
            RecordOrigin(row["origin"]),
            row["starts_local"],
            None if row["place_x"] is None else (row["place_x"], row["place_y"], row["place_z"]),
        )
        for row in rows
        if row["visibility"] == "public"
    }


async def test_an_event_matches_exactly_if_the_search_finds_it(make_database: MakeDatabase) -> None:
    db = await make_database("openmeet", transaction_seconds=120.0)
    chosen = random.Random("fits")
    async with db.transaction() as tx:
        await insert_random_events(tx, chosen)
    found_any = 0
    async with db.reader() as reader:
        facts = await _facts(reader)
        today = datetime.fromtimestamp(reader.now / 1_000_000, UTC).date()
        for _ in range(QUESTIONS):
            wanted = random_question(chosen, today)
            found = {event.id for event in await search.coming(reader, wanted, None, 100)} & set(facts)
            assert {one for one, known in facts.items() if matching.fits(wanted, known)} == found, wanted
            keys = set(matching.keys_of(wanted))
            assert bool(keys) is query.is_specific(wanted)
            if keys:
                found_any += len(found)
                assert all(keys & set(matching.keys_in(facts[one])) for one in found), wanted
    assert found_any > 20


@pytest.mark.parametrize(
    ("wanted", "key"),
    [
        (SearchQuery(words=("jazz", "saxophonists")), ("saxophonists",)),
        (SearchQuery(words=("saxophonistinnen",)), ("saxophonisti",)),
        (SearchQuery(words=("jazz",), topics=("category:music", "tag:bebop")), ("k=tag_3a_bebop",)),
        (SearchQuery(words=("jazz",)), ("jaz",)),
        (SearchQuery(words=("!!",)), ()),
        (SearchQuery(mode=Mode.ONLINE), ()),
    ],
)
def test_the_key_of_a_search_is_its_rarest_condition(wanted: SearchQuery, key: tuple[str, ...]) -> None:
    assert matching.keys_of(wanted) == key


def test_an_area_has_few_keys_however_wide_it_is() -> None:
    """There is one key for each cell that the area touches. The number of keys for an event's lookup and the cost of
    storing a search are therefore both limited.
    """
    for within in (1, 25, 100, 101, 500):
        keys = matching.keys_of(SearchQuery(near=SearchArea(52.52, 13.405, within)))
        assert 1 <= len(keys) <= 110, (within, len(keys))


def test_a_long_text_has_a_limited_number_of_keys() -> None:
    words = " ".join(f"{number:x}wordlonger{number}" for number in range(800))
    keys = matching.keys_in(SearchFacts(f" {words} ", Mode.ONLINE, RecordOrigin.HERE, "2027-01-01T00:00:00", None))
    assert len(keys) < 6 * 800
