"""Importing a person's export gives the person no more access to other people's data than requests on the pages would."""

import json

import pytest

from groundwork.errors import InvalidInput, Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import queries, registration
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.data_export.person import export_document, import_document
from openmeet.domain.data_export.tables import DataExportReason
from openmeet.domain.events import actions, group_of_event
from openmeet.domain.events import queries as events
from openmeet.domain.events.content import Content
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration
from openmeet.domain.groups.model import GroupDetails, GroupRole, GroupVisibility
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import queries as series_queries
from tests.openmeet.groups.people import group_by, role_of
from tests.openmeet.series.practice import weekly
from tests.openmeet.site_under_test import details, event_by, person


@pytest.fixture
async def db(make_database, clock):
    return await make_database("openmeet", clock=clock)


@pytest.fixture
async def other_db(make_database, clock):
    return await make_database("openmeet", clock=clock)


async def exported(db, who):
    return json.loads(json.dumps(await export_document(db, who.user_id, "https://m.example")))


def an_answer(found, event, status="attending"):
    """A row of ``attendances`` that an attacker could write."""
    said = {"id": f"0198a3c2-7b1e-7c40-9d5e-{len(found['tables']['attendances']):012}", "eventId": event.id}
    said |= {"userId": found["person"]["id"], "status": status, "waitlistNumber": None, "source": "here", "revision": 1}
    said |= {"recordUri": None, "createdAt": 1, "answeredAt": 1, "party": 1, "mode": None, "approvedAt": 1}
    found["tables"]["attendances"].append(said)


def a_membership(found, group, role):
    said = {"id": f"0198a3c2-7b1e-7c40-9d5f-{len(found['tables']['groupMembers']):012}", "groupId": group.id}
    said |= {"userId": found["person"]["id"], "role": role, "answer": "", "requestedAt": None, "joinedAt": 1}
    said |= {"decidedBy": None, "decidedAt": None, "revision": 1, "createdAt": 1, "updatedAt": 1}
    found["tables"]["groupMembers"].append(said)


async def test_imported_answers_follow_the_events_rules(db):
    """An imported answer follows the event's rules: it can be put on the waitlist, need approval, or be dropped for a
    private event. The host's decisions stay.
    """
    async with db.transaction() as tx:
        ana, ben, eve = await person(tx, "Ana"), await person(tx, "Ben"), await person(tx, "Eve")
        full = await event_by(tx, ana, capacity="1")
        await attendance.answer(tx, ben, full.slug, RsvpReply.GOING)
        approved = await event_by(tx, ana)
        await registration.put(tx, approved.id, RegistrationSettings(needs_approval=True))
        private = await event_by(tx, ana, visibility="private")
        free = await event_by(tx, ana)
        declined = await event_by(tx, ana)
        await attendance.answer(tx, eve, declined.slug, RsvpReply.DECLINED)
    found = await exported(db, eve)
    found["tables"]["attendances"].clear()
    for event in (full, approved, private, free):
        an_answer(found, event)
    an_answer(found, declined, "attended")
    an_answer(found, free, "invited")
    taken, left = await import_document(db, found)
    assert (taken["attendances"], left["attendances"]) == (5, 1)
    async with db.reader() as reader:
        mine = await queries.of_user(reader, eve.user_id, [one.id for one in (full, approved, private, free, declined)])
    assert {event_id: one.status for event_id, one in mine.items()} == {
        full.id: AttendanceStatus.WAITLISTED,
        approved.id: AttendanceStatus.PENDING,
        free.id: AttendanceStatus.ATTENDING,
        declined.id: AttendanceStatus.DECLINED,
    }


async def test_roles_are_not_imported(db):
    """A claimed role in a group becomes a join request at most. A ban stays, and the person keeps their own groups."""
    async with db.transaction() as tx:
        ana, eve = await person(tx, "Ana"), await person(tx, "Eve")
        made = [await group_by(tx, ana, join_policy=policy) for policy in ("open", "request", "invite")]
        hidden = await group_by(tx, ana, visibility="private")
        banned = await group_by(tx, ana)
        await groups.join(tx, eve, banned.slug)
        await administration.ban(tx, ana, banned.slug, eve.user_id)
        own = await groups.create(tx, eve, GroupDetails(name="Choir", time_zone="UTC"))
    found = await exported(db, eve)
    for group in (*made, hidden):
        a_membership(found, group, "admin")
    for row in found["tables"]["groupMembers"]:
        row["role"] = "admin" if row["groupId"] != own.id else "owner"
    taken, left = await import_document(db, found)
    assert (taken["group_members"], left["group_members"]) == (4, 2)
    async with db.reader() as reader:
        roles = [await role_of(reader, one, eve) for one in (*made, hidden, banned, own)]
    assert roles == [GroupRole.MEMBER, GroupRole.PENDING, None, None, GroupRole.BANNED, GroupRole.OWNER]


