"""A published event with two places and five people who answer it."""

from groundwork.database.transaction import Database
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events import actions as events
from openmeet.domain.events import record_changes
from openmeet.domain.events.model import Event
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller, UserId
from tests.openmeet.ingestion.network import did
from tests.simulation.oracle import EVENT

PLACES = 2
PEOPLE = 5
TWO_PLACES_URI = f"at://{did(9)}/{EVENT}/tea"


async def connect_person(db: Database, number: int) -> Caller:
    """A person who has signed in on this site and has a DID."""
    async with db.transaction() as tx:
        user_id = await users.create_person(tx, display_name=f"P{number}")
        await identity_queries.insert(
            tx, did(number), user_id, IdentityKind.CONNECTED, handle="", pds_url="", is_default=True
        )
    return Caller(user_id, f"P{number}")


async def create_event_with_two_places(db: Database) -> tuple[Event, list[Caller]]:
    """A published event with two places, and five people."""
    host = await connect_person(db, 9)
    people = [await connect_person(db, number) for number in range(PEOPLE)]
    async with db.transaction() as tx:
        submission = Submission(
            title="Tea", starts="2026-04-01T17:00", time_zone="UTC", capacity=str(PLACES), visibility="public"
        )
        event = await events.create(tx, host, check(submission))
        await record_changes.store_record_uri(tx, event.id, uri=TWO_PLACES_URI, cid="c", did=did(9))
    return event, people


async def answer_statuses(db: Database) -> dict[UserId, str]:
    """The status of each answer, or ``offered`` if a place is reserved for it."""
    async with db.reader() as reader:
        rows = await reader.fetch("select user_id, status, offered_until from attendances")
    return {UserId(row["user_id"]): "offered" if row["offered_until"] else row["status"] for row in rows}


async def seats_are_consistent(db: Database) -> bool:
    """There are no more attendees than places, nobody waits while a place is free, and each answer's history ends in
    its current status.
    """
    async with db.reader() as reader:
        lost = await reader.fetch(
            "select id from attendances a where not exists"
            " (select 1 from attendance_history h where h.attendance_id = a.id and h.after_status = a.status)"
        )
        assert lost == []
        event_row = await reader.fetch_one("select id from events where capacity is not null")
        assert event_row is not None
        rows = await reader.fetch("select status from attendances where event_id = :id", id=event_row["id"])
    found = [row["status"] for row in rows]
    seated = len([one for one in found if one in {"attending", "offered"}])
    return seated <= PLACES and (seated == PLACES or AttendanceStatus.WAITLISTED not in found)
