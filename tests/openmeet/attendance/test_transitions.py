"""Every cell of the RSVP transition table, tested through its callers: people, records, hosts and the scheduler."""

from dataclasses import replace

import pytest

from groundwork.clock import DAY, Instant
from groundwork.database.bulk import execute_together
from groundwork.errors import NotFound, Refused
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import actions, history, host_decisions, invitations, queries, rsvp_records, waitlist
from openmeet.domain.attendance.model import (
    Attendance,
    AttendanceId,
    AttendanceStatus,
    RecordedRsvp,
    RsvpRecordStatus,
    RsvpReply,
    RsvpSource,
)
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.attendance.transitions import STATUSES_BEFORE, TRANSITIONS, AttendanceAction, AttendanceTransition
from openmeet.domain.moderation import blocks
from openmeet.domain.paging import ALL_ROWS
from tests.openmeet.site_under_test import event_by, person

S = AttendanceStatus
REPLIES = {
    AttendanceAction.GOING: RsvpReply.GOING,
    AttendanceAction.INTERESTED: RsvpReply.INTERESTED,
    AttendanceAction.DECLINE: RsvpReply.DECLINED,
}
RECORDS = {
    AttendanceAction.NETWORK_GOING: RsvpRecordStatus.GOING,
    AttendanceAction.NETWORK_INTERESTED: RsvpRecordStatus.INTERESTED,
    AttendanceAction.NETWORK_NOT_GOING: RsvpRecordStatus.NOT_GOING,
    AttendanceAction.NETWORK_UNCLEAR: RsvpRecordStatus.UNCLEAR,
    AttendanceAction.SHUT_OUT: RsvpRecordStatus.GOING,  # by somebody whom the host has blocked
}
URI = "at://did:plc:abc/community.lexicon.calendar.rsvp/"


def expected(act: AttendanceAction, before: AttendanceStatus | None) -> AttendanceStatus | str | None:
    """The result for an event with free places and no approval, and people who have signed in to this site. A refusal
    is returned as its name.
    """
    outcome = TRANSITIONS[act][before]
    match outcome:
        case AttendanceTransition.KEEP | AttendanceTransition.ACCEPT_OFFER | AttendanceTransition.SEAT_IF_UNCLEAR:
            # Nobody waits if there is room for everyone.
            return S.ATTENDING if outcome is AttendanceTransition.ACCEPT_OFFER else before
        case AttendanceTransition.SEAT | AttendanceTransition.APPROVE_AND_SEAT:
            return S.ATTENDING
        case AttendanceTransition.SEAT_OR_REFUSE:
            return S.ATTENDED if act is AttendanceAction.CHECK_IN else S.ATTENDING
        case AttendanceTransition.RESTORE_PREVIOUS:
            return S.DECLINED if act is AttendanceAction.RESTORE else S.ATTENDING  # there is no previous status
        case AttendanceTransition.REFUSE_REJECTED:
            return "AnswerRejected"
        case AttendanceTransition.REFUSE_CHECKED_IN:
            return "CheckedIn"
        case AttendanceTransition.NO_ANSWER:
            return "NotFound"
        case AttendanceTransition.PENDING_UNCLEAR:
            return S.PENDING
        case _:
            return AttendanceStatus(outcome.value)


async def stands_so(tx, event, who, status) -> Attendance | None:
    """Insert an attendance row with this status."""
    if status is None:
        return None
    now = tx.now
    number = 1 if status is S.WAITLISTED else None
    row = Attendance(
        AttendanceId(new_id(now)),
        event.id,
        who.user_id,
        status,
        number,
        RsvpSource.HERE,
        1,
        None,
        now,
        Instant(now - DAY),
    )
    await execute_together(tx, [queries.insert_statement(row)])
    return row


