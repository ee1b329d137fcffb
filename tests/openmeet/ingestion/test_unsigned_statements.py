"""An unsigned statement about a group has no effect. It is requested from its repository and counts once it is signed."""

from dataclasses import replace

import pytest

from groundwork.database.transaction import Database
from openmeet.domain.groups import actions, queries
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.records import seen
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.seen import RecordState
from openmeet.outbox.kinds import JobKind
from tests.openmeet.ingestion.group_and_series_messages import acceptance_message, group_flags_on, membership_message
from tests.openmeet.ingestion.network import deletion_of, did
from tests.openmeet.ingestion.own_groups_and_series import OWN_GROUP_URI, create_published_group
from tests.openmeet.ingestion.view import apply_messages

__all__ = ["group_flags_on"]

pytestmark = pytest.mark.usefixtures("group_flags_on")


def unsigned(message: RecordMessage) -> RecordMessage:
    return replace(message, is_verified=False)


async def role_of(db: Database, group: Group, who: Caller) -> GroupRole | None:
    async with db.reader() as reader:
        membership = await queries.find_member(reader, group.id, who.user_id)
    return None if membership is None else membership.role


async def connect_ben(db: Database) -> Caller:
    async with db.transaction() as tx:
        user_id = await identities.connect(tx, did(2), handle="ben.example", pds_url="https://pds.example")
    return Caller(user_id, "Ben")


async def requested_proofs(db: Database) -> list[str]:
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select subject from outbox_jobs where kind = :kind order by subject", kind=JobKind.PROVE_RECORD.value
        )
    return [row["subject"] for row in rows]


async def test_an_unsigned_acceptance_assigns_no_role(db: Database):
    """Neither under a new key nor together with an unsigned membership of the same person."""
    _, group, _ = await create_published_group(db)
    ben = await connect_ben(db)
    async with db.transaction() as tx:
        await actions.join(tx, ben, group.slug)
    assert await role_of(db, group, ben) is GroupRole.MEMBER
    stated, accepted = (
        membership_message(1, uri=OWN_GROUP_URI),
        acceptance_message(2, uri=OWN_GROUP_URI, role=GroupRole.ADMIN),
    )
    assert await apply_messages(db, unsigned(stated), unsigned(accepted)) == [IngestResult.RAW] * 2
    assert await requested_proofs(db) == sorted([stated.uri, accepted.uri])
    await apply_messages(db, stated)
    assert await role_of(db, group, ben) is GroupRole.MEMBER
    async with db.reader() as reader:
        kept = await seen.find(reader, accepted.uri)
    assert kept is not None
    assert (kept.state, kept.reason) == (RecordState.RAW, RecordReason.AWAITS_PROOF())
    # The group's repository has it after all.
    await apply_messages(db, replace(accepted, is_read=True))
    assert await role_of(db, group, ben) is GroupRole.ADMIN


async def test_an_unsigned_membership_makes_nobody_a_member(db: Database):
    _, group, _ = await create_published_group(db)
    ben = await connect_ben(db)
    forged = membership_message(1, uri=OWN_GROUP_URI)
    await apply_messages(db, unsigned(forged))
    assert await role_of(db, group, ben) is None
    assert await requested_proofs(db) == [forged.uri]
    await apply_messages(db, replace(deletion_of(forged, 2), is_read=True))
    assert await role_of(db, group, ben) is None


async def test_unsigned_copies_of_signed_statements_change_nothing(db: Database):
    """In any order, an unsigned statement, its change and its deletion do not affect the signed one."""
    _, group, _ = await create_published_group(db)
    ben = await connect_ben(db)
    stated, accepted = (
        membership_message(1, uri=OWN_GROUP_URI),
        acceptance_message(2, uri=OWN_GROUP_URI, role=GroupRole.MODERATOR),
    )
    await apply_messages(db, unsigned(stated), unsigned(accepted), stated, accepted, unsigned(stated))
    assert await role_of(db, group, ben) is GroupRole.MODERATOR
    await apply_messages(db, unsigned(deletion_of(stated, 5)), unsigned(deletion_of(accepted, 5)))
    await apply_messages(db, unsigned(acceptance_message(6, uri=OWN_GROUP_URI, role=GroupRole.ADMIN)))
    assert await role_of(db, group, ben) is GroupRole.MODERATOR
    assert await requested_proofs(db) == sorted([stated.uri, accepted.uri])
