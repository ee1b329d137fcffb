"""Sign in with a DID, prove ownership of another account, and confirm or decline the merge."""

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import NotFound
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.account_merge import queries
from openmeet.domain.account_merge.merge import is_there, merge
from openmeet.domain.account_merge.model import (
    AccountMergeReason,
    LabelledCount,
    MergeProposal,
    MergeProposalId,
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
from openmeet.outbox import publication_rechecks
from openmeet.outbox.kinds import JobKind


async def sign_in_with_did(
    tx: Transaction, did: Did, *, handle: str, pds_url: str, caller: UserId | None = None
) -> SignInResult:
    """Sign in with, or link, a DID that the person has proved they control, and enqueue a backfill of its repository.

    Without ``caller`` this is a sign-in: as the owner of the DID, as its shadow (which becomes a person's account), or
    as a new user. With ``caller`` it links the DID to their account. A DID that no user of this site has is linked at
    once. If it belongs to a shadow or to another account, a merge is proposed (``SignInResult.proposal``) that the caller
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
    return SignInResult(caller, proposal=await queries.propose(tx, caller, holder, OwnershipProof.DID, did))


async def prove_email(tx: Transaction, caller: UserId, email: str) -> tuple[MergeProposalId | None, bool]:
    """Use the proof that the caller receives e-mail at ``email`` (lower-cased). Return the proposed merge, if any,
    and whether the caller now has the address.

    If the address belongs to another account, a merge with it is proposed. If the address belongs to no account and the
    caller has none, the address is assigned to the caller.
    """
    await guests.lock_address(tx, email)
    person = await user_queries.by_email(tx, email)
    holder = person.id if person else await guests.by_email(tx, email)
    if holder == caller:
        return None, False
    if holder is None:
        return None, await user_queries.take_email(tx, caller, email)
    return await queries.propose(tx, caller, holder, OwnershipProof.EMAIL, email), False


async def proposal_and_holdings(
    reader: Reader, caller: UserId, proposal_id: MergeProposalId
) -> tuple[MergeProposal, tuple[LabelledCount, ...]]:
    """Return a proposal of the caller and what it would merge or has merged. Raises NotFound if there is no such
    proposal or it has expired.
    """
    proposal = await queries.find(reader, proposal_id, caller)
    if proposal is None:
        raise NotFound(AccountMergeReason.PROVE_AGAIN)
    if proposal.settled_at is not None:
        return proposal, proposal.joined
    if proposal.other_id is None or proposal.expires_at <= reader.now or not await _still_holds(reader, proposal):
        raise NotFound(AccountMergeReason.EXPIRED)
    return proposal, await queries.holdings(reader, proposal.other_id)


async def confirm(tx: Transaction, caller: UserId, proposal_id: MergeProposalId) -> tuple[LabelledCount, ...]:
    """Merge the other account completely, or not at all if anything fails. Idempotent: repeating the call returns the
    first result.

    Raises NotFound, Refused (``TwoRepositories``) and TransactionConflict, after which the caller must retry
    (``Database.batch``).
    """
    proposal = await queries.lock(tx, proposal_id, caller)
    if proposal is not None and proposal.settled_at is not None:
        return proposal.joined
    if proposal is None or proposal.other_id is None or proposal.expires_at <= tx.now:
        raise NotFound(AccountMergeReason.EXPIRED)
    if not await is_there(tx, proposal.other_id):
        raise NotFound(AccountMergeReason.ACCOUNT_GONE)
    if not await _still_holds(tx, proposal):
        raise NotFound(AccountMergeReason.PROOF_OF_OTHER_ACCOUNTS)
    dids = [one.did for one in await identity_queries.of_user(tx, proposal.other_id)]
    joined = await merge(tx, proposal.other_id, caller)
    if proposal.proof is OwnershipProof.DID:
        # Check again now that the rows are locked: another transaction may have unlinked or merged the DID or address
        # in the meantime.
        if await _holder(tx, proposal) != caller:
            raise NotFound(AccountMergeReason.PROOF_OF_OTHER_ACCOUNTS)
        for did in dids:
            await identity_queries.claim(tx, did)
        await publication_rechecks.make_unpublished_due_of(tx, caller)
    await queries.complete(tx, proposal_id, joined)
    return joined


async def decline(tx: Transaction, caller: UserId, proposal_id: MergeProposalId) -> None:
    """Decline the merge. Both accounts stay as they are. Raises NotFound."""
    if not await queries.drop(tx, proposal_id, caller):
        raise NotFound(AccountMergeReason.NOTHING_TO_JOIN)


async def _still_holds(reader: Reader, proposal: MergeProposal) -> bool:
    """Whether the proven DID or address still belongs to the other account. If not, the proposal must not merge that
    account.
    """
    return await _holder(reader, proposal) == proposal.other_id


async def _holder(reader: Reader, proposal: MergeProposal) -> UserId | None:
    if not proposal.proven:
        return None
    if proposal.proof is OwnershipProof.DID:
        identity = await identity_queries.find(reader, Did(proposal.proven))
        return None if identity is None else identity.user_id
    person = await user_queries.by_email(reader, proposal.proven)
    return person.id if person else await guests.by_email(reader, proposal.proven)


async def _is_shadow(reader: Reader, did: Did) -> bool:
    identity = await identity_queries.find(reader, did)
    return identity is not None and identity.kind is IdentityKind.SHADOW
