"""On PostgreSQL no page, feed, API response, job or task scans a large table: each statement has an index.

The data are copies of rows that the real code wrote, with fresh statistics. The test then requests the real pages and
explains every statement that they run.
"""

import re
from collections.abc import Mapping, Sequence

import pytest

from groundwork.clock import DAY, HandClock, Instant
from groundwork.database.postgres import PostgresTransaction
from groundwork.database.transaction import Database, Row, Transaction
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import tasks as attendance_tasks
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.content import Content
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import GroupDetails
from openmeet.domain.moderation import visibility
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.fan_out import fan_out_handler
from openmeet.domain.notifications.model import WEEK_MAIL, Channel, NotificationTopic
from openmeet.domain.notifications.notify import Notice, notify, set_channels
from openmeet.domain.notifications.tasks import enqueue_weeks
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import cancel_dates, date_queries, queries, tasks, undo
from openmeet.domain.series.model import WINDOW, Series
from openmeet.domain.users.model import Caller
from openmeet.emails.render import EmailContext
from openmeet.emails.week import week_composer
from openmeet.outbox.emails import DueEmail
from openmeet.outbox.kinds import JobKind
from openmeet.web.calendar.feed import open_feed
from programs.outbox_dispatcher import AUDIENCES
from tests.databases import MakeDatabase
from tests.openmeet.series.practice import NOW, lock_series, original_dates, retitle, weekly
from tests.openmeet.series.practice import dates as dates_of
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, Site, event_by, person, signed_in, site_on

PEOPLE = 1_999
EVENTS = 6_000
# Only a tenth as many as events have dates. With fewer rows, reading all of them would be cheaper than an index.
SERIES = 3_000
ANSWERS = 12_000
WITHHELD = 600
LARGE = (
    "events",
    "event_series",
    "event_series_followers",
    "attendances",
    "notifications",
    "notification_emails",
    "notification_preferences",
    "outbox_jobs",
    "publications",
)

# A prime number, so that each person's or event's rows are spread over the whole table.
_SPREAD = 7_919


class Explained:
    """Collects the plan of every statement; replaces the driver's class while it is active."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plans: dict[str, str] = {}
        self.is_on = False
        fetch, execute, execute_many = (getattr(PostgresTransaction, n) for n in ("fetch", "execute", "execute_many"))
        explained = self

        async def look(tx: PostgresTransaction, sql: str, parameters: Mapping[str, object]) -> None:
            if explained.is_on and re.match(r"\s*(select|with|update|delete|insert)\b", sql):
                rows = await fetch(tx, f"explain {sql}", **parameters)
                explained.plans[sql] = "\n".join(str(row[0]) for row in rows)

        async def fetching(self: PostgresTransaction, sql: str, /, **parameters: object) -> Sequence[Row]:
            await look(self, sql, parameters)
            rows: Sequence[Row] = await fetch(self, sql, **parameters)
            return rows

        async def executing(self: PostgresTransaction, sql: str, /, **parameters: object) -> int:
            await look(self, sql, parameters)
            count: int = await execute(self, sql, **parameters)
            return count

        async def executing_many(self: PostgresTransaction, sql: str, rows: Sequence[Mapping[str, object]], /) -> None:
            for row in rows[:1]:
                await look(self, sql, row)
            await execute_many(self, sql, rows)

        monkeypatch.setattr(PostgresTransaction, "fetch", fetching)
        monkeypatch.setattr(PostgresTransaction, "execute", executing)
        monkeypatch.setattr(PostgresTransaction, "execute_many", executing_many)

    def reading_through(self) -> list[str]:
        """Statements that scan a large table from beginning to end, each with its plan."""
        through = re.compile(rf"Seq Scan on ({'|'.join(LARGE)})\b")
        return [f"{sql}\n{plan}" for sql, plan in self.plans.items() if through.search(plan)]


@pytest.fixture
def engine() -> str:
    return "postgresql"


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    clock.turn(NOW - clock.now())
    return await make_database("openmeet", transaction_seconds=120.0, reader_seconds=120.0)


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch) -> Explained:
    return Explained(monkeypatch)


async def copies(tx: Transaction, table: str, count: int, **changed: str) -> None:
    """Insert copies of the table's first row. ``changed`` has expressions of ``i``, the number of the copy."""
    row = await tx.fetch_one(f"select * from {table} limit 1")
    assert row is not None, table
    columns = list(dict(row))
    values = ", ".join(changed.get(name, f"o.{name}") for name in columns)
    await tx.execute(
        f"insert into {table} ({', '.join(columns)})"
        f" select {values} from generate_series(cast(1 as bigint), {count}) i, (select * from {table} limit 1) o"
    )
    await tx.execute(f"analyze {table}")


