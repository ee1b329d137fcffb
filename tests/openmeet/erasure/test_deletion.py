"""Deleting one's own account: it is hidden at once, kept if the person signs in, then ended and erased; on both
engines.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import DAY, MINUTE, HandClock, Instant
from groundwork.database.transaction import Database, Engine, Transaction, TransactionConflict
from groundwork.errors import NotFound, Refused, Unavailable
from openmeet.domain.account_merge.merge import merge
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.attendance.queries import find as find_attendance
from openmeet.domain.erasure import account_rows, actions
from openmeet.domain.erasure.actions import preview_deletion
from openmeet.domain.events import co_hosts, ownership
from openmeet.domain.events import queries as events
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import EventSlug
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import GroupDetails
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities.queries import consent
from openmeet.domain.profiles import queries as profiles
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import ownership as series_ownership
from openmeet.domain.series import queries as series_queries
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import erasure_requests
from openmeet.domain.users import queries as users
from openmeet.domain.users.erasure_requests import ErasureRequest, ErasureStage
from openmeet.domain.users.model import Caller, UserKind
from openmeet.network.ingestion import person_erasure
from openmeet.network.ingestion.person_erasure import take_due
from tests.databases import MakeDatabase
from tests.openmeet.database_snapshot import rows_of_all_tables
from tests.openmeet.erasure.erasure_context import GRACE_PERIOD, erasing_in, request_deletion
from tests.openmeet.series.practice import NOW, create_weekly_series, weekly
from tests.openmeet.site_under_test import event_by, person

NEXT_RUN = 10 * MINUTE
DID = parse_did("did:plc:" + "c" * 24)


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def comes_back(db: Database, who: Caller) -> None:
    async with db.transaction() as tx:
        await open_session(tx, who.user_id, SessionTransport.BROWSER)


async def test_a_leaving_person_is_hidden_until_they_sign_in(db: Database, tmp_path: Path, clock: HandClock) -> None:
    """Sessions end, and a second request changes nothing. After signing in, everything is as before."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await open_session(tx, ana.user_id, SessionTransport.BROWSER)
        tea = await event_by(tx, ana)
    first = await request_deletion(db, ana)
    clock.turn(DAY)
    assert await request_deletion(db, ana) == first
    async with db.reader() as reader:
        assert (await events.by_slug(reader, tea.slug)).is_hidden
        assert await reader.fetch("select 1 as one from sessions") == []
    assert await take_due(db, erasing_in(tmp_path)) == 0
    await comes_back(db, ana)
    async with db.reader() as reader:
        assert not (await events.by_slug(reader, tea.slug)).is_hidden
        assert await erasure_requests.find(reader, ana.user_id) is None
    clock.turn(20 * DAY)
    assert await take_due(db, erasing_in(tmp_path)) == 0


async def test_a_co_host_has_no_profile_while_leaving(db: Database) -> None:
    """The co-host's profile is hidden, although the event of the other host is still visible."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        tea = await event_by(tx, ben)
        invited = await co_hosts.invite(tx, ben, tea.slug, "ana@example.org")
        await co_hosts.accept(tx, ana, invited.id)
    async with db.reader() as reader:
        assert await profiles.host(reader, ana.user_id) is not None
    await request_deletion(db, ana)
    async with db.reader() as reader:
        assert await profiles.host(reader, ana.user_id) is None
        assert await profiles.host(reader, ben.user_id) is not None


async def test_deletion_needs_an_existing_account(db: Database) -> None:
    with pytest.raises(NotFound):
        await request_deletion(db, Caller("nobody", ""))


@pytest.mark.parametrize("who", ["", " ", "@", "handle.invalid", "@Handle.Invalid"])
async def test_an_unknown_handle_finds_no_account(db: Database, who: str) -> None:
    """``find`` finds no account, although there is one without a handle or with an unproven one."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        handle = "handle.invalid" if "invalid" in who.lower() else ""
        await identities.link(tx, DID, ana.user_id, handle=handle, pds_url="https://pds.example")
        with pytest.raises(Refused):
            await actions.find(tx, who)
        assert (await actions.find(tx, DID)).id == ana.user_id


