"""Series: expand a rule, move ten thousand windows by a week, and make one edit that affects five hundred dates."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from time import perf_counter

from dateutil.rrule import rrulestr
from dateutil.tz import gettz

from groundwork.clock import DAY, HandClock, Instant
from groundwork.database.transaction import Database
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from groundwork.uuid7 import new_id
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import PositionInSeries
from openmeet.domain.events.series_dates import NewDates, create_dates
from openmeet.domain.notifications.fan_out import fan_out_handler
from openmeet.domain.series import actions, apply_edits, date_queries, materialize, queries, tasks
from openmeet.domain.series.dates import details_of, original_text
from openmeet.domain.series.model import Series, SeriesId, SeriesSlug, Timing
from openmeet.domain.series.plan import plan_all
from openmeet.domain.users.actions import create_person
from openmeet.domain.users.model import Caller
from openmeet.outbox.kinds import JobKind
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.wall_time import instant_of
from programs.outbox_dispatcher import AUDIENCES
from tests.bench.figure import Figure, Peer, check
from tests.bench.loop import run
from tests.bench.stores import on_postgresql, on_sqlite
from tests.bench.timing import progress, rates
from tests.external_dependencies import is_available

ZONE = "Europe/Berlin"
FIRST = datetime(2026, 11, 24, 18)  # noqa: DTZ001  # wall time is naive here
NOW = instant_of(datetime(2026, 11, 20, 12), ZONE)  # noqa: DTZ001
RULE = "FREQ=WEEKLY;BYDAY=TU"
TEN_YEARS = Instant(NOW + 3653 * DAY)

SERIES = 10_000
DATES = 500
PEOPLE = 5_000


def measure() -> Iterator[Figure]:
    yield from _expansion()
    clock = HandClock(NOW)
    yield run(_rolling("SQLite", on_sqlite(clock), clock))
    yield from run(_propagating("SQLite", on_sqlite(HandClock(NOW))))
    if is_available("postgresql"):
        clock = HandClock(NOW)
        yield run(_rolling("PostgreSQL", on_postgresql("bench_rolling", clock), clock))
        yield from run(_propagating("PostgreSQL", on_postgresql("bench_series", HandClock(NOW))))


def _weekly() -> Timing:
    return Timing(pattern(FIRST, ZONE, parse_rule(RULE)), timedelta(hours=2))


def _expansion() -> Iterator[Figure]:
    known = _weekly().pattern
    zone = gettz(ZONE)

    def cold() -> None:
        expansion.clear()
        check(len(expansion.between(known, NOW, TEN_YEARS)) == 522, "the rule has the wrong dates")

    def cached() -> None:
        expansion.between(known, NOW, TEN_YEARS)

    def peer() -> None:
        # The library's work for the same result: naive times, each converted to the zone.
        dates = rrulestr(RULE, dtstart=FIRST).between(FIRST, FIRST + timedelta(days=3650), inc=True)
        check(len([one.replace(tzinfo=zone).timestamp() for one in dates]) == 522, "the peer has different dates")

    cold_rate, peer_rate = rates(cold, peer)
    (cached_rate,) = rates(cached)
    yield Figure(
        "a weekly rule over ten years, cold",
        1e3 / cold_rate,
        "ms",
        2,
        less_is_better=True,
        peer=Peer("dateutil alone", 1e3 / peer_rate),
    )
    yield Figure("the same again", 1e6 / cached_rate, "µs", 20, less_is_better=True)


async def _host(db: Database) -> Caller:
    async with db.transaction() as tx:
        return Caller(await create_person(tx, display_name="Ana", email="ana@example.org"), "Ana")


async def _rolling(engine: str, store: AbstractAsyncContextManager[Database], clock: HandClock) -> Figure:
    """Each series has dates for its two months and needs one more."""
    async with store as db:
        await _with_series(db)
        clock.turn(7 * DAY)
        progress(f"rolling {SERIES:,} windows")
        begun = perf_counter()
        stored = await tasks.roll_windows(db, clock.now())
        taken = perf_counter() - begun
        check(stored == SERIES, f"{stored} dates were stored")
    return Figure(f"rolling the windows of {SERIES:,} series, {engine}", taken, "s", 30, less_is_better=True)


async def _with_series(db: Database) -> None:
    progress(f"making {SERIES:,} series")
    host = await _host(db)
    async with db.transaction() as tx:
        first = await actions.create(tx, host, Content("Practice"), _weekly())
        known = [held.event.position_in_series for held in await date_queries.stored(tx, first.id)]
    names = [datetime.fromisoformat(place.original_date) for place in known if place]
    for start in range(1, SERIES, 500):
        made = [_copy(first, number) for number in range(start, min(start + 500, SERIES))]
        async with db.transaction() as tx:
            values = [{**queries.values_of(one), "submission_key": None} for one in made]
            marks = ", ".join(f":{name}" for name in values[0])
            await tx.execute_many(f"insert into event_series ({', '.join(values[0])}) values ({marks})", values)
        for part in range(0, len(made), 100):
            async with db.transaction() as tx:
                dates = [
                    (details_of(one.content, one.timing, at), PositionInSeries(one.id, original_text(at)))
                    for one in made[part : part + 100]
                    for at in names
                ]
                await create_dates(tx, [NewDates(host.user_id, dates, is_published_by_policy=False)])


def _copy(first: Series, number: int) -> Series:
    template = replace(first.content, title=f"Practice {number}")
    slug = SeriesSlug(f"practice-{number}")
    return replace(first, id=SeriesId(new_id(NOW)), slug=slug, content=template, stored_until=NOW)


async def _propagating(engine: str, store: AbstractAsyncContextManager[Database]) -> list[Figure]:
    """Move every date to another place. Everybody who attends one of them is notified by one e-mail, most of them by a
    job.
    """
    async with store as db:
        progress(f"{PEOPLE:,} people go to {DATES} dates on {engine}")
        host = await _host(db)
        slug = await _with_people(db, host)
        progress(f"one edit of all dates on {engine}")
        begun = perf_counter()
        async with db.transaction() as tx:
            series = await actions.lock_managed(tx, host, slug)
            template = replace(
                series.content, title="Rehearsal", venue=replace(series.content.venue, name="The new hall")
            )
            plan = plan_all(series, template, series.timing, await date_queries.stored(tx, series.id), tx.now)
            check(len(plan.dates_changed) == DATES, f"{len(plan.dates_changed)} dates change")
            await apply_edits.apply_plan(tx, series, plan)
        edited = perf_counter() - begun
        while await dispatcher.run_once(db, {JobKind.FAN_OUT: one_job_per_call(fan_out_handler(db, AUDIENCES))}):
            pass
        told = perf_counter() - begun
        async with db.reader() as reader:
            queued = await reader.fetch("select count(*) from notification_emails where closed_at is null")
        check(queued[0][0] == PEOPLE, f"{queued[0][0]} mails are queued for {PEOPLE} people")
    what = f"{DATES} dates with {PEOPLE:,} people, {engine}"
    return [
        Figure(f"one edit of {what}", edited, "s", 1, less_is_better=True),
        Figure(f"one e-mail queued for each attendee, edit included, {engine}", told, "s", 1, less_is_better=True),
    ]


async def _with_people(db: Database, host: Caller) -> SeriesSlug:
    async with db.transaction() as tx:
        daily = Timing(pattern(FIRST, ZONE, parse_rule("FREQ=DAILY")), timedelta(hours=2))
        series = await actions.create(tx, host, Content("Practice"), daily)
        held = await date_queries.stored(tx, series.id)
        ahead = expansion.following(series.timing.pattern, NOW, DATES)[len(held) :]
        await materialize.store(tx, series, [one.original for one in ahead])
        events = [held.event.id for held in await date_queries.stored(tx, series.id)]
    for start in range(0, PEOPLE, 1_000):
        async with db.transaction() as tx:
            people = [
                {"id": new_id(NOW), "name": f"Guest {number}", "email": f"guest{number}@example.org", "now": NOW}
                for number in range(start, start + 1_000)
            ]
            await tx.execute_many(
                "insert into users (id, kind, display_name, email, bio, time_zone, revision, created_at, updated_at)"
                " values (:id, 'person', :name, :email, '', null, 1, :now, :now)",
                people,
            )
            await tx.execute_many(
                "insert into attendances (id, event_id, user_id, status, source, revision, created_at, answered_at)"
                " values (:id, :event_id, :user_id, 'attending', 'here', 1, :now, :now)",
                [
                    {"id": new_id(NOW), "event_id": events[number % DATES], "user_id": one["id"], "now": NOW}
                    for number, one in enumerate(people)
                ],
            )
    return series.slug
