"""Finding events on both engines: words in every script, hostile input, filters, distance, order, and events that
nobody may find.
"""

import itertools
from dataclasses import replace

import pytest

from groundwork.database.words import query_terms
from groundwork.geo_points import SearchArea
from openmeet.domain.events import actions as events
from openmeet.domain.events import event_records, queries, record_changes
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.events.values import Mode
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import GroupDetails, GroupVisibility
from openmeet.domain.moderation import blocks, visibility
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.search import my_event_lists, search
from openmeet.domain.search.query import next_steps, parse_query
from openmeet.domain.search.search import EventOrigin, SearchQuery
from tests.openmeet.events.network_event import PARTY_FROM_NETWORK, PARTY_URI
from tests.openmeet.places.located_events import BERLIN, POTSDAM, place_event_at
from tests.openmeet.site_under_test import details, event_by, person


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet", transaction_seconds=120.0)


async def titles(reader, *words: str, **wanted: object):
    return [event.title for event in await search.coming(reader, SearchQuery(words, **wanted), None, 50)]


@pytest.mark.parametrize(
    ("title", "found_by", "not_by"),
    [
        ("Boardgames", ("board", "BOARDGAMES"), ("games",)),
        ("東京タワーで会う", ("東京", "タワー", "会う", "う"), ("京東", "大阪")),
        ("לילה לבן", ("לילה", "לב"), ("ערב",)),
        ("حفلة موسيقية", ("موسيقية",), ("رقص",)),
        ("Party 🎉 now", ("🎉",), ("🎈",)),
        ("สวัสดีชาวโลก", ("ชาว",), ("เชียง",)),
        ("C++ & friends", ("c++",), ("!", "***")),
        ("🇩🇪 한국어 모임", ("한국어", "모임", "🇩🇪"), ("일본어",)),
    ],
)
async def test_words_in_every_script_are_found(db, title, found_by, not_by):
    async with db.transaction() as tx:
        await event_by(tx, await person(tx, "Ana"), title=title)
        assert {word: await titles(tx, word) for word in found_by} == {word: [title] for word in found_by}
        assert {word: await titles(tx, word) for word in not_by} == {word: [] for word in not_by}


@pytest.mark.parametrize(
    "query",
    [
        '"', "'", "''", '"tea', 'tea"', "tea' or '1'='1", "tea OR x", "tea NOT x", "NEAR(tea x)", "tea*", "^tea", "words:tea",
        "t=tea", "tea & !x", "tea | x", "tea <-> x", "tea:*", "\\", "%", "_", "(", "tea)", "{words}: tea", "-tea", "+",
        "; drop table events; --", "\u202etea", "\u0300" * 50, "x" * 200, "東" * 200, "🎉" * 200, "\ufffd", "te\u00ada",
    ],
)  # fmt: skip
async def test_punctuation_has_no_special_meaning(db, query):
    """All letters and digits of a query are searched for, and nothing else in it has an effect."""
    async with db.transaction() as tx:
        await event_by(tx, await person(tx, "Ana"), title="Tea")
        expected = ["Tea"] if query in PLAIN_TEA else []
        assert await titles(tx, *parse_query({"q": query}).words) == expected


PLAIN_TEA = {"t=tea", '"tea', 'tea"', "tea*", "^tea", "tea:*", "tea)", "-tea", "\u202etea", "te\u00ada"}


async def test_title_matches_come_first_and_cursors_stay_valid(db):
    wanted = SearchQuery(("jazz",))
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        for day in (1, 3, 5):
            await event_by(
                tx, ana, title=f"Concert {day}", description="Jazz!", starts=f"2026-07-0{day}T18:00", ends=""
            )
            await event_by(tx, ana, title=f"Jazz {day}", starts=f"2026-07-1{day}T18:00", ends="")
        seen, after = [], None
        while page := await search.coming(tx, wanted, after, 2):
            seen += [event.title for event in page]
            after = my_event_lists.unpack(my_event_lists.pack(search.position_in(wanted, page[-1])))
            await event_by(tx, ana, title=f"Jazz before {len(seen)}", starts="2026-07-01T08:00", ends="")
    assert seen == ["Jazz 1", "Jazz 3", "Jazz 5", "Concert 1", "Concert 3", "Concert 5"]


