"""Any search, page by page, finds the same events as a plain model and in the same order, in whatever steps it reads."""

import random
from datetime import UTC, datetime

import pytest

from openmeet.domain.search import index_scan, my_event_lists, search
from tests.openmeet.web.search_model import QUESTION_COUNT, insert_random_events, random_question


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet", transaction_seconds=120.0)


# Tiny limits for rows per step, steps and index keys, so that every kind of step is taken.
@pytest.mark.parametrize(("some", "walks", "first", "most"), [(500, 4, 4, 256), (3, 0, 1, 8), (2, 1, 40, 1_000)])
async def test_every_page_of_every_search_equals_the_models(db, monkeypatch, some, walks, first, most):
    chosen = random.Random(f"{some} {walks}")
    for name, number in (("_EVENTS_PER_SCAN", some), ("_SCANS", walks), ("_FIRST", first), ("_MAX_LENGTH", most)):
        monkeypatch.setattr(index_scan, name, number)
    async with db.transaction() as tx:
        known = await insert_random_events(tx, chosen)
        now, found_any = tx.now, 0
    async with db.reader() as reader:
        for _ in range(QUESTION_COUNT):
            wanted = random_question(chosen, datetime.fromtimestamp(now / 1_000_000, UTC).date())
            fitting = [one for one in known if one.fits(wanted, now)]
            expected = sorted(
                fitting,
                key=lambda one: (
                    not all(one.has(word, in_title=True) for word in wanted.words),
                    one.starts_at,
                    one.id,
                ),
            )
            seen, after = [], None
            limit = chosen.choice((1, 2, 7, 50))
            while page := await search.coming(reader, wanted, after, limit):
                seen += [event.id for event in page]
                assert len(seen) <= len(known), wanted
                after = my_event_lists.unpack(my_event_lists.pack(search.position_in(wanted, page[-1])))
            assert seen == [one.id for one in expected], wanted
            found_any += len(seen)
    assert found_any > QUESTION_COUNT
