"""Two accounts of a person are merged while the publisher writes a record of one of them."""

import pytest

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Transaction
from openmeet.domain.account_merge import actions
from openmeet.domain.account_merge.model import MergeProposalId
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import Attendance, RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import GroupId
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.users.model import Caller
from openmeet.network.publishing.decision import DecisionBasis, PublishByWriter
from openmeet.network.publishing.decision_basis import lock_basis
from openmeet.network.records.collections import RSVP
from openmeet.outbox import leased_publications
from openmeet.outbox.in_flight import InFlightWrite
from openmeet.outbox.publications import PublicationKind
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.ingestion.network import did
from tests.openmeet.interleaving import Work, noting, run_interleaved
from tests.openmeet.site_under_test import details, person

# Number of statements between two stops of the merge. All stops were tried once.
STEP = 43


@pytest.mark.parametrize("engine", ["postgresql"])  # SQLite has a single writer
@pytest.mark.parametrize("stopped", ["the merge", "the write"])
async def test_a_merge_and_a_write_wait_for_each_other_in_one_order(make_database: MakeDatabase, stopped: str) -> None:
    """Neither loses a deadlock. The record is Ben's RSVP to an event of a group that he is in."""
    db = await make_database("openmeet")
    step = STEP if stopped == "the merge" else 1
    at, is_stopped = 1, True
    lost: list[str] = []
    while is_stopped:
        async with db.transaction() as tx:
            host, ana = [await person(tx, f"{name} {at}") for name in ("Host", "Ana")]
            group = await group_by(tx, host)
            ben = await add_member(tx, group, host, f"Ben {at}")
            event = await events.create(tx, host, details(), group=as_group_of_event(group))
            rsvp = await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
            works = await merging(tx, ana, f"ben.{at}@example.org"), await writing(tx, did(at), ben, rsvp, group.id)
        first, second = works if stopped == "the merge" else reversed(works)
        is_stopped = await run_interleaved(db, noting(first, lost), noting(second, lost), at)
        at += step
    assert at > 2 * step, "nothing was interrupted"
    assert not any("concurrent change" in why for why in lost), lost


async def merging(tx: Transaction, who: Caller, address: str) -> Work:
    """Return the transaction in which this person merges the account with this address, which is theirs, too."""
    proposal, _ = await actions.prove_email(tx, who.user_id, address)
    assert proposal is not None
    proven: MergeProposalId = proposal
    return lambda tx: actions.confirm(tx, who.user_id, proven)


async def writing(tx: Transaction, repository: Did, who: Caller, rsvp: Attendance, group_id: GroupId) -> Work:
    """Return the transaction in which the publisher stores the first write of this RSVP."""
    kind = IdentityKind.CONNECTED
    identity = await identity_queries.insert(
        tx, repository, who.user_id, kind, handle="", pds_url="https://pds.example", is_default=True
    )
    await identities.grant_consent(tx, who.user_id, handle="")
    leased = await leased_publications.lease_one(tx, kind=PublicationKind.RSVP, subject_id=rsvp.id, seconds=60)
    assert identity is not None
    assert leased is not None
    permissions = await publishing_preferences.permissions_of(tx, [who.user_id])
    basis = DecisionBasis(permissions, await group_queries.revisions_of(tx, [group_id]))
    decision = PublishByWriter(identity, RSVP, None, lambda *_: {}, basis)
    write = InFlightWrite(f"at://{repository}/{RSVP}/answer", "cid", None)

    async def work(tx: Transaction) -> None:
        if await lock_basis(tx, [(leased, decision)]):
            await leased_publications.store_before_sending(tx, leased, write, did=repository, body=b"")

    return work