async def test_an_existing_account_needs_proof_of_identity(db):
    """User ids are public, so a person who already has an account must own the e-mail address, or an identity that they
    proved on this site.
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    found = await exported(db, ana)
    assert (await import_document(db, found))[0]["users"] == 1
    found["tables"]["users"][0]["email"] = "eve@example.org"
    with pytest.raises(Refused) as refused:
        await import_document(db, found)
    assert refused.value.name == "PersonIsHere"
    async with db.transaction() as tx:
        await tx.execute(
            "insert into identities (did, user_id, kind, handle, display_name, pds_url, status, is_default, created_at,"
            " updated_at) values (:did, :id, 'connected', 'ana.example', '', '', 'active', 1, 1, 1)",
            did="did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
            id=ana.user_id,
        )
    found["tables"]["identities"] = [{"did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"}]
    assert (await import_document(db, found))[0]["users"] == 1
    async with db.reader() as reader:
        assert (await reader.fetch_one("select email from users where id = :id", id=ana.user_id))["email"] == (
            "ana@example.org"
        )


@pytest.mark.parametrize("table", ["events", "eventSeries", "groups", "attendances"])
async def test_rows_of_other_owners_are_not_imported(db, table):
    """Rows that name another owner are left out, even if the person's own id is in another column."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        await attendance.answer(tx, ana, event.slug, RsvpReply.GOING)
        await series_actions.create(tx, ana, Content("Practice"), weekly())
        await groups.create(tx, ana, GroupDetails(name="Choir", time_zone="UTC"))
    found = await exported(db, ana)
    owner = {"events": "authorId", "eventSeries": "userId", "groups": "ownerId", "attendances": "userId"}[table]
    row = found["tables"][table][0]
    row |= {owner: "0198a3c2-7b1e-7c40-9d5e-2f6a1b8c4d01", "externalId": ana.user_id, "answer": ana.user_id}
    if table == "attendances":
        row.pop("answer")
        row.pop("externalId")
        row["replyWords"] = ana.user_id
    else:
        row.pop("answer")
    with pytest.raises(InvalidInput, match=DataExportReason.ROW_OF_ANOTHER_PERSON):
        await import_document(db, found)


async def test_rows_that_only_the_site_can_write_are_not_imported(db, other_db):
    """These rows are not imported: records of a repository that the person has not proven to own, active accounts, chat
    rooms, and dates in another person's series.
    """
    uri, did = (
        "at://did:plc:bbbbbbbbbbbbbbbbbbbbbbbb/community.lexicon.calendar.event/3k",
        "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb",
    )
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event, dated = await event_by(tx, ana), await event_by(tx, ana, title="Not a date")
        group = await groups.create(tx, ana, GroupDetails(name="Choir", time_zone="UTC"))
    async with other_db.transaction() as tx:
        ben = await person(tx, "Ben")
        his = await series_actions.create(tx, ben, Content("Practice"), weekly())
    found = await exported(db, ana)
    for row in found["tables"]["events"]:
        if row["id"] == event.id:
            row |= {"recordUri": uri, "recordDid": did, "recordCid": "bafy", "matrixRoomId": "!theirs:m.example"}
        else:
            row |= {"seriesId": his.id, "originalDate": "2026-12-01T18:00:00"}
    found["tables"]["groups"][0] |= {"accountId": ben.user_id, "isReadOnly": 1, "externalId": "elsewhere"}
    taken, left = await import_document(other_db, found)
    assert (taken["events"], left["events"], left["records"]) == (1, 1, 1)
    async with other_db.reader() as reader:
        row = await reader.fetch_one("select record_uri, matrix_room_id from events where id = :id", id=event.id)
        assert (row["record_uri"], row["matrix_room_id"]) == (None, None)
        assert await events.by_id(reader, dated.id) is None
        row = await reader.fetch_one(
            "select account_id, is_read_only, external_id from groups where id = :id", id=group.id
        )
        assert (row["account_id"], row["is_read_only"], row["external_id"]) == (None, 0, None)


async def test_an_event_of_anothers_group_becomes_private(db, other_db):
    """Without the right to create events in a group, the event is imported as private and without group. In the
    person's own group it stays as it is.
    """
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        his = await group_by(tx, ben, visibility=GroupVisibility.PRIVATE.value)
        link = await administration.invite_by_link(tx, ben, his.slug, uses=1)
        await administration.accept(tx, ana, link.id)
        await administration.change_role(tx, ben, his.slug, ana.user_id, GroupRole.MODERATOR)
        secret = await actions.create(tx, ana, details(), group=group_of_event.as_group_of_event(his))
        await series_actions.create(tx, ana, Content("Practice"), weekly(), group=group_of_event.as_group_of_event(his))
        own = await groups.create(tx, ana, GroupDetails(name="Choir", time_zone="UTC"))
        sung = await actions.create(tx, ana, details(), group=group_of_event.as_group_of_event(own))
        await administration.remove(tx, ben, his.slug, ana.user_id)
    found = await exported(db, ana)
    for place in (other_db, db):
        await import_document(place, found)
    async with other_db.reader() as reader:
        event = await events.by_id(reader, secret.id)
        assert (event.group, event.visibility) == (None, Visibility.PRIVATE)
        assert (await events.by_id(reader, sung.id)).group.id == own.id
        (row,) = await reader.fetch("select id from event_series")
        series = await series_queries.by_id(reader, row["id"])
        assert (series.group, series.visibility) == (None, Visibility.PRIVATE)
    async with db.reader() as reader:
        assert (await events.by_id(reader, secret.id)).group.id == his.id, "existing rows stay"
