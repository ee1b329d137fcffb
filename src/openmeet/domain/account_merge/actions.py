"""Signing in with a DID, proving another account, and saying yes to joining it."""

from typing import Final

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import NotFound
from groundwork.outbox.jobs import enqueue
from openmeet.domain.account_merge import queries
from openmeet.domain.account_merge.merge import merge
from openmeet.domain.account_merge.model import AccountClaim, ClaimId, Holding, OwnershipProof, SignInResult
from openmeet.domain.attendance import reevaluation
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import backfill_progress
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.users import guests
from openmeet.domain.users import merge as joining
from openmeet.domain.users import queries as users
from openmeet.domain.users.model import UserId
from openmeet.outbox import publications
from openmeet.outbox.kinds import JobKind

_OTHERWISE: Final = "What you proved is not that account’s any more. Prove the other account once more."


async def sign_in_with_did(
    tx: Transaction, did: Did, *, handle: str, pds_url: str, caller: UserId | None = None
) -> SignInResult:
    """Somebody proved that they hold this DID; what their repository holds is owed a read.

    Without ``caller`` they sign in: as the person whose DID it is, as its shadow, who is a person from now on, or as somebody new. A
    signed-in ``caller`` links it: a DID that nobody here has is theirs at once; one of a shadow or of another account of theirs
    waits as a claim for their yes (``SignedIn.claim``), unless there is nothing to join. ``handle`` and ``pds_url`` are verified.
    """
    known = await identity_queries.find(tx, did)
    signed_in = await _sign_in(tx, did, known.user_id if known else None, handle, pds_url, caller)
    await backfill_progress.ask(tx, did)
    await enqueue(tx, JobKind.BACKFILL, did, int(tx.now))
    return signed_in


async def _sign_in(
    tx: Transaction, did: Did, holder: UserId | None, handle: str, pds_url: str, caller: UserId | None
) -> SignInResult:
    if caller is None:
        was_shadow = holder is not None and await _is_shadow(tx, did)
        held = await queries.holdings(tx, holder) if holder is not None and was_shadow else ()
        user_id = await identities.connect(tx, did, handle=handle, pds_url=pds_url)
        if was_shadow:
            await reevaluation.welcome(tx, user_id)
        return SignInResult(user_id, held)
    if holder is None or holder == caller:
        await identities.link(tx, did, caller, handle=handle, pds_url=pds_url)
        return SignInResult(caller)
    if not await queries.holdings(tx, holder) and await _is_shadow(tx, did):
        await merge(tx, holder, caller)
        await identities.link(tx, did, caller, handle=handle, pds_url=pds_url)
        return SignInResult(caller)
    # The DID itself stays where it is until the yes.
    await identity_queries.note_proven(tx, did, handle=handle, pds_url=pds_url)
    return SignInResult(caller, claim=await queries.open_claim(tx, caller, holder, OwnershipProof.DID, did))


async def prove_email(tx: Transaction, caller: UserId, email: str) -> tuple[ClaimId | None, bool]:
    """The caller proved that mail to ``email`` (lower-cased) reaches them: a claim, where it is another row's; whether they took it.

    Whose answers or account it was waits as a claim; an address that nobody has becomes the caller's where they had none.
    """
    person = await users.by_email(tx, email)
    holder = person.id if person else await guests.by_email(tx, email)
    if holder == caller:
        return None, False
    if holder is None:
        return None, await users.take_email(tx, caller, email)
    return await queries.open_claim(tx, caller, holder, OwnershipProof.EMAIL, email), False


async def look(reader: Reader, caller: UserId, claim_id: ClaimId) -> tuple[AccountClaim, tuple[Holding, ...]]:
    """A claim of the caller's and what it would join, or has joined. Raises NotFound (none such, or its hour is over)."""
    claim = await queries.find(reader, claim_id, caller)
    if claim is None:
        raise NotFound("There is nothing to join here. Prove the other account once more.")
    if claim.settled_at is not None:
        return claim, claim.joined
    if claim.other_id is None or claim.expires_at <= reader.now or not await _still_holds(reader, claim):
        raise NotFound("There is nothing to join here any more. Prove the other account once more.")
    return claim, await queries.holdings(reader, claim.other_id)


async def confirm(tx: Transaction, caller: UserId, claim_id: ClaimId) -> tuple[Holding, ...]:
    """Yes: join the other account, all of it or, where anything fails, nothing. Said twice it is what was joined the first time.

    Raises NotFound, Refused (``TwoRepositories``), TransactionConflict: run it where it is run again (``in_one_hop``).
    """
    claim = await queries.lock(tx, claim_id, caller)
    if claim is not None and claim.settled_at is not None:
        return claim.joined
    if claim is None or claim.other_id is None or claim.expires_at <= tx.now:
        raise NotFound("There is nothing to join here any more. Prove the other account once more.")
    if not await joining.is_there(tx, claim.other_id):
        raise NotFound("That account is not there any more.")
    if not await _still_holds(tx, claim):
        raise NotFound(_OTHERWISE)
    dids = [one.did for one in await identity_queries.of_user(tx, claim.other_id)]
    joined = await merge(tx, claim.other_id, caller)
    if claim.proof is OwnershipProof.DID:
        # Now that both are locked: who let it go meanwhile, or was joined by somebody else, keeps what is theirs.
        if await _holder(tx, claim) != caller:
            raise NotFound(_OTHERWISE)
        for did in dids:
            await identity_queries.claim(tx, did)
        await publications.wake_all_of(tx, caller)
    await queries.settle(tx, claim_id, joined)
    return joined


async def decline(tx: Transaction, caller: UserId, claim_id: ClaimId) -> None:
    """Not now: both stay as they are. Raises NotFound."""
    if not await queries.drop(tx, claim_id, caller):
        raise NotFound("There is nothing to join here any more.")


async def _still_holds(reader: Reader, claim: AccountClaim) -> bool:
    """Whether what was proven is the other account's still: whoever unlinked a DID, or took another address, is nobody's to join."""
    return await _holder(reader, claim) == claim.other_id


async def _holder(reader: Reader, claim: AccountClaim) -> UserId | None:
    if not claim.proven:
        return None
    if claim.proof is OwnershipProof.DID:
        known = await identity_queries.find(reader, Did(claim.proven))
        return None if known is None else known.user_id
    person = await users.by_email(reader, claim.proven)
    return person.id if person else await guests.by_email(reader, claim.proven)


async def _is_shadow(reader: Reader, did: Did) -> bool:
    known = await identity_queries.find(reader, did)
    return known is not None and known.kind is IdentityKind.SHADOW
