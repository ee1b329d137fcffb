"""How much of an event is published: every combination of group level, visibility and the host's choice."""

import itertools
from dataclasses import replace

import pytest

from openmeet.domain.attendance.rules import are_rsvps_publishable
from openmeet.domain.events import actions, publication
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.events.model import Detail, GroupOfEvent, RecordSettings
from openmeet.domain.events.publication import PublishLevel, RecordAudience, reach, reach_of
from openmeet.domain.events.queries import by_id, record_settings_columns
from openmeet.domain.events.values import Visibility
from openmeet.domain.events.visibility import is_public
from openmeet.domain.groups.model import GroupId, GroupVisibility, PromotionLevel
from openmeet.network.records.event_writer import publishable, write_event
from tests.openmeet.events.sample_event import sample_event
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import details, person

NOTHING, MINIMAL, FULL = PublishLevel.NOTHING, PublishLevel.MINIMAL, PublishLevel.FULL

# A copy of the table written by hand: the group's publish level and visibility (None: no group), and the result for
# public, unlisted and private events. In a private group every event is for members only.
TABLE = {
    (None, None): (FULL, NOTHING, "host"),
    (PromotionLevel.PUBLIC, GroupVisibility.PUBLIC): (FULL, NOTHING, "owner"),
    (PromotionLevel.PUBLIC, GroupVisibility.UNLISTED): (NOTHING, NOTHING, "owner"),
    (PromotionLevel.PUBLIC, GroupVisibility.PRIVATE): ("owner", "owner", "owner"),
    (PromotionLevel.MEMBERS, GroupVisibility.PUBLIC): (MINIMAL, NOTHING, "owner"),
    (PromotionLevel.MEMBERS, GroupVisibility.UNLISTED): (NOTHING, NOTHING, "owner"),
    (PromotionLevel.MEMBERS, GroupVisibility.PRIVATE): ("owner", "owner", "owner"),
    (PromotionLevel.PRIVATE, GroupVisibility.PUBLIC): (NOTHING, NOTHING, NOTHING),
    (PromotionLevel.PRIVATE, GroupVisibility.UNLISTED): (NOTHING, NOTHING, NOTHING),
    (PromotionLevel.PRIVATE, GroupVisibility.PRIVATE): (NOTHING, NOTHING, NOTHING),
}
# "host" and "owner" mean the minimal record, if that person has switched it on.
SETTINGS = [
    RecordSettings(is_wanted=wanted, detail=detail, is_announced=announced, publishes_rsvps=answers)
    for wanted, detail, announced, answers in itertools.product((True, False), Detail, (False, True), (True, False))
]


def expected(level, kind, chosen, tells, settings, *, is_published_by_policy=True, is_withdrawn=False):
    cell = TABLE[level, kind][(Visibility.PUBLIC, Visibility.UNLISTED, Visibility.PRIVATE).index(chosen)]
    if cell in {"host", "owner"}:
        cell = MINIMAL if (settings.is_announced if cell == "host" else tells) else NOTHING
    if is_withdrawn or not is_published_by_policy or not settings.is_wanted:
        return NOTHING
    return min(cell, MINIMAL if settings.detail is Detail.MINIMAL else FULL)


CELLS = [
    (level, kind, chosen, tells)
    for (level, kind), chosen in itertools.product(TABLE, Visibility)
    for tells in ((False,) if level is None else (False, True))
]


def group_of(level, kind, tells):
    return None if level is None else GroupOfEvent(GroupId("g"), kind, level, announces_events=tells)


def test_the_table_is_complete():
    assert set(TABLE) == {(None, None), *itertools.product(PromotionLevel, GroupVisibility)}
    assert set(publication.BY_LEVEL) == set(PromotionLevel)
    assert set(publication.BY_DETAIL) == set(Detail)
    assert set(publication.BY_CIRCLE) == set(itertools.product(RecordAudience, (False, True)))


@pytest.mark.parametrize(("level", "kind", "chosen", "tells"), CELLS)
def test_the_narrowest_of_all_wins(level, kind, chosen, tells):
    for settings, by_policy, recalled in itertools.product(SETTINGS, (True, False), (True, False)):
        found = reach(
            chosen, group_of(level, kind, tells), settings, is_published_by_policy=by_policy, is_withdrawn=recalled
        )
        assert found is expected(
            level, kind, chosen, tells, settings, is_published_by_policy=by_policy, is_withdrawn=recalled
        ), settings


@pytest.mark.parametrize(("level", "kind", "chosen", "tells"), CELLS)
def test_answers_are_published_only_for_fully_published_events(level, kind, chosen, tells):
    """Answers are published only for fully published events, and never for restricted events, whatever settings the
    owners chose.
    """
    for settings in SETTINGS:
        event = replace(sample_event(visibility=chosen), group=group_of(level, kind, tells), record_settings=settings)
        everything = expected(level, kind, chosen, tells, settings) is FULL and chosen is Visibility.PUBLIC
        assert are_rsvps_publishable(event) is (everything and settings.publishes_rsvps), settings


async def test_the_sql_condition_agrees_with_the_table(make_database):
    """Every cell of the table is inserted as a row on both engines. The SQL condition selects the events that the rule
    would publish.
    """
    db = await make_database("openmeet")
    groups = [None]
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        for level, kind, tells in itertools.product(PromotionLevel, GroupVisibility, (False, True)):
            said = {"promotion_level": level.value, "visibility": kind.value, "announces_events": "on" if tells else ""}
            groups.append(as_group_of_event(await group_by(tx, ana, **said)))
    for group, chosen in itertools.product(groups, Visibility):
        async with db.transaction() as tx:
            made = await actions.create(tx, ana, details(visibility=chosen.value), group=group)
            for settings in SETTINGS:
                sets = ", ".join(f"{name} = :{name}" for name in record_settings_columns(settings))
                await tx.execute(
                    f"update events set {sets} where id = :id", id=made.id, **record_settings_columns(settings)
                )
                row = await tx.fetch_one(
                    f"""
                    select case when {publication.may_be_published("events")} then 1 else 0 end as goes,
                           case when {is_public("events")}
                               and not {publication.is_cut_down("events")} then 1 else 0 end as whole
                      from events where id = :id
                    """,
                    id=made.id,
                )
                event = await by_id(tx, made.id)
                assert event.record_settings == settings
                assert bool(row["goes"]) is (reach_of(event) is not NOTHING), event
                assert bool(row["whole"]) is are_rsvps_publishable(event), event


SECRETS = ("zugzwang", "Hauptstraße", "join.example", "endgame", "3 €")


@pytest.fixture
async def db(make_sqlite):
    return await make_sqlite("openmeet")


async def event_in(db, level: str, **typed: str):
    """An event of a public group with this level. Every field has a secret, except the name, the time and the link."""
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
        event = await actions.create(tx, ana, details(**(said | typed)), group=as_group_of_event(group))
        return await by_id(tx, event.id)


def record_of(event, previous=None):
    ours = publishable(event, instance="https://meet.example")
    return write_event(ours, previous)


async def test_a_minimal_record_has_four_fields(db):
    """The same event in a group that publishes in full has all of the fields, which shows that the test can find them."""
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
    assert minimal["description"] == f"More about it on its page: https://meet.example/events/{event.slug}"
    assert (reach_of(event), are_rsvps_publishable(event)) == (MINIMAL, False)


async def test_reducing_a_record_keeps_unknown_fields(db):
    """From full to minimal and back, unknown fields and unknown places stay. In the minimal record no other field of
    this site is left.
    """
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