async def test_pages_are_full_although_events_between_them_are_hidden(db):
    """Moderation hides some of the matches, and the searcher has blocked the author of another."""
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        made = [
            await event_by(tx, ana, title=f"Jazz {day}", starts=f"2026-07-0{day + 1}T18:00", ends="")
            for day in range(7)
        ]
        await event_by(tx, ben, title="Jazz by Ben", starts="2026-07-03T12:00", ends="")
        await blocks.block(tx, cleo.user_id, ben.user_id)
        for hidden in ({0}, {1, 2}, {0, 1, 2, 3, 4}, {6}, set(range(7))):
            await visibility.hold(
                tx, [Subject(ModeratedKind.EVENT, made[number].id) for number in hidden], SubjectVisibility.BURST
            )
            shown = [f"Jazz {number}" for number in range(7) if number not in hidden]
            for words, limit in itertools.product(((), ("jazz",)), (1, 2, 3, 7)):
                pages, after = [], None
                wanted = SearchQuery(words, viewer=cleo.user_id)
                while page := await search.coming(tx, wanted, after, limit):
                    pages.append([event.title for event in page])
                    after = search.position_in(wanted, page[-1])
                assert pages == [shown[start : start + limit] for start in range(0, len(shown), limit)], (
                    hidden,
                    words,
                    limit,
                )
            await visibility.release(tx, [event.id for event in made], SubjectVisibility.BURST)