async def test_near_the_end_events_are_handed_over_or_cancelled(db: Database, tmp_path: Path, clock: HandClock) -> None:
    """Events without a co-host are cancelled, others go to a co-host. Answers to other events are withdrawn. Groups
    pass to another member, or end if nobody is left.
    """
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        alone, both, his = await event_by(tx, ana), await event_by(tx, ana), await event_by(tx, ben)
        invited = await co_hosts.invite(tx, ana, both.slug, "ben@example.org")
        await co_hosts.accept(tx, ben, invited.id)
        await attendance.answer(tx, ben, alone.slug, RsvpReply.GOING)
        await attendance.answer(tx, ana, his.slug, RsvpReply.GOING)
        choir = await groups.create(tx, ana, GroupDetails(name="Choir", time_zone="UTC"))
        own = await groups.create(tx, ana, GroupDetails(name="Own", time_zone="UTC"))
        await groups.join(tx, ben, choir.slug)
    async with db.reader() as reader:
        shown = await preview_deletion(reader, ana.user_id, GRACE_PERIOD)
    assert sorted((one.heir for one in shown.events), key=str) == ["Ben", None]
    assert (shown.answers, shown.groups_passed, shown.groups_deleted) == (1, 1, 1)
    await request_deletion(db, ana)
    clock.turn(12 * DAY)
    await take_due(db, erasing_in(tmp_path))
    async with db.reader() as reader:
        asked = await erasure_requests.find(reader, ana.user_id)
        assert asked.stage is ErasureStage.ENDING
        assert (await events.by_slug(reader, alone.slug)).is_cancelled
        assert (await events.by_slug(reader, both.slug)).author_id == ben.user_id
        assert (await group_queries.by_id(reader, choir.id)).owner_id == ben.user_id
        assert (await group_queries.by_id(reader, own.id)).deleted_at is not None
        row = await reader.fetch_one("select status from attendances where user_id = :id", id=ana.user_id)
        told = await reader.fetch("select kind from notifications where user_id = :id", id=ben.user_id)
    assert row["status"] == "declined"
    assert "event_cancelled" in {one["kind"] for one in told}


async def test_after_the_grace_period_nothing_personal_is_left(
    db: Database, engine: Engine, tmp_path: Path, clock: HandClock
) -> None:
    """Their past events are emptied, other people's stay, and the address is free for a new account."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Zqana"), await person(tx, "Ben")
        await tx.execute("update users set language = 'de' where id = :id", id=ana.user_id)
        past = await event_by(tx, ana, title="Zqevent", starts="2026-03-02T18:00", ends="2026-03-02T20:00")
        his = await event_by(tx, ben, title="Ben's tea")
        await attendance.answer(tx, ben, past.slug, RsvpReply.GOING)
        await attendance.answer(tx, ana, his.slug, RsvpReply.GOING)
    await request_deletion(db, ana)
    clock.turn(GRACE_PERIOD + DAY)
    erasing = erasing_in(tmp_path)
    assert await take_due(db, erasing) == 1
    rows = await rows_of_all_tables(db, engine)
    assert [table for table, lines in rows.items() if "zqana" in str(lines).lower() or "Zqevent" in str(lines)] == []
    async with db.transaction() as tx:
        left = await users.by_id(tx, ana.user_id)
        assert (left.kind, left.display_name, left.email, left.language) == (UserKind.SHADOW, "", None, None)
        assert (await events.by_slug(tx, his.slug)).title == "Ben's tea"
        assert (await person(tx, "Zqana")).user_id != ana.user_id
    assert erasing.ledger.people() == [ana.user_id]


async def test_signing_in_on_the_last_day_keeps_the_account(db: Database, tmp_path: Path, clock: HandClock) -> None:
    """Events that have already been cancelled are not restored. Once rows are being deleted, nobody can sign in."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        tea = await event_by(tx, ana)
    await request_deletion(db, ana)
    await request_deletion(db, ben)
    clock.turn(GRACE_PERIOD - 1)
    await take_due(db, erasing_in(tmp_path))
    await comes_back(db, ana)
    async with db.transaction() as tx:
        await erasure_requests.advance(tx, ben.user_id, ErasureStage.ERASING)
    with pytest.raises(Refused):
        await comes_back(db, ben)
    clock.turn(DAY)
    assert await take_due(db, erasing_in(tmp_path)) == 1
    async with db.reader() as reader:
        assert (await users.by_id(reader, ana.user_id)).display_name == "Ana"
        assert (await events.by_slug(reader, tea.slug)).is_cancelled


