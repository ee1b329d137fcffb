"""The same calendar is kept once for each person, also after accounts are merged; on both engines."""

import hashlib

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from groundwork.signing_key import SigningKey
from openmeet.domain.account_merge.merge import merge
from openmeet.domain.calendars import queries, subscriptions
from openmeet.domain.calendars.fetch import SEAL_PURPOSE, CalendarFetcher
from openmeet.domain.calendars.model import SubscribedCalendar
from openmeet.domain.calendars.subscriptions import replace_old_digests
from openmeet.domain.users.model import UserId
from tests.databases import MakeDatabase
from tests.openmeet.calendars.calendar_server import CHOIR_CALENDAR, CalendarServer, elsewhere, fetcher
from tests.openmeet.site_under_test import CODE_KEY, person
from tests.worker_pool import WORKERS

__all__ = ["elsewhere", "fetcher"]

FILE = CHOIR_CALENDAR.format(extra="of the file").encode()
DATES_OF_CHOIR = 5


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def people(db: Database) -> tuple[UserId, UserId]:
    async with db.transaction() as tx:
        return (await person(tx, "Ana")).user_id, (await person(tx, "Anna")).user_id


async def add(
    db: Database, who: UserId, fetcher: CalendarFetcher, url: str = "", *, key: SigningKey = CODE_KEY
) -> tuple[SubscribedCalendar, bool]:
    """Subscribe to an address, or to the file."""
    async with db.reader() as reader:
        now = reader.now
    if url:
        offered = await subscriptions.preview_address(fetcher, WORKERS, url, now, "Europe/Berlin")
    else:
        offered = await subscriptions.preview_file(WORKERS, FILE, now, "Europe/Berlin")
    async with db.transaction() as tx:
        return await subscriptions.subscribe(tx, key, who, offered, "", fetcher)


async def calendars_of(db: Database, who: UserId) -> list[SubscribedCalendar]:
    async with db.reader() as reader:
        return list(await queries.of_person(reader, who))


async def stored_dates(db: Database) -> list[tuple[str, str, int]]:
    """Calendar, person and number of the dates that are stored."""
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select calendar_id, user_id, count(*) as n from subscribed_dates group by calendar_id, user_id order by 1"
        )
    return [(row["calendar_id"], row["user_id"], int(row["n"])) for row in rows]


async def make_old(db: Database, fetcher: CalendarFetcher) -> None:
    """Give all calendars the digest that they had before there was a key."""
    async with db.transaction() as tx:
        for row in await tx.fetch("select id, user_id, url_sealed, content from subscribed_calendars order by id"):
            sealed = row["url_sealed"]
            content = b"file\x00" + row["content"] if sealed is None else fetcher.sealer.unseal(sealed, SEAL_PURPOSE)
            digest = hashlib.sha256(row["user_id"].encode() + b"\x00" + content).digest()
            await tx.execute("update subscribed_calendars set digest = :d where id = :id", d=digest, id=row["id"])


async def test_merged_accounts_keep_one_of_each_calendar(
    db: Database, elsewhere: CalendarServer, fetcher: CalendarFetcher
) -> None:
    """With its dates. Adding the address or the file again makes no other."""
    ana, anna = await people(db)
    for url in (elsewhere.url, ""):
        for who in (anna, ana):
            assert (await add(db, who, fetcher, url))[1]
    kept = await calendars_of(db, ana)
    async with db.transaction() as tx:
        await merge(tx, anna, ana)
    assert await calendars_of(db, ana) == kept
    assert await stored_dates(db) == [(one.id, ana, DATES_OF_CHOIR) for one in sorted(kept, key=lambda one: one.id)]
    for url in (elsewhere.url, ""):
        assert not (await add(db, ana, fetcher, url))[1]


async def test_digests_outlast_the_key_of_the_links_and_differ_between_communities(
    make_database: MakeDatabase, clock: HandClock, fetcher: CalendarFetcher
) -> None:
    """A copy of one database does not show which calendars are in another one, or in a list of known addresses."""
    digests = set()
    for _ in range(2):
        db = await make_database("openmeet", clock=clock)
        ana, _ = await people(db)
        await add(db, ana, fetcher)
        assert not (await add(db, ana, fetcher, key=SigningKey(b"n" * 32, (CODE_KEY.newest,))))[1]
        async with db.reader() as reader:
            row = await reader.fetch_one("select digest from subscribed_calendars")
        assert row is not None
        digests.add(bytes(row["digest"]))
    assert len(digests) == 2
    assert not {hashlib.sha256(one).digest() for one in (FILE, b"file\x00" + FILE)} & {one[1:] for one in digests}


async def test_calendars_from_before_there_was_a_key_are_recognised(
    db: Database, elsewhere: CalendarServer, fetcher: CalendarFetcher
) -> None:
    """Copies that an earlier merge left are removed; the oldest is kept. Nothing is left to do afterwards."""
    ana, anna = await people(db)
    oldest = [(await add(db, anna, fetcher, url))[0].id for url in (elsewhere.url, "")]
    for url in (elsewhere.url, ""):
        await add(db, ana, fetcher, url)
    await make_old(db, fetcher)
    async with db.transaction() as tx:
        await merge(tx, anna, ana)
    assert len(await calendars_of(db, ana)) == 4
    # A calendar that was added again after the update has a new digest, and is younger.
    assert (await add(db, ana, fetcher, elsewhere.url))[1]
    assert await replace_old_digests(db, CODE_KEY, fetcher.sealer) == 2
    assert sorted(one.id for one in await calendars_of(db, ana)) == sorted(oldest)
    assert [one[2] for one in await stored_dates(db)] == [DATES_OF_CHOIR] * 2
    for url in (elsewhere.url, ""):
        assert not (await add(db, ana, fetcher, url))[1]
    assert await replace_old_digests(db, CODE_KEY, fetcher.sealer) == 0


async def test_a_lost_address_does_not_stop_the_others(
    db: Database, elsewhere: CalendarServer, fetcher: CalendarFetcher
) -> None:
    ana, anna = await people(db)
    await add(db, ana, fetcher, elsewhere.url)
    await add(db, anna, fetcher, elsewhere.url)
    await make_old(db, fetcher)
    async with db.transaction() as tx:
        await tx.execute("update subscribed_calendars set url_sealed = :lost where user_id = :id", lost=b"x", id=ana)
    assert await replace_old_digests(db, CODE_KEY, fetcher.sealer) == 1
    assert [len(await calendars_of(db, one)) for one in (ana, anna)] == [1, 1]


async def test_people_can_subscribe_although_the_key_is_lost(db: Database, fetcher: CalendarFetcher) -> None:
    """Then a repeated subscription is not recognised."""
    ana, _ = await people(db)
    await add(db, ana, fetcher)
    lost = SigningKey(b"n" * 32)
    assert [(await add(db, ana, fetcher, key=lost))[1] for _ in range(2)] == [True, True]
    assert not (await add(db, ana, fetcher))[1]
