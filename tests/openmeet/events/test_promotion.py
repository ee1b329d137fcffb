"""How much of an event the network gets: every cell of group level, what the group and the event are, and what its host holds back."""

import itertools

import pytest

from openmeet.attendance.rules import may_answers_be_public
from openmeet.events import actions, promotion
from openmeet.events.grouping import of_event
from openmeet.events.model import GroupOfEvent, Visibility
from openmeet.events.promotion import Reach, reach, reach_of
from openmeet.events.queries import by_id
from openmeet.groups.model import GroupId, GroupVisibility, PromotionLevel
from openmeet.records.event_writing import publishable, write_event
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import details, person

NOTHING, MINIMAL, FULL = Reach.NOTHING, Reach.MINIMAL, Reach.FULL

# Written out by hand: level of the group and what the group is, for an event that is public, unlisted, private.
TABLE = {
    (None, None): (FULL, NOTHING, NOTHING),
    (PromotionLevel.PUBLIC, GroupVisibility.PUBLIC): (FULL, NOTHING, NOTHING),
    (PromotionLevel.PUBLIC, GroupVisibility.UNLISTED): (NOTHING, NOTHING, NOTHING),
    (PromotionLevel.PUBLIC, GroupVisibility.PRIVATE): (NOTHING, NOTHING, NOTHING),
    (PromotionLevel.MEMBERS, GroupVisibility.PUBLIC): (MINIMAL, NOTHING, NOTHING),
    (PromotionLevel.MEMBERS, GroupVisibility.UNLISTED): (NOTHING, NOTHING, NOTHING),
    (PromotionLevel.MEMBERS, GroupVisibility.PRIVATE): (NOTHING, NOTHING, NOTHING),
    (PromotionLevel.PRIVATE, GroupVisibility.PUBLIC): (NOTHING, NOTHING, NOTHING),
    (PromotionLevel.PRIVATE, GroupVisibility.UNLISTED): (NOTHING, NOTHING, NOTHING),
    (PromotionLevel.PRIVATE, GroupVisibility.PRIVATE): (NOTHING, NOTHING, NOTHING),
}
CELLS = [
    (level, kind, chosen, owes_record, is_recalled, row[number] if owes_record and not is_recalled else NOTHING)
    for (level, kind), row in TABLE.items()
    for number, chosen in enumerate((Visibility.PUBLIC, Visibility.UNLISTED, Visibility.PRIVATE))
    for owes_record, is_recalled in itertools.product((True, False), (False, True))
]


def test_the_table_has_every_cell():
    assert set(TABLE) == {(None, None), *itertools.product(PromotionLevel, GroupVisibility)}
    assert len(CELLS) == (1 + len(PromotionLevel) * len(GroupVisibility)) * len(Visibility) * 4
    assert set(promotion.BY_LEVEL) == set(PromotionLevel)
    assert set(promotion.BY_VISIBILITY) == set(Visibility)


@pytest.mark.parametrize(("level", "kind", "chosen", "owes_record", "is_recalled", "expected"), CELLS)
def test_the_narrowest_of_all_wins(level, kind, chosen, owes_record, is_recalled, expected):
    group = None if level is None else GroupOfEvent(GroupId("g"), kind, level)
    assert reach(chosen, group, owes_record=owes_record, is_recalled=is_recalled) is expected


SECRETS = ("zugzwang", "Hauptstraße", "join.example", "endgame", "3 €")


@pytest.fixture
async def db(make_sqlite):
    return await make_sqlite("openmeet")


async def event_in(db, level: str, **typed: str):
    """An event of a public group with this level, with a secret in each field that is no name, time or link."""
    said = {
        "title": "Chess evening",
        "description": SECRETS[0],
        "street": SECRETS[1],
        "country": "Germany",
        "mode": "hybrid",
        "online_url": f"https://{SECRETS[2]}/x",
        "online_url_audience": "everyone",
        "tags": SECRETS[3],
        "price": SECRETS[4],
    }
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, promotion_level=level)
        event = await actions.create(tx, ana, details(**(said | typed)), group=of_event(group))
        return await by_id(tx, event.id)


def record_of(event, previous=None):
    ours = publishable(event, instance="https://meet.example", page_url="https://meet.example/events/x")
    return write_event(ours, previous)


async def test_a_minimal_record_has_name_time_note_and_link_and_nothing_else(db):
    """With the positive control: the same event of a group that promotes in full says all of it."""
    full = record_of(await event_in(db, "public"))
    assert [secret in str(full) for secret in SECRETS] == [True] * len(SECRETS)
    event = await event_in(db, "members")
    minimal = record_of(event)
    assert [secret in str(minimal) for secret in SECRETS] == [False] * len(SECRETS)
    assert set(minimal) == {
        "$type",
        "name",
        "createdAt",
        "startsAt",
        "endsAt",
        "timezone",
        "mode",
        "status",
        "description",
        "uris",
        "openmeet.lexicon.origin",
    }
    assert minimal["description"] == "More about it on its page: https://meet.example/events/x"
    assert (reach_of(event), may_answers_be_public(event)) == (MINIMAL, False)


async def test_cutting_down_takes_out_what_was_ours_and_leaves_what_is_others(db):
    """From full to minimal and back: a foreign field and a foreign place survive, nothing of ours stays in between."""
    full = record_of(await event_in(db, "public"))
    foreign = {"$type": "community.lexicon.location.address", "country": "FR", "name": "Another app's"}
    full |= {"com.example.mark": 1, "locations": [*full["locations"], foreign]}
    minimal = record_of(await event_in(db, "members"), full)
    assert [secret in str(minimal) for secret in SECRETS] == [False] * len(SECRETS)
    assert minimal["com.example.mark"] == 1
    assert foreign in minimal["locations"]
    again = record_of(await event_in(db, "public"), minimal)
    assert [secret in str(again) for secret in SECRETS] == [True] * len(SECRETS)
    assert again["com.example.mark"] == 1