async def test_an_interrupted_erasure_resumes(
    db: Database, tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erasure resumes wherever it stopped. Each step can be repeated, and other people's erasures do not wait."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        await event_by(tx, ana)
    await request_deletion(db, ana, DAY)
    await request_deletion(db, ben, DAY)
    clock.turn(2 * DAY)
    stopped = []

    def stops_first(name: str):
        original = getattr(account_rows, name)

        async def step(*given: object):
            if (name, given[1]) not in stopped and given[1] == ana.user_id:
                stopped.append((name, given[1]))
                raise ConnectionResetError("the machine stopped")
            return await original(*given)

        return step

    for name in ("purge", "forget"):
        monkeypatch.setattr(account_rows, name, stops_first(name))
    erasing = erasing_in(tmp_path)
    for deleted in (1, 0, 1, 0):
        assert await take_due(db, erasing) == deleted
        clock.turn(NEXT_RUN)
    assert len(stopped) == 2
    async with db.reader() as reader:
        assert (await users.by_id(reader, ana.user_id)).display_name == ""
        assert await erasure_requests.find(reader, ana.user_id) is None


async def test_an_interrupted_ending_resumes(
    db: Database, tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it stopped after groups were passed on, the next run still cancels events and withdraws answers."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        tea, his = await event_by(tx, ana), await event_by(tx, ben)
        await attendance.answer(tx, ana, his.slug, RsvpReply.GOING)
    await request_deletion(db, ana)
    clock.turn(12 * DAY)

    async def stops(*_imported_rsvp: object) -> None:
        raise ConnectionResetError("the machine stopped")

    with monkeypatch.context() as patched:
        patched.setattr(series_ownership, "drop_offers_of", stops)
        assert await take_due(db, erasing_in(tmp_path)) == 0
    async with db.reader() as reader:
        assert not (await events.by_slug(reader, tea.slug)).is_cancelled
    clock.turn(NEXT_RUN)
    assert await take_due(db, erasing_in(tmp_path)) == 0
    async with db.reader() as reader:
        assert (await events.by_slug(reader, tea.slug)).is_cancelled
        row = await reader.fetch_one("select status from attendances where user_id = :id", id=ana.user_id)
        asked = await erasure_requests.find(reader, ana.user_id)
    assert row["status"] == "declined"
    assert asked.stage is ErasureStage.ENDING


async def test_every_event_is_handed_over_in_its_own_transaction(
    db: Database, tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds do not fit into one. What was handed over before a crash stays handed over."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        teas = [await event_by(tx, ana) for _ in range(3)]
        for tea in teas:
            await co_hosts.accept(tx, ben, (await co_hosts.invite(tx, ana, tea.slug, "ben@example.org")).id)
    await request_deletion(db, ana)
    clock.turn(12 * DAY)
    whole, left = ownership.pass_to_heir, 2

    async def dies_at_the_third(*event: object) -> bool:
        nonlocal left
        if not left:
            raise ConnectionResetError("the machine stopped")
        left -= 1
        return await whole(*event)

    monkeypatch.setattr(ownership, "pass_to_heir", dies_at_the_third)
    assert await take_due(db, erasing_in(tmp_path)) == 0
    async with db.reader() as reader:
        owners = [(await events.by_id(reader, tea.id)).author_id for tea in teas]
    assert owners.count(ben.user_id) == 2


async def test_an_event_that_cannot_be_cancelled_does_not_stop_the_deletion(
    db: Database, tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other events are cancelled near the end of the grace period. The event whose cancellation fails is emptied
    with the account.
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        stuck, tea = await event_by(tx, ana, title="Stuck"), await event_by(tx, ana)
    await request_deletion(db, ana)
    clock.turn(12 * DAY)
    cancel = event_hosting.cancel

    async def refuses(tx: Transaction, caller: Caller, slug: EventSlug, reason: str) -> None:
        if slug == stuck.slug:
            raise Refused("not this one")
        await cancel(tx, caller, slug, reason)

    monkeypatch.setattr(event_hosting, "cancel", refuses)
    assert await take_due(db, erasing_in(tmp_path)) == 0
    async with db.reader() as reader:
        assert (await events.by_slug(reader, tea.slug)).is_cancelled
    clock.turn(3 * DAY)
    assert await take_due(db, erasing_in(tmp_path)) == 1
    async with db.reader() as reader:
        assert (await events.by_id(reader, stuck.id)).title == ""


@pytest.mark.parametrize("what", ["event", "answer"])
async def test_a_failed_transaction_is_repeated_in_the_next_run(
    db: Database, tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A transaction timed out or lost a conflict. Nobody has been notified yet, so the account is ended in the next
    run.
    """
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        tea, his = await event_by(tx, ana), await event_by(tx, ben)
        await attendance.answer(tx, ben, tea.slug, RsvpReply.GOING)
        await attendance.answer(tx, ana, his.slug, RsvpReply.GOING)
    await request_deletion(db, ana)
    clock.turn(12 * DAY)

    async def loses(*_given: object, **_more: object) -> None:
        raise TransactionConflict("lost against another transaction")

    module, name = {"event": (event_hosting, "cancel"), "answer": (attendance, "answer")}[what]
    with monkeypatch.context() as patched:
        patched.setattr(module, name, loses)
        assert await take_due(db, erasing_in(tmp_path)) == 0
    async with db.reader() as reader:
        assert (await erasure_requests.find(reader, ana.user_id)).stage is ErasureStage.REQUESTED
    clock.turn(NEXT_RUN)
    assert await take_due(db, erasing_in(tmp_path)) == 0
    async with db.reader() as reader:
        assert (await erasure_requests.find(reader, ana.user_id)).stage is ErasureStage.ENDING
        assert (await events.by_slug(reader, tea.slug)).is_cancelled
        row = await reader.fetch_one("select status from attendances where user_id = :id", id=ana.user_id)
        told = await reader.fetch("select kind from notifications where user_id = :id", id=ben.user_id)
    assert row["status"] == "declined"
    assert "event_cancelled" in {one["kind"] for one in told}


@pytest.mark.parametrize(
    ("moment", "kept"),
    [
        ("end", {"group", "series", "answer", "standing answer"}),
        ("_end_series", {"series", "answer", "standing answer"}),
        ("_decline_rsvps", {"answer", "standing answer"}),
    ],
)
async def test_signing_in_during_the_end_keeps_the_account(
    db: Database, tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch, moment: str, kept: set[str]
) -> None:
    """A person who signs in between the reading of requests and the deletion is not deleted. What has not been ended
    yet is kept.
    """
    clock.turn(NOW - clock.now())
    async with db.transaction() as tx:
        ana, practice = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        his = await series_actions.create(tx, ben, Content("Practice"), weekly())
        tea = await event_by(tx, ben, starts="2027-01-25T18:00", ends="2027-01-25T20:00")
        await attendance.answer(tx, ana, tea.slug, RsvpReply.GOING)
        await tx.execute(
            "insert into event_series_standing_rsvps (series_id, user_id, with_limited, created_at) "
            "values (:id, :who, 0, :now)",
            id=his.id,
            who=ana.user_id,
            now=tx.now,
        )
        choir = await groups.create(tx, ana, GroupDetails(name="Choir", time_zone="UTC"))
        await groups.join(tx, ben, choir.slug)
        await identities.grant_consent(tx, ana.user_id, handle="ana.example")
    await request_deletion(db, ana)
    clock.turn(GRACE_PERIOD + DAY)
    original = getattr(actions, moment)

    async def meanwhile(*given: Any) -> None:
        await comes_back(db, ana)
        await original(*given)

    monkeypatch.setattr(actions, moment, meanwhile)
    assert await take_due(db, erasing_in(tmp_path)) == 0
    async with db.reader() as reader:
        assert (await users.by_id(reader, ana.user_id)).display_name == "Ana"
        assert (await consent(reader, ana.user_id)).is_given
        has = {
            "group": (await group_queries.by_id(reader, choir.id)).owner_id == ana.user_id,
            "series": (await series_queries.by_id(reader, practice.id)).deleted_at is None,
            "answer": (await find_attendance(reader, tea.id, ana.user_id)).status is AttendanceStatus.ATTENDING,
            "standing answer": await reader.fetch_one("select 1 as one from event_series_standing_rsvps") is not None,
        }
    assert {name for name, is_kept in has.items() if is_kept} == kept
    assert erasing_in(tmp_path).ledger.people() == []
    assert await person_erasure.erase(db, erasing_in(tmp_path), ana.user_id) is None


async def test_waiting_and_failing_requests_do_not_delay_others(
    db: Database, tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many requests have ended and wait for their deletion day, or cannot be carried out."""
    monkeypatch.setattr(person_erasure, "_AT_A_TIME", 1)
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
    await request_deletion(db, ana)
    clock.turn(DAY)
    await request_deletion(db, ben)
    await request_deletion(db, cleo)
    clock.turn(12 * DAY)
    end = actions.end

    attempts = 0

    async def end_of_others(to: Database, erasure_request: ErasureRequest) -> None:
        nonlocal attempts
        if erasure_request.user_id == ben.user_id:
            attempts += 1
            raise Unavailable("The account server does not answer.")
        await end(to, erasure_request)

    with monkeypatch.context() as failing:
        failing.setattr(actions, "end", end_of_others)
        for _ in range(3):
            await take_due(db, erasing_in(tmp_path))
    async with db.reader() as reader:
        stages = [(await erasure_requests.find(reader, who.user_id)).stage for who in (ana, ben, cleo)]
    assert stages == [ErasureStage.ENDING, ErasureStage.REQUESTED, ErasureStage.ENDING]
    assert attempts == 1, "a request that failed is tried again later, not in every run"
    clock.turn(NEXT_RUN)
    await take_due(db, erasing_in(tmp_path))
    async with db.reader() as reader:
        assert (await erasure_requests.find(reader, ben.user_id)).stage is ErasureStage.ENDING


async def test_a_request_in_a_restored_backup_deletes_nobody_at_once(
    db: Database, tmp_path: Path, clock: HandClock
) -> None:
    """The person might have signed in after the backup. Deletions that had already begun continue."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
    await request_deletion(db, ana, DAY)
    await request_deletion(db, ben, DAY)
    clock.turn(2 * DAY)
    async with db.transaction() as tx:
        await erasure_requests.advance(tx, ben.user_id, ErasureStage.ERASING)
        assert await erasure_requests.postpone(tx, Instant(tx.now + GRACE_PERIOD)) == 1
        assert await erasure_requests.postpone(tx, Instant(tx.now + DAY)) == 0
    assert await take_due(db, erasing_in(tmp_path)) == 1
    async with db.reader() as reader:
        assert (await users.by_id(reader, ana.user_id)).display_name == "Ana"
        assert (await users.by_id(reader, ben.user_id)).display_name == ""


async def test_messages_are_discarded_even_after_an_interruption(
    db: Database, tmp_path: Path, clock: HandClock
) -> None:
    """Data outside the database is deleted, even if the first run stopped after the row with the DID was deleted."""
    did = parse_did("did:plc:" + "a" * 24)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await identities.link(tx, did, ana.user_id, handle="ana.example", pds_url="https://pds.example")
    await request_deletion(db, ana, DAY)
    clock.turn(2 * DAY)
    called: list[str] = []

    async def elsewhere(which: str) -> None:
        called.append(which)
        if len(called) == 1:
            raise ConnectionResetError("the broker stopped")

    plain = erasing_in(tmp_path)
    erasing = replace(plain, erasing=replace(plain.erasing, erase_outside=elsewhere))
    assert await take_due(db, erasing) == 0
    clock.turn(NEXT_RUN)
    assert await take_due(db, erasing) == 1
    assert len(called) >= 2
    assert set(called) == {did}


async def test_a_merge_keeps_the_account(db: Database) -> None:
    """A merge ends the deletion request, because merging requires signing in to both accounts."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
    await request_deletion(db, ana)
    async with db.transaction() as tx:
        await merge(tx, ana.user_id, ben.user_id)
    async with db.reader() as reader:
        assert await reader.fetch("select 1 as one from account_erasures") == []
