"""A published event and people whose answers to it may arrive before they are allowed to answer."""

from groundwork.database.transaction import Database
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events import actions as events
from openmeet.domain.events import record_changes
from openmeet.domain.events.model import Event, GroupOfEvent
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.users.model import Caller
from tests.openmeet.ingestion.network import did
from tests.openmeet.site_under_test import details, person
from tests.simulation.oracle import EVENT

HOST, CLEO = 9, 1
HOSTS_TEA_URI = f"at://{did(HOST)}/{EVENT}/tea"


async def connect_person(tx, name: str, number: int) -> Caller:
    """A person who has signed in on this site and has a DID."""
    caller = await person(tx, name)
    await identity_queries.insert(
        tx, did(number), caller.user_id, IdentityKind.CONNECTED, handle="", pds_url="", is_default=True
    )
    return caller


async def create_published_event(tx, host: Caller, *, group: GroupOfEvent | None = None, **more: str) -> Event:
    event = await events.create(tx, host, details(**more), group=group)
    await record_changes.store_record_uri(tx, event.id, uri=HOSTS_TEA_URI, cid="c", did=did(HOST))
    return event


async def answer_status(db: Database, event: Event, who: Caller) -> AttendanceStatus | None:
    async with db.reader() as reader:
        found = await attendance_queries.find(reader, event.id, who.user_id)
    return None if found is None else found.status
