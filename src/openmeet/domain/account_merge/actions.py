"""Sign in with a DID, prove ownership of another account, and confirm or decline the merge."""

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import NotFound
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.account_merge import queries
from openmeet.domain.account_merge.merge import is_there, merge
from openmeet.domain.account_merge.model import (
    AccountClaim,
    AccountMergeReason,
    ClaimId,
    Holding,
    OwnershipProof,
    SignInResult,
)
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.identities import backfill_progress
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.users import guests
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import UserId
from openmeet.outbox import publications
from openmeet.outbox.kinds import JobKind


async def sign_in_with_did(
    tx: Transaction, did: Did, *, handle: str, pds_url: str, caller: UserId | None = None
) -> SignInResult:
    """Sign in with, or link, a DID that the person has proved they control, and enqueue a backfill of its repository.

    Without ``caller`` this is a sign-in: as the owner of the DID, as its shadow (which becomes a person's account), or
    as a new user. With ``caller`` it links the DID to their account. A DID that no user of this site has is linked at
    once. A DID that belongs to a shadow or to another account becomes a claim (``SignInResult.claim``) that the caller
    must confirm, unless there is nothing to merge. ``handle`` and ``pds_url`` are verified.
    """
    identity = await identity_queries.find(tx, did)
    signed_in = await _sign_in(tx, did, identity.user_id if identity else None, handle, pds_url, caller)
    await backfill_progress.track(tx, did)
    await enqueue_again(tx, JobKind.BACKFILL, [did])
    return signed_in


async def _sign_in(
    tx: Transaction, did: Did, holder: UserId | None, handle: str, pds_url: str, caller: UserId | None
) -> SignInResult:
    if caller is None:
        was_shadow = holder is not None and await _is_shadow(tx, did)
        user_id = await identity_actions.connect(tx, did, handle=handle, pds_url=pds_url)
        if was_shadow:
            # A job, because they can have any number of RSVPs.
            await enqueue_again(tx, JobKind.GAINED_ACCESS, [user_id])
        return SignInResult(user_id)
    if holder is None or holder == caller:
        await identity_actions.link(tx, did, caller, handle=handle, pds_url=pds_url)
        return SignInResult(caller)
    if not await queries.holdings(tx, holder) and await _is_shadow(tx, did):
        await merge(tx, holder, caller)
        await identity_actions.link(tx, did, caller, handle=handle, pds_url=pds_url)
        return SignInResult(caller)
    # The DID stays with its present owner until the merge is confirmed.
    await identity_queries.note_proven(tx, did, handle=handle, pds_url=pds_url)
    return SignInResult(caller, claim=await queries.open_claim(tx, caller, holder, OwnershipProof.DID, did))


async def prove_email(tx: Transaction, caller: UserId, email: str) -> tuple[ClaimId | None, bool]:
    """Use the proof that the caller receives e-mail at ``email`` (lower-cased). Return the claim, if any, and whether
    the caller now has the address.

    If the address belongs to another account, that account becomes a claim. If the address belongs to no account and
    the caller has none, the address is assigned to the caller.
    """
    await guests.lock_address(tx, email)
    person = await user_queries.by_email(tx, email)
    holder = person.id if person else await guests.by_email(tx, email)
    if holder == caller:
        return None, False
    if holder is None:
        return None, await user_queries.take_email(tx, caller, email)
    return await queries.open_claim(tx, caller, holder, OwnershipProof.EMAIL, email), False


async def claim_and_holdings(
    reader: Reader, caller: UserId, claim_id: ClaimId
) -> tuple[AccountClaim, tuple[Holding, ...]]:
    """Return a claim of the caller and what it would merge or has merged. Raises NotFound if there is no such claim or
    it has expired.
    """
    claim = await queries.find(reader, claim_id, caller)
    if claim is None:
        raise NotFound(AccountMergeReason.PROVE_AGAIN)
    if claim.settled_at is not None:
        return claim, claim.joined
    if claim.other_id is None or claim.expires_at <= reader.now or not await _still_holds(reader, claim):
        raise NotFound(AccountMergeReason.EXPIRED)
    return claim, await queries.holdings(reader, claim.other_id)


async def confirm(tx: Transaction, caller: UserId, claim_id: ClaimId) -> tuple[Holding, ...]:
    """Merge the other account completely, or not at all if anything fails. Idempotent: repeating the call returns the
    first result.

    Raises NotFound, Refused (``TwoRepositories``) and TransactionConflict, after which the caller must retry
    (``Database.batch``).
    """
    claim = await queries.lock(tx, claim_id, caller)
    if claim is not None and claim.settled_at is not None:
        return claim.joined
    if claim is None or claim.other_id is None or claim.expires_at <= tx.now:
        raise NotFound(AccountMergeReason.EXPIRED)
    if not await is_there(tx, claim.other_id):
        raise NotFound(AccountMergeReason.ACCOUNT_GONE)
    if not await _still_holds(tx, claim):
        raise NotFound(AccountMergeReason.PROOF_OF_OTHER_ACCOUNTS)
    dids = [one.did for one in await identity_queries.of_user(tx, claim.other_id)]
    joined = await merge(tx, claim.other_id, caller)
    if claim.proof is OwnershipProof.DID:
        # Check again now that the rows are locked: another transaction may have unlinked or merged the DID or address
        # in the meantime.
        if await _holder(tx, claim) != caller:
            raise NotFound(AccountMergeReason.PROOF_OF_OTHER_ACCOUNTS)
        for did in dids:
            await identity_queries.claim(tx, did)
        await publications.make_unpublished_due_of(tx, caller)
    await queries.complete(tx, claim_id, joined)
    return joined


async def decline(tx: Transaction, caller: UserId, claim_id: ClaimId) -> None:
    """Decline the merge. Both accounts stay as they are. Raises NotFound."""
    if not await queries.drop(tx, claim_id, caller):
        raise NotFound(AccountMergeReason.NOTHING_TO_JOIN)


async def _still_holds(reader: Reader, claim: AccountClaim) -> bool:
    """Whether the proven DID or address still belongs to the other account. If not, the claim must not merge that
    account.
    """
    return await _holder(reader, claim) == claim.other_id


async def _holder(reader: Reader, claim: AccountClaim) -> UserId | None:
    if not claim.proven:
        return None
    if claim.proof is OwnershipProof.DID:
        identity = await identity_queries.find(reader, Did(claim.proven))
        return None if identity is None else identity.user_id
    person = await user_queries.by_email(reader, claim.proven)
    return person.id if person else await guests.by_email(reader, claim.proven)


async def _is_shadow(reader: Reader, did: Did) -> bool:
    identity = await identity_queries.find(reader, did)
    return identity is not None and identity.kind is IdentityKind.SHADOW