async def test_the_index_is_updated_by_every_change(db):
    """Events are renamed, cancelled and deleted on this site, and created, changed and deleted by the network."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        tea = await event_by(tx, ana, title="Tea")
        found = await queries.by_id(tx, tea.id)
        await queries.update(tx, replace(found, content=replace(found.content, title="Coffee")), search_text="coffee")
        assert (await titles(tx, "tea"), await titles(tx, "coffee")) == ([], ["Coffee"])
        await events.delete(tx, ana, tea.slug)
        assert await titles(tx, "coffee") == []
        await record_changes.apply_from_network(
            tx, uri=PARTY_URI, cid="c", author_id=ana.user_id, event=PARTY_FROM_NETWORK
        )
        assert await titles(tx, "cake", "barn") == ["Party"]
        later = replace(PARTY_FROM_NETWORK, name="Picnic", description="")
        await record_changes.apply_from_network(tx, uri=PARTY_URI, cid="d", author_id=ana.user_id, event=later)
        assert (await titles(tx, "cake"), await titles(tx, "picnic")) == ([], ["Picnic"])
        await event_records.erase_from(tx, PARTY_URI.split("/")[2])
        assert await titles(tx, "picnic") == []
        assert [row[0] for row in await tx.fetch("select search_words from events where search_words <> ''")] == []


async def test_search_shows_private_events_only_to_permitted_people(db):
    """To show that the search works, the same words find public events."""
    secret = {"title": "Zanzibar", "description": "zanzibar", "tags": "zanzibar"}
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        group = await groups.create(
            tx, ana, GroupDetails(name="Choir", time_zone="UTC", visibility=GroupVisibility.PRIVATE)
        )
        for visibility in ("unlisted", "private"):
            await event_by(tx, ana, visibility=visibility, **secret)
        await events.create(tx, ana, details(**secret), group=as_group_of_event(group))
        everyone = [{}, {"of_groups_of": ben.user_id}, {"topics": ("tag:zanzibar",)}, {"source": EventOrigin.OPENMEET}]
        assert [await titles(tx, "zanzibar", **wanted) for wanted in everyone] == [[]] * len(everyone)
        assert await titles(tx, topics=("tag:zanzibar",)) == []
        assert await titles(tx, "zanzibar", of_groups_of=ana.user_id) == ["Zanzibar"]
        await event_by(tx, ben, **secret)
        assert await titles(tx, "zanzibar") == ["Zanzibar"]
        assert await titles(tx, "zanzibar", of_groups_of=ben.user_id) == []


async def test_filters_combine(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana, title="Choir", categories="music", tags="a_b", languages="de", access="step_free")
        await event_by(tx, ana, title="Chess", mode="online", online_url="https://x.example", tags="aXb")
        await record_changes.apply_from_network(
            tx, uri=PARTY_URI, cid="c", author_id=ana.user_id, event=PARTY_FROM_NETWORK
        )
        for typed, expected in (
            ({"category": "music"}, ["Choir"]),
            ({"tag": "#A_b"}, ["Choir"]),
            ({"language": "Deutsch"}, ["Choir"]),
            ({"access": "step_free"}, ["Choir"]),
            ({"category": "music", "language": "fr"}, []),
            ({"mode": "online"}, ["Chess"]),
            ({"source": "bluesky"}, ["Party"]),
            ({"source": "atproto", "q": "party"}, ["Party"]),
            ({"source": "openmeet", "mode": "in_person"}, ["Choir"]),
        ):
            found = await search.coming(tx, parse_query(typed), None, 10)
            assert [event.title for event in found] == expected, typed


async def test_distance_is_measured_on_the_globe_and_never_to_a_hidden_address(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        for title, place in (("Berlin", BERLIN), ("Potsdam", POTSDAM), ("East", ("-17", "179.99")), ("None", ("", ""))):
            await place_event_at(tx, await event_by(tx, ana, title=title), place)
        await place_event_at(tx, await event_by(tx, ana, title="Hidden", place_audience="attendees"), BERLIN)
        await place_event_at(
            tx, await event_by(tx, ana, title="Online", mode="online", online_url="https://x.example"), BERLIN
        )
        near = SearchArea(52.52, 13.405, 20)
        assert await titles(tx, near=near) == ["Berlin"]
        # 27.5 km along the great circle.
        assert await titles(tx, near=replace(near, within_km=27)) == ["Berlin"]
        assert sorted(await titles(tx, near=replace(near, within_km=28))) == ["Berlin", "Potsdam"]
        assert await titles(tx, near=SearchArea(-17, -179.99, 5)) == ["East"]
        assert await titles(tx, near=SearchArea(-17, -179.99, 5), mode=Mode.ONLINE) == []


@pytest.mark.parametrize(
    ("typed", "heading", "path"),
    [
        ({"q": "***"}, "Nothing to search for", "/"),
        ({"q": "tea"}, "Nothing matches", "/"),
        ({"q": "tea", "from": "2026-07-01"}, "Nothing on these days", "/?q=tea"),
        ({"q": "tea", "category": "music"}, "Nothing matches all your filters", "/?q=tea"),
        ({"near": "1,2", "within": "10"}, "Nothing nearby", "/?near=1%2C2&within=40"),
        ({"near": "1,2", "within": "500", "q": "tea"}, "Nothing nearby", "/?q=tea"),
        ({"near": "1,2", "within": "500", "category": "music"}, "Nothing matches all your filters", "/"),
    ],
)
def test_an_empty_result_says_why_and_offers_one_step(typed, heading, path):
    said = next_steps(typed)[0]
    assert (said.heading, said.path) == (heading, path)


async def test_single_letters_do_not_match_marks_of_the_index(db):
    """The index has every title word again with "t=" in front and every topic with "k=". Queries for these letters must
    not match them.
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana, title="Jazz", categories="music", venue_name="", locality="")
        await event_by(
            tx, ana, title="Tea", categories="music", venue_name="", locality="", starts="2026-08-01T10:00", ends=""
        )
        await event_by(
            tx, ana, title="Kites", description="T", venue_name="", locality="", starts="2026-08-02T10:00", ends=""
        )
        found = {letter: await titles(tx, letter) for letter in "tkmogshrj"}
    assert found == {letter: [] for letter in "mogshr"} | {"t": ["Tea", "Kites"], "k": ["Kites"], "j": ["Jazz"]}


def test_of_many_short_prefixes_the_first_four_count():
    assert query_terms("a b cc jazz d e tea") == ("a", "b", "cc", "jazz", "d", "tea")