async def town(tx: Transaction) -> tuple[Caller, Caller, Series, str]:
    """Ana hosts a series in her group, and Ben goes to one of its dates. There are thousands of other events and
    people. The group's slug comes last.
    """
    ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
    group = await groups.create(tx, ana, GroupDetails("Choir", "Europe/Berlin"))
    series = await series_actions.create(tx, ana, Content("Practice", capacity=20), weekly())
    found = await dates_of(tx, series)
    await attendance.answer(tx, ben, found[0].slug, RsvpReply.GOING)
    await series_actions.follow(tx, ben, series.slug)
    await notify(tx, event_kinds.EVENT_CHANGED, Notice([ben.user_id], found[0].id, 1, event_kinds.DatesChanged()))
    await tx.execute("update events set group_id = :id", id=group.id)
    someone = f"'u' || (i * {_SPREAD} % {PEOPLE} + 1)"
    some_event = f"'e' || (i * {_SPREAD} % {EVENTS} + 1)"
    await copies(tx, "users", PEOPLE, id="'u' || i", email="'u' || i || '@example.org'")
    own = {"slug": "'s' || i", "user_id": someone, "submission_key": "null", "record_uri": "null"}
    await copies(tx, "event_series", SERIES, id="'s' || i", stored_until="o.stored_until + i * 60000000", **own)
    start = f"o.starts_at + (i * {_SPREAD} % 1000 - 500) * {DAY}"
    await copies(
        tx,
        "events",
        EVENTS,
        id="'e' || i",
        slug="'e' || i",
        series_id="'s' || ((i - 1) / 10 + 1)",
        original_date="'d' || i",
        author_id=someone,
        group_id="null",
        starts_at=start,
        ends_at=f"{start} + 7200000000",
        over_at=f"{start} + 7200000000",
        completed_at="case when i % 500 < 250 then 1 end",
        search_words="''",
        submission_key="null",
        record_uri="null",
    )
    await copies(
        tx,
        "attendances",
        ANSWERS,
        id="'a' || i",
        user_id=someone,
        event_id=f"'e' || (i % {EVENTS} + 1)",
        answered_at="o.answered_at + i",
    )
    follower = {"user_id": f"'u' || (i % {PEOPLE} + 1)", "series_id": f"'s' || (i * 3 % {EVENTS // 10} + 1)"}
    await copies(tx, "event_series_followers", PEOPLE * 3, **follower)
    news = {"user_id": someone, "subject_id": some_event, "created_at": "o.created_at + i", "subject_revision": "i"}
    await copies(tx, "notifications", ANSWERS, id="'n' || i", mail_id="null", **news)
    await copies(tx, "notification_emails", PEOPLE, id="'m' || i", user_id="'u' || i", subject=some_event)
    await set_channels(tx, ben.user_id, {NotificationTopic.WEEK: frozenset({Channel.EMAIL})})
    await tx.execute("delete from notification_preferences where is_on = 0")
    await copies(tx, "notification_preferences", PEOPLE, user_id="'u' || i")
    choice = {"user_id": f"'u' || (i % {PEOPLE} + 1)", "topic": f"'topic ' || (i / {PEOPLE})"}
    await copies(tx, "notification_preferences", PEOPLE * 15, **choice)
    await copies(tx, "outbox_jobs", EVENTS, subject="'d' || i", state="'completed'")
    await copies(tx, "publications", EVENTS, subject_id="'e' || i", user_id=someone, uri="null")
    return ana, ben, series, group.slug


