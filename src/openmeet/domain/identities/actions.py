"""Identity actions: find the owner of a DID, link and unlink, choose the default repository, consent to publishing."""

from collections.abc import Collection

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Transaction, TransactionConflict
from groundwork.errors import Conflict, NotFound, Refused
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.identities import queries, recovery_key_queries, session_queries
from openmeet.domain.identities.model import Identity, IdentityKind, IdentityReason, NewSession
from openmeet.domain.users import actions as user_actions
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import UserId
from openmeet.outbox import in_flight, publication_rechecks, publication_withdrawals
from openmeet.outbox.kinds import JobKind


async def person_for_did(tx: Transaction, did: Did) -> UserId:
    """Return the user who owns a DID. If nobody does, create a shadow account."""
    return (await author_for_did(tx, did))[0]


async def author_for_did(tx: Transaction, did: Did) -> tuple[UserId, bool]:
    """Like ``person_for_did``, but also return whether that user can sign in to this site with the DID."""
    return (await authors_for_dids(tx, [did]))[did]


async def authors_for_dids(tx: Transaction, dids: Collection[Did]) -> dict[str, tuple[UserId, bool]]:
    """Like ``author_for_did``, for several DIDs."""
    people = await queries.of_people_with(tx, dids)
    authors = {
        did: (one.user_id, one.can_write) for did in dids if did in people for one in people[did] if one.did == did
    }
    return authors | {
        did: (user_id, False) for did, user_id in (await _create_shadows(tx, set(dids) - authors.keys())).items()
    }


async def _create_shadows(tx: Transaction, dids: Collection[str]) -> dict[str, UserId]:
    """Create shadow accounts for unknown DIDs."""
    if not dids:
        return {}
    met = dict(zip(sorted(dids), await user_actions.create_shadows(tx, len(dids)), strict=True))
    if await queries.insert_shadows(tx, met) != met.keys():
        # Two transactions met the same unknown DID at once. This transaction fails, is retried and finds the other's
        # row.
        raise TransactionConflict("another transaction has just inserted this DID")
    # A job resolves handle, PDS and status outside the transaction.
    await enqueue_again(tx, JobKind.REFRESH_IDENTITY, met)
    return met


async def connect(tx: Transaction, did: Did, *, handle: str, pds_url: str) -> UserId:
    """Sign in with a DID that the person controls: as its user, as the owner of its shadow account, or as a new user."""
    identity = await queries.find(tx, did)
    if identity is None:
        user_id = await user_actions.create_person(tx, display_name=handle)
        made = await queries.insert(
            tx, did, user_id, IdentityKind.CONNECTED, handle=handle, pds_url=pds_url, is_default=True
        )
        if made is None:
            raise TransactionConflict("another transaction has just inserted this DID")
    else:
        user_id = identity.user_id
        if identity.kind is IdentityKind.SHADOW:
            await user_actions.claim_shadow(tx, user_id, display_name=handle)
        await queries.connect(
            tx, did, IdentityKind.CONNECTED, handle=handle, pds_url=pds_url, is_default=identity.is_default
        )
    await publication_rechecks.make_unpublished_due_of(tx, user_id)
    return user_id


async def link(tx: Transaction, did: Did, user_id: UserId, *, handle: str, pds_url: str) -> None:
    """Link a DID that the person controls and that belongs to no user of this site, or already belongs to this user.

    The default repository stays the same. Raises Conflict if the DID belongs to another user; that case is an account
    merge.
    """
    identity = await queries.find(tx, did)
    if identity is None:
        is_first = not (await queries.writable_of_user(tx, user_id))
        made = await queries.insert(
            tx, did, user_id, IdentityKind.CONNECTED, handle=handle, pds_url=pds_url, is_default=is_first
        )
        if made is None:
            raise TransactionConflict("another transaction has just inserted this DID")
    elif identity.user_id == user_id:
        await queries.connect(
            tx, did, IdentityKind.CONNECTED, handle=handle, pds_url=pds_url, is_default=identity.is_default
        )
    else:
        raise Conflict(IdentityReason.ACCOUNT_OF_ANOTHER_PERSON)
    await publication_rechecks.make_unpublished_due_of(tx, user_id)


async def erase(tx: Transaction, did: str) -> None:
    """Handle the deletion of the account behind a DID: drop the DID, and blank a shadow account. A person's account
    stays.
    """
    identity = await queries.find(tx, did)
    if identity is not None:
        await queries.delete(tx, did, identity.user_id)
        await user_actions.blank_shadow(tx, identity.user_id)