async def do(tx, act: AttendanceAction, host, who, event, mine) -> None:
    """Carry out the action of this cell, as people, records and hosts do."""
    some_id = mine.id if mine else AttendanceId("nobody")
    uri = URI + event.id
    if act in REPLIES:
        await actions.answer(tx, who, event.slug, REPLIES[act])
    elif act in RECORDS:
        if act is AttendanceAction.SHUT_OUT:
            await blocks.block(tx, host.user_id, who.user_id)
        await rsvp_records.apply_from_network(
            tx,
            RecordedRsvp(
                event_id=event.id, user_id=who.user_id, record_uri=uri, status=RECORDS[act], first_seen_at=tx.now
            ),
        )
    elif act is AttendanceAction.NETWORK_GONE:
        if mine:
            await queries.set_record(tx, mine.id, uri)
        await rsvp_records.apply_deletion_from_network(tx, record_uri=uri)
    elif act is AttendanceAction.APPROVE:
        await host_decisions.approve(tx, host, event.slug, [some_id])
    elif act is AttendanceAction.REJECT:
        await host_decisions.reject(tx, host, event.slug, [some_id])
    elif act is AttendanceAction.RESTORE:
        await host_decisions.restore(tx, host, event.slug, some_id)
    elif act is AttendanceAction.INVITE:
        address = f"{who.display_name}@example.org".lower()
        if mine:
            await tx.execute("update attendances set invited_as = :address where id = :id", address=address, id=mine.id)
        await invitations.invite(tx, host, event.slug, f"{who.display_name}@example.org")
    elif act is AttendanceAction.CHECK_IN:
        await host_decisions.check_in(tx, host, event.slug, some_id)
    elif act is AttendanceAction.UNDO_CHECK_IN:
        await host_decisions.undo_check_in(tx, host, event.slug, some_id)
    elif act is AttendanceAction.MOVE_UP:
        await waitlist.fill_seats(tx, EventRegistration(event))
    elif act is AttendanceAction.EXPIRE_OFFER:
        if mine and mine.status is S.WAITLISTED:
            await queries.save(tx, replace(mine, offered_until=tx.now))
        await waitlist.end_expired_offers(tx, event)


# Hosts add people by name, so there is never an earlier answer. Only people on the waitlist can lose an offer or move
# up.
CELLS = [
    (act, before)
    for act in AttendanceAction
    for before in STATUSES_BEFORE
    if not (act is AttendanceAction.ADD and before is not None)
]


async def test_every_cell_gives_its_result(make_sqlite):
    db = await make_sqlite("openmeet")
    wrong = []
    async with db.transaction() as tx:
        host = await person(tx, "Host")
    for number, (act, before) in enumerate(CELLS):
        async with db.transaction() as tx:
            who = await person(tx, f"p{number}")
            tomorrow = {"starts": "2026-03-02T10:00", "ends": "2026-03-02T12:00"}
            event = await event_by(tx, host, title=f"Cell {number}", **tomorrow)
            if act is AttendanceAction.ADD:
                found = (await host_decisions.add(tx, host, event.slug, "Eve")).status
                wrong += [] if found is S.ATTENDING else [(act, before, found)]
                continue
            mine = await stands_so(tx, event, who, before)
            try:
                await do(tx, act, host, who, event, mine)
                after = await queries.find(tx, event.id, who.user_id)
                found = after and after.status
                lines = await history.of_rsvp(tx, after.id, ALL_ROWS) if after else []
                is_told = bool(lines) == (found is not before)
                wrong += [] if is_told else [(act, before, "history", lines)]
            except Refused as refused:
                found = refused.name
            except NotFound:
                found = "NotFound"
        want = expected(act, before)
        if before is None and want == "NotFound" and act in {AttendanceAction.MOVE_UP, AttendanceAction.EXPIRE_OFFER}:
            want = None  # the scheduled task finds nobody
        wrong += [] if found == want else [(act, before, found, want)]
    assert wrong == []


def test_the_table_is_complete():
    assert set(TRANSITIONS) == set(AttendanceAction)
    assert all(set(row) == {None, *AttendanceStatus} for row in TRANSITIONS.values())


@pytest.mark.parametrize("status", [S.REJECTED, S.ATTENDED])
def test_records_do_not_change_rejected_or_checked_in_people(status):
    assert {TRANSITIONS[act][status] for act in AttendanceAction if act.value.startswith("network")} == {
        AttendanceTransition.KEEP
    }