async def read_everything(site: Site, ana: Caller, ben: Caller, series: Series, group: str) -> None:
    """Request every page that the host and a guest open."""
    async with site.db.transaction() as tx:
        feed = await open_feed(tx, CODE_KEY, ben.user_id)
        (first, *_) = await dates_of(tx, series)
    both = [
        "/my/events",
        "/my/calendar",
        "/my/calendar?view=week",
        "/my/series",
        "/notifications",
        f"/series/{series.slug}",
        f"/series/{series.slug}.ics",
        f"/series/{series.slug}.atom",
        f"/series/{series.slug}.json",
        f"/events/{first.slug}",
        f"/groups/{group}",
        f"/groups/{group}.ics",
        f"/groups/{group}.atom",
        f"/groups/{group}.json",
        f"/groups/{group}/events?view=month",
        f"/calendar/{feed}.ics",
    ]
    hosts = [
        *(f"/series/{series.slug}/{page}" for page in ("edit", "manage", "cancel", "delete", "followers", "hand-over")),
        *(f"/events/{first.slug}/{page}" for page in ("attendees", "attendees.csv", "joining", "check-in", "edit")),
    ]
    guests = [f"/events/{first.slug}/answer"]
    for who, addresses in ((ana, [*both, *hosts]), (ben, [*both, *guests])):
        async with signed_in(site, who.user_id) as browser:
            for address in addresses:
                answered = await browser.get(address)
                assert answered.status_code == 200, (address, answered.status_code)


async def let_some_be_removed(db: Database, host: Caller) -> None:
    """Three events that ended long ago and were last changed then. Their host chose that they are removed a day later."""
    async with db.transaction() as tx:
        typed = {"starts": "2026-07-04T18:00", "remove_after": "day"}
        ids = [(await event_by(tx, host, **typed)).id for _ in range(3)]
        await tx.execute("update events set updated_at = 0, removes_at = 1 where id in :ids", ids=ids)


async def test_an_event_is_looked_up_among_few_withheld_subjects(db: Database, explained: Explained) -> None:
    """Otherwise a list of events would read all of them for each of its events."""
    async with db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"))
        withheld = [Subject(ModeratedKind.EVENT, f"e{number}") for number in range(WITHHELD)]
        await visibility.hold(tx, withheld, SubjectVisibility.ARRIVAL)
        await tx.execute("analyze moderation_states")
        explained.is_on = True
        assert await event_queries.several(tx, [event.id])
    (plan,) = explained.plans.values()
    assert "Seq Scan on moderation_states" not in plan
    assert "moderation_states_pkey" in plan


async def test_no_statement_scans_a_large_table(db: Database, clock: HandClock, explained: Explained) -> None:
    async with db.transaction() as tx:
        ana, ben, series, group = await town(tx)
        explained.is_on = True
        await tx.fetch("select id from events where entry_instructions = 'a column without an index'")
    assert explained.reading_through(), "the check would find a full scan"
    explained.plans.clear()
    await read_everything(site_on(db, clock), ana, ben, series, group)
    async with db.transaction() as tx:
        await retitle(tx, await lock_series(tx, ana, series), "Rehearsal")
        await undo.undo(tx, await lock_series(tx, ana, series))
        some = original_dates(await dates_of(tx, series))[:2]
        await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), some, "ill")
        await cancel_dates.cancel(tx, await lock_series(tx, ana, series), "ill")
    while await dispatcher.run_once(db, {JobKind.FAN_OUT: one_job_per_call(fan_out_handler(db, AUDIENCES))}):
        pass
    clock.turn(3 * DAY)
    async with db.reader() as reader:
        assert await queries.behind_window(reader, Instant(clock.now() + WINDOW), (-1, ""), 10)
        assert await date_queries.with_dates_to_complete(reader, (-1, ""), 10)
    await attendance_tasks.remind(db)
    await attendance_tasks.end_expired_offers(db)
    await attendance_tasks.begin_last_calls(db)
    await let_some_be_removed(db, ana)
    assert await attendance_tasks.remove_past_events(db) == 3
    await tasks.forget_undos(db)
    assert await enqueue_weeks(db) == PEOPLE + 1
    week = DueEmail(WEEK_MAIL, ben.user_id, "2026-11-23", 1)
    await week_composer(EmailContext(CODE_KEY, "Town Events", ORIGIN))(db, week)
    assert len(explained.plans) > 100
    found = explained.reading_through()
    assert not found, "\n\n".join(found)