async def grant_consent(tx: Transaction, user_id: UserId, *, handle: str) -> None:
    """Record consent: public events and RSVPs become due for publication. If the user has no repository, one is
    created.
    """
    await queries.put_answer(tx, user_id, publishing=True, handle=handle)
    await publication_withdrawals.undo_withdrawals_of(tx, user_id)
    if await queries.writable_of_user(tx, user_id):
        await publication_rechecks.make_unpublished_due_of(tx, user_id)
    else:
        await enqueue_again(tx, JobKind.CUSTODIAL_ACCOUNT, [user_id])


async def withdraw(tx: Transaction, user_id: UserId) -> None:
    """Withdraw consent: nothing new is published, and published records are retracted."""
    before = await queries.consent(tx, user_id)
    await queries.put_answer(tx, user_id, publishing=False, handle=before.handle)
    await publication_withdrawals.withdraw_all_of(tx, user_id)


async def link_custodial_account(
    tx: Transaction, user_id: UserId, did: Did, *, handle: str, session: NewSession
) -> None:
    """Handle the creation of a custodial account: link its DID, store its session and release pending publications.

    If the user was deleted while the PDS created the account, enqueue its deletion instead.
    """
    if await queries.custodial_account(tx, user_id) is None:
        await enqueue_again(tx, JobKind.DELETE_CUSTODIAL_ACCOUNT, [did])
        return
    await queries.note_account_made(tx, user_id, did)
    await recovery_key_queries.note_used(tx, user_id, did)
    made = await queries.insert(
        tx, did, user_id, IdentityKind.CUSTODIAL, handle=handle, pds_url=session.pds_url, is_default=True
    )
    if made is None:
        # The account's first firehose events arrived before the PDS's response and created a shadow account, which
        # belongs to this user.
        await queries.reassign(tx, did, user_id, IdentityKind.CUSTODIAL, handle=handle, pds_url=session.pds_url)
    await session_queries.put(tx, session)
    await publication_rechecks.make_unpublished_due_of(tx, user_id)


async def delete_custodial_of(tx: Transaction, user_ids: Collection[UserId]) -> list[str]:
    """Enqueue the deletion of the custodial accounts of deleted people or groups.

    Returns their DIDs, or the handles of accounts whose creation the PDS has not confirmed.
    """
    subjects = await queries.custodial_of(tx, user_ids)
    await enqueue_again(tx, JobKind.DELETE_CUSTODIAL_ACCOUNT, subjects)
    return subjects


async def make_default(tx: Transaction, user_id: UserId, did: Did) -> None:
    """Make this DID the default for new records. Existing records are still updated in their own repository. Raises
    NotFound.
    """
    if not await queries.make_default(tx, user_id, did):
        raise NotFound(IdentityReason.NOT_YOUR_ACCOUNT)


async def unlink(tx: Transaction, user_id: UserId, did: Did) -> Identity:
    """Unlink a DID: we no longer act for it, and its records stay in its repository unchanged.

    Raises NotFound, and Refused if it is custodial (``Custodial``), if its recovery key has not been saved yet
    (``RecoveryKey``), or if it is the user's last way to sign in (``LastWayIn``). The caller must end the session at
    the PDS.
    """
    # Otherwise two requests could each unlink one of the last two accounts.
    await user_queries.lock(tx, user_id)
    own_identities = await queries.of_user(tx, user_id)
    unlinked = next((one for one in own_identities if one.did == did and one.can_write), None)
    if unlinked is None:
        raise NotFound(IdentityReason.NOT_YOUR_ACCOUNT)
    if unlinked.kind is IdentityKind.CUSTODIAL:
        raise Refused(IdentityReason.KEPT_HERE, name="Custodial")
    if await recovery_key_queries.has_key(tx, did):
        raise Refused(IdentityReason.RECOVERY_KEY_WAITS, name="RecoveryKey")
    person = await user_queries.by_id(tx, user_id)
    others = [one for one in own_identities if one.did != did and one.kind is IdentityKind.CONNECTED]
    if not others and (person is None or person.email is None):
        raise Refused(
            IdentityReason.LAST_WAY_IN,
            name="LastWayIn",
        )
    await queries.delete(tx, did, user_id)
    # In-flight writes that still reach the repository stay as well: the repository may soon belong to another user, so
    # it is not searched.
    await in_flight.erase(tx, did)
    writable = [one for one in own_identities if one.did != did and one.can_write]
    if unlinked.is_default and writable:
        await queries.make_default(tx, user_id, writable[0].did)
    return unlinked
