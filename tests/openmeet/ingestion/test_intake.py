"""Which new remote events are shown at once, held for a time, or held for a moderator; on both engines."""

from itertools import product

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import DAY, HOUR, MINUTE
from openmeet.domain.events import event_records
from openmeet.domain.groups import followed_dids
from openmeet.domain.moderation import actions, policy, visibility
from openmeet.domain.moderation.model import (
    ModeratedKind,
    ModerationPolicy,
    Subject,
    SubjectVisibility,
    host_of,
    is_burst,
)
from openmeet.domain.search import search
from openmeet.domain.search.search import SearchQuery
from openmeet.network.ingestion import intake
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.context import IngestionContext
from tests.openmeet.groups.people import group_by
from tests.openmeet.ingestion.network import HERE, event_value, message, rev
from tests.openmeet.site_under_test import person, site_on
from tests.simulation.oracle import EVENT, Change

TOWN = "https://town.example"
SOON = {"startsAt": "2026-04-01T18:00:00Z"}
LETTERS = "abcdefghijklmnop"


def did_of(number: int):
    digits = "".join(LETTERS[number // 16**place % 16] for place in range(4))
    return parse_did("did:plc:" + digits * 6)


def event_of(author: int, rkey: str, at: int = 1, name: str = "Cheap watches"):
    return message(Change(did_of(author), EVENT, rkey, rev(at), event_value(name, **SOON)))


async def receive(db, messages, here: IngestionContext = HERE):
    for start in range(0, len(messages), 100):
        some = messages[start : start + 100]
        await db.batch(lambda tx, some=some: apply(tx, here, some))


async def live_at(db, hosts: dict[int, str], trusted_origins: frozenset[str] = frozenset()):
    """Store each person's PDS, as if their DID document had been read."""
    numbers = sorted(hosts)
    for start in range(0, len(numbers), 200):
        async with db.transaction() as tx:
            for number in numbers[start : start + 200]:
                await intake.note_host(tx, did_of(number), hosts[number], trusted_origins)


async def found(db, *words: str) -> list[str]:
    async with db.reader() as reader:
        return [one.title for one in await search.coming(reader, SearchQuery(words), None, 50)]


HONEST = 4000
SPAM = {
    "a thousand authors on one host": (1000, 1, lambda _: "https://spam.example"),
    "a thousand authors on servers of one operator": (1000, 1, lambda number: f"https://s{number}.spam.example"),
    "two hundred and fifty hosts that nobody knew": (250, 4, lambda number: f"https://pds.spam{number}.example"),
    "ten authors with a hundred each": (10, 100, lambda number: f"https://pds.other{number}.example"),
}


@pytest.mark.parametrize(
    ("engine", "kind"), [*(("sqlite", kind) for kind in SPAM), ("postgresql", next(iter(SPAM)))], indirect=["engine"]
)
async def test_a_burst_by_new_authors_is_held_and_an_honest_event_shown(db, clock, kind):
    """With default settings a burst is held, and an honest author on another host, first seen in the same minute, is
    shown.

    If the burst comes from unknown hosts, the honest author's host is one that was seen before.
    """
    authors, each, host = SPAM[kind]
    if "hosts" in kind:
        await receive(db, [event_of(HONEST + 1, "before", name="Earlier")])
        await live_at(db, {HONEST + 1: "https://river.example"})
        clock.turn(3 * HOUR)
        await intake.decide_due(db)
        async with db.transaction() as tx:
            await tx.execute("update events set removed_at = :now where title = 'Earlier'", now=tx.now)
    spam = [event_of(author, f"e{number}") for author, number in product(range(authors), range(each))]
    assert len(spam) == 1000
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
    await receive(db, spam[:500])
    await receive(db, [event_of(HONEST, "h", name="Knitting by the river")])
    await receive(db, spam[500:])
    await live_at(db, {number: host(number) for number in range(authors)} | {HONEST: "https://river.example"})
    assert await found(db) == []
    for _ in range(4):
        clock.turn(11 * MINUTE)
        await intake.decide_due(db)
    assert await found(db, "knitting") == await found(db) == ["Knitting by the river"]
    clock.turn(DAY)
    assert (await intake.decide_due(db)).total() == 0
    assert await found(db, "watches") == []
    site = site_on(db, clock)
    async with db.reader() as reader:
        shown = [await event_records.by_record_uri(reader, spam[at].uri) for at in (0, 500, 999)]
        told = [
            await reader.fetch(f"select 1 as one from {what}")
            for what in ("notifications", "outbox_jobs where kind = 'mail'")
        ]
    assert told == [[], []]
    async with site.browser() as browser:
        pages = ("/", "/?q=watches", "/api/events", "/api/events?q=watches", f"/groups/{group.slug}/events")
        for path in (*pages, f"/groups/{group.slug}/atom", f"/groups/{group.slug}/calendar.ics"):
            assert "Cheap" not in (await browser.get(path)).text, path
        assert [(await browser.get(f"/events/{one.slug}")).status_code for one in shown] == [404, 404, 404]
        assert "Knitting by" in (await browser.get("/?q=knitting")).text


async def test_a_newcomer_waits_a_while_and_is_then_shown_at_once(db, clock):
    await receive(db, [event_of(1, "a", name="First")])
    await live_at(db, {1: TOWN})
    await intake.decide_due(db)
    assert await found(db) == []
    clock.turn(10 * MINUTE)
    assert await intake.decide_due(db) == {"shown": 1, "burst": 0}
    assert await found(db) == ["First"]
    await receive(db, [event_of(1, "b", 2, name="Second")])
    assert await found(db) == ["First", "Second"]


async def test_known_authors_do_not_wait(db, clock):
    """An author is known if a group follows them, a moderator trusts them, or the operator named their PDS."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        await followed_dids.follow(tx, ana, group.slug, did_of(1))
        trusted = Subject(ModeratedKind.DID, did_of(2))
        await actions.decide(tx, ana.user_id, trusted, SubjectVisibility.TRUSTED, "")
    await receive(db, [event_of(number, "a", name=f"Of {number}") for number in (1, 2, 3, 4)])
    await live_at(db, {3: TOWN, 4: "https://elsewhere.example"}, frozenset({TOWN}))
    assert await found(db) == ["Of 1", "Of 2", "Of 3"]


async def test_authors_who_become_known_are_shown_at_once(db, clock):
    await receive(db, [event_of(1, f"e{number}") for number in range(60)])
    await live_at(db, {1: TOWN})
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        await followed_dids.follow(tx, ana, group.slug, did_of(1))
    clock.turn(10 * MINUTE)
    assert (await intake.decide_due(db))["shown"] == 1


async def test_known_accounts_have_an_hourly_limit(db, clock):
    async with db.transaction() as tx:
        await policy.change(tx, ModerationPolicy(most_events_of_author=3), by=None)
    await receive(db, [event_of(1, "first")])
    await live_at(db, {1: TOWN})
    clock.turn(HOUR)
    await intake.decide_due(db)
    await receive(db, [event_of(1, "a", 2), event_of(1, "b", 3)])
    assert len(await found(db)) == 3
    await receive(db, [event_of(1, "c", 4), event_of(1, "d", 5)])
    assert len(await found(db)) == 3
    clock.turn(HOUR)
    await receive(db, [event_of(1, "e", 6)])
    assert len(await found(db)) == 4


async def test_repeated_messages_and_newer_versions_do_not_count(db, clock):
    async with db.transaction() as tx:
        await policy.change(tx, ModerationPolicy(most_events_of_author=2), by=None)
    first = event_of(1, "a")
    for _ in range(5):
        await receive(db, [first])
    await receive(db, [event_of(1, "a", number, f"Version {number}") for number in range(2, 9)])
    await live_at(db, {1: TOWN})
    clock.turn(10 * MINUTE)
    assert (await intake.decide_due(db))["shown"] == 1


async def test_the_wait_for_an_unresponsive_host_ends(db, clock):
    await receive(db, [event_of(1, "a")])
    clock.turn(30 * MINUTE)
    assert (await intake.decide_due(db)).total() == 0
    clock.turn(HOUR)
    assert (await intake.decide_due(db))["shown"] == 1


async def test_moderators_decisions_are_kept(db, clock):
    async with db.transaction() as tx:
        mo = await person(tx, "Mo")
        await actions.decide(tx, mo.user_id, Subject(ModeratedKind.DID, did_of(1)), SubjectVisibility.HIDDEN, "spam")
    await receive(db, [event_of(1, "a")])
    await live_at(db, {1: TOWN})
    clock.turn(HOUR)
    await intake.decide_due(db)
    assert await found(db) == []
    async with db.reader() as reader:
        assert (await visibility.status_of(reader, did_of(1))).state is SubjectVisibility.HIDDEN


async def test_the_number_of_queries_does_not_depend_on_the_authors(db, monkeypatch):
    """The number of queries does not depend on the number of messages, and no query scans a table."""
    await receive(db, [event_of(number, "a") for number in range(40)])
    uris = {did_of(number): [f"at://{did_of(number)}/{EVENT}/b"] for number in range(40)}
    counted = []
    for few in (1, 40):
        async with db.transaction() as tx:
            asked = []
            for verb in ("fetch", "fetch_one", "execute", "execute_many"):
                real = getattr(type(tx), verb)

                async def counting(self, sql, /, *more: object, _real=real, _asked=asked, _tx=tx, **parameters: object):
                    if self is _tx:  # other databases of this process are busy at the same time
                        _asked.append(sql)
                    return await _real(self, sql, *more, **parameters)

                monkeypatch.setattr(type(tx), verb, counting)
            await intake.receive(tx, dict(list(uris.items())[:few]), frozenset())
            monkeypatch.undo()
            counted.append(len({*asked}))
    assert counted[0] == counted[1] <= 8


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://morel.us-east.host.bsky.network", "bsky.network"),
        ("https://pds.example", "pds.example"),
        ("http://127.0.0.1:3000", "127.0.0.1:3000"),
        ("http://localhost:3000", "localhost:3000"),
        ("http://[::1]:3000", "[::1]:3000"),
        ("", ""),
    ],
)
def test_servers_of_one_operator_count_as_one(address, host):
    assert host_of(address) == host


@pytest.mark.parametrize(
    ("facts", "is_one"),
    [
        ({"counted": 30, "authors": 30, "events": 120, "new_hosts": 30}, False),
        ({"counted": 31, "authors": 1, "events": 31, "new_hosts": 1}, True),
        ({"counted": 1, "authors": 31, "events": 31, "new_hosts": 1}, True),
        ({"counted": 20, "authors": 10, "events": 121, "new_hosts": 1}, True),
        ({"counted": 1, "authors": 1, "events": 1, "new_hosts": 31}, True),
    ],
)
def test_what_is_a_burst(facts, is_one):
    assert is_burst(ModerationPolicy(), **facts) is is_one


OURS = "https://pds.meet.example"


async def live_here(db, here: IngestionContext, *numbers: int):
    """Store the operator's PDS for these people, as if their DID documents had been read."""
    async with db.transaction() as tx:
        for number in numbers:
            await tx.execute("update identities set pds_url = :url where did = :did", url=OURS, did=did_of(number))
    await live_at(db, dict.fromkeys(numbers, OURS), here.trusted_origins)


@pytest.mark.parametrize("is_known_first", [True, False])
async def test_a_burst_by_a_new_local_account_is_held(db, clock, is_known_first):
    """Anybody can sign up on the operator's own PDS. A new account's events are shown at once as long as they come at a
    human rate. Those of an old account are always shown.
    """
    here = IngestionContext(HERE.instance, trusted_origins=frozenset({OURS}))
    if is_known_first:
        await receive(db, [event_of(1, "first", name="Honest tea"), event_of(2, "first", name="Old tea")], here)
        await live_here(db, here, 1, 2)
        clock.turn(8 * DAY)
        assert await found(db, "honest") == ["Honest tea"]
    await receive(db, [event_of(3, f"w{number}", at=number + 1) for number in range(1000)], here)
    await live_here(db, here, 3)
    await receive(db, [event_of(3, f"x{number}", at=2000 + number) for number in range(100)], here)
    clock.turn(2 * HOUR)
    await intake.decide_due(db)
    assert await found(db, "watches") == []
    if is_known_first:
        await receive(db, [event_of(2, f"o{number}", at=number + 2, name="Old coffee") for number in range(40)], here)
        assert len(await found(db, "coffee")) == 40


async def test_a_new_local_account_within_the_limit_does_not_wait(db, clock):
    here = IngestionContext(HERE.instance, trusted_origins=frozenset({OURS}))
    await receive(db, [event_of(1, "first")], here)
    await live_here(db, here, 1)
    assert len(await found(db, "watches")) == 1
    await receive(
        db,
        [event_of(1, f"w{number}", at=number + 2) for number in range(ModerationPolicy().most_events_of_author - 1)],
        here,
    )
    assert len(await found(db, "watches")) == ModerationPolicy().most_events_of_author
    await receive(db, [event_of(1, "much", at=99)], here)
    assert len(await found(db, "watches")) == ModerationPolicy().most_events_of_author
    clock.turn(2 * HOUR)
    await receive(db, [event_of(1, "later", at=100)], here)
    assert len(await found(db, "watches")) == ModerationPolicy().most_events_of_author + 1
