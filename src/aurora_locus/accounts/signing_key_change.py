"""Change the signing key of an account in the directory, in the database and on the firehose: either all three change,
or none does (``identity_change``).

Afterwards the repository gets an empty commit with the new signature, announced as ``#sync``. The transaction that
makes the key current also records that this commit is due; after a crash, ``finish_commits`` makes it at the next
start.
"""

from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.identity.plc_operation import PlcOperation
from at_protocol.syntax.did import Did, is_plc
from aurora_locus.accounts import activation, queries
from aurora_locus.accounts.identity_change import ChangeNote, finish_even_if_cancelled, submit_and_store
from aurora_locus.accounts.model import Account
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity import plc_updates
from aurora_locus.repository import commit
from aurora_locus.repository.model import HostingStatus
from aurora_locus.sequencer import log
from groundwork.database.transaction import Writer
from groundwork.errors import NotFound, Refused
from groundwork.isolation import each_alone

_ENQUEUE = "insert into signatures_due (did, due_at) values (:did, :now) on conflict (did) do nothing"
# An inactive account gets its new signature with the first commit after its activation.
_FIND_DUE = """
    select s.did from signatures_due s join repositories r on r.did = s.did
     where r.status = 'active' and r.is_frozen = 0
     order by s.due_at, s.did
"""
_FORGET_DUE = "delete from signatures_due where did = :did"


async def change(registry: Registry, did: Did, key: K256PrivateKey, note: ChangeNote) -> None:
    """Change the key. Raises NotFound, RemoteFailed, and Refused if the DID is not a did:plc, the account is not
    active or is moving to another server, or the identity names another server.
    """
    if not is_plc(did):
        raise Refused(
            "Only the signing key of a did:plc can be changed here. This identity must be changed by its owner."
        )
    await finish_even_if_cancelled(_change(registry, did, key, note))


async def finish_commits(registry: Registry) -> int:
    """Make the commits with a new signature that are due because of a crash. Return how many."""
    async with registry.db.reader() as reader:
        due = [Did(row["did"]) for row in await reader.fetch(_FIND_DUE)]

    async def finish(did: Did) -> int:
        async with registry.renames.hold(did):
            await _sign_again(registry, did)
        return 1

    return await each_alone("signatures", due, finish)


async def _change(registry: Registry, did: Did, key: K256PrivateKey, note: ChangeNote) -> None:
    async with registry.renames.hold(did):
        async with registry.db.reader() as reader:
            account = await queries.find(reader, did)
        if account is None:
            raise NotFound("There’s no such account on this server.", name="NotFound")
        if account.status is not HostingStatus.ACTIVE:
            # The repository of an inactive account cannot be signed now, and after its activation the old signature
            # would not match the identity.
            raise Refused("The key can only be changed while the account is active.", name="InvalidRequest")
        if await registry.db.read(lambda r: activation.is_in_last_step(r, did)):
            # The signed operation of the migration would no longer follow the newest one, and the repository of an
            # account that is moving cannot be signed.
            raise Refused(
                "The account is moving to another server. Change the key once the move has ended or was cancelled.",
                name="InvalidRequest",
            )
        new = format_did_key(key.public)
        operation = await plc_updates.new_signing_key(registry.directory, registry.rotation_key, did, new)
        await submit_and_store(registry, did, operation, lambda: _store(registry, account, key, operation, note))
        await _sign_again(registry, did)


async def _sign_again(registry: Registry, did: Did) -> None:
    await commit.recommit(registry.repositories, did, as_sync=True)
    await registry.db.write(lambda w: w.execute(_FORGET_DUE, did=did))


async def _store(
    registry: Registry, account: Account, key: K256PrivateKey, operation: PlcOperation | None, note: ChangeNote
) -> None:
    did, keys = account.did, registry.repositories.keys
    before = format_did_key((await keys.signing_key(did)).public)

    def work(w: Writer) -> None:
        if operation is not None:
            plc_updates.mark_applied(w, did, operation)
        if before != format_did_key(key.public):
            keys.make_current(w, did, key)
        w.execute(_ENQUEUE, did=did, now=w.now)
        note(w, before, format_did_key(key.public))
        log.append_identity(w, registry.repositories.live, did, account.handle)

    # A commit in progress was signed with the old key and must not be stored after the new key.
    async with registry.repositories.locks.hold(did):
        await registry.db.write(work)
