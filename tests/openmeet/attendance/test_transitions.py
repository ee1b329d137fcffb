"""Every cell of the table of transitions, as it comes out where it is used: by people, records, hosts and the clock."""

from dataclasses import replace

import pytest

from groundwork.clock import DAY, Instant
from groundwork.database.together import execute_together
from groundwork.errors import NotFound, Refused
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import actions, history, host_decisions, invitations, queries, waitlist
from openmeet.domain.attendance.model import Attendance, AttendanceId, AttendanceStatus, NetworkAnswer, Reply, Source
from openmeet.domain.attendance.registration import DEFAULT
from openmeet.domain.attendance.transitions import COLUMNS, TABLE, Act, Outcome
from tests.openmeet.site_under_test import event_by, person

S = AttendanceStatus
REPLIES = {Act.GOING: Reply.GOING, Act.INTERESTED: Reply.INTERESTED, Act.DECLINE: Reply.DECLINED}
RECORDS = {
    Act.NETWORK_GOING: NetworkAnswer.GOING,
    Act.NETWORK_INTERESTED: NetworkAnswer.INTERESTED,
    Act.NETWORK_NOT_GOING: NetworkAnswer.NOT_GOING,
    Act.NETWORK_UNCLEAR: NetworkAnswer.OTHER,
}
URI = "at://did:plc:abc/community.lexicon.calendar.rsvp/"


def expected(act: Act, before: AttendanceStatus | None) -> AttendanceStatus | str | None:
    """On an event with room for everybody, by people who signed in here, without approval; a refusal by its name."""
    outcome = TABLE[act][before]
    match outcome:
        case Outcome.KEEP | Outcome.TAKE | Outcome.CLEAR_UP:
            # Nobody waits where there is room for all.
            return S.ATTENDING if outcome is Outcome.TAKE else before
        case Outcome.SEAT | Outcome.ADMIT:
            return S.ATTENDING
        case Outcome.DOOR:
            return S.ATTENDED if act is Act.CHECK_IN else S.ATTENDING
        case Outcome.BACK:
            return S.DECLINED if act is Act.RESTORE else S.ATTENDING  # nobody knows from where
        case Outcome.TURNED_DOWN:
            return "AnswerRejected"
        case Outcome.IS_THERE:
            return "CheckedIn"
        case Outcome.NO_ANSWER:
            return "NotFound"
        case _:
            return AttendanceStatus(outcome.value)


async def stands_so(tx, event, who, status) -> Attendance | None:
    """A row as it would be."""
    if status is None:
        return None
    now = tx.now
    number = 1 if status is S.WAITLISTED else None
    row = Attendance(
        AttendanceId(new_id(now)), event.id, who.user_id, status, number, Source.HERE, 1, None, now, Instant(now - DAY)
    )
    await execute_together(tx, [queries.inserting(row)])
    return row


async def do(tx, act: Act, host, who, event, mine) -> None:
    """What the cell is about, by the action that people, records and hosts cause."""
    some_id = mine.id if mine else AttendanceId("nobody")
    uri = URI + event.id
    if act in REPLIES:
        await actions.answer(tx, who, event.slug, REPLIES[act])
    elif act in RECORDS:
        await actions.apply_from_network(
            tx, event_id=event.id, user_id=who.user_id, record_uri=uri, answer=RECORDS[act], first_seen=tx.now
        )
    elif act is Act.NETWORK_GONE:
        if mine:
            await queries.set_record(tx, mine.id, uri)
        await actions.withdraw_from_network(tx, record_uri=uri)
    elif act is Act.APPROVE:
        await host_decisions.approve(tx, host, event.slug, [some_id])
    elif act is Act.REMOVE:
        await host_decisions.remove(tx, host, event.slug, [some_id])
    elif act is Act.RESTORE:
        await host_decisions.restore(tx, host, event.slug, some_id)
    elif act is Act.INVITE:
        address = f"{who.display_name}@example.org".lower()
        if mine:
            await queries.set_invited_as(tx, mine.id, address)
        await invitations.invite(tx, host, event.slug, f"{who.display_name}@example.org")
    elif act is Act.CHECK_IN:
        await host_decisions.check_in(tx, host, event.slug, some_id)
    elif act is Act.UNDO_CHECK_IN:
        await host_decisions.undo_check_in(tx, host, event.slug, some_id)
    elif act is Act.MOVE_UP:
        await waitlist.fill(tx, event, DEFAULT)
    elif act is Act.LAPSE:
        if mine and mine.status is S.WAITLISTED:
            await queries.save(tx, replace(mine, offered_until=tx.now))
        await waitlist.end_offers(tx, event)


# Adding is by name, so there never is an answer before; nobody lapses or moves up who is not in the line.
CELLS = [(act, before) for act in Act for before in COLUMNS if not (act is Act.ADD and before is not None)]


async def test_every_cell_comes_out(make_sqlite):
    db = await make_sqlite("openmeet")
    wrong = []
    async with db.transaction() as tx:
        host = await person(tx, "Host")
    for number, (act, before) in enumerate(CELLS):
        async with db.transaction() as tx:
            who = await person(tx, f"p{number}")
            tomorrow = {"starts": "2026-03-02T10:00", "ends": "2026-03-02T12:00"}
            event = await event_by(tx, host, title=f"Cell {number}", **tomorrow)
            if act is Act.ADD:
                found = (await host_decisions.add(tx, host, event.slug, "Eve")).status
                wrong += [] if found is S.ATTENDING else [(act, before, found)]
                continue
            mine = await stands_so(tx, event, who, before)
            try:
                await do(tx, act, host, who, event, mine)
                after = await queries.find(tx, event.id, who.user_id)
                found = after and after.status
                lines = await history.of_answer(tx, after.id) if after else []
                is_told = bool(lines) == (found is not before)
                wrong += [] if is_told else [(act, before, "history", lines)]
            except Refused as refused:
                found = refused.name
            except NotFound:
                found = "NotFound"
        want = expected(act, before)
        if before is None and want == "NotFound" and act in {Act.MOVE_UP, Act.LAPSE}:
            want = None  # the clock asks nobody
        wrong += [] if found == want else [(act, before, found, want)]
    assert wrong == []


def test_the_table_is_whole():
    assert set(TABLE) == set(Act)
    assert all(set(row) == {None, *AttendanceStatus} for row in TABLE.values())


@pytest.mark.parametrize("status", [S.REJECTED, S.ATTENDED])
def test_no_record_moves_whom_the_host_sent_away_or_who_is_there(status):
    assert {TABLE[act][status] for act in Act if act.value.startswith("network")} == {Outcome.KEEP}
