"""Recovery key of a custodial account: created before the account, sealed until its person has it, then erased.

A rotation key can be placed above the server's key in the first operation of a did:plc. A later operation for this
requires a code from the account's e-mail, which nobody receives while the account is custodial. The pair is therefore
created here, and its public half is sent with ``createAccount``. The sealed key is bound to its public half and not to
a person or a DID, because the person may be merged with another one and the DID is not known yet.
"""

import secrets

from at_protocol.crypto import p256
from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.private_multikey import format_private_multikey
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database, Transaction
from groundwork.telemetry.logs import log
from openmeet.domain.identities import recovery_key_queries as queries
from openmeet.domain.identities.model import Identity
from openmeet.domain.identities.recovery_key_queries import WaitingKey
from openmeet.domain.users.model import UserId
from openmeet.network.repositories.clients import NetworkClients

# If somebody took over an account and never collected the key, it is safer to delete it than to keep it here.
KEPT_FOR = 30 * DAY

# The format that `openmeet pds recover` reads.
_FILE = """\
Recovery key of an AT Protocol identity

identity:    {identity}
handle:      {handle}
public key:  {public}
private key: {private}

Anyone who has the private key can take over the identity, and its server cannot prevent that. Keep this
file offline, in more than one place, and give it to nobody.

{site} made the key together with the account, and had it sealed until you said that you have
it. A key that was never anywhere but with you is made at
    {account_page}/recovery-key
where this one can be taken away afterwards.

To move the account to another server, even if its current server is gone:
    openmeet pds recover --help
"""


async def make(tx: Transaction, network: NetworkClients, user_id: UserId) -> None:
    """Create a key pair for an account that will be requested."""
    key = p256.P256PrivateKey.from_random(secrets.token_bytes(48))
    public = format_did_key(key.public)
    sealed = network.sealer.seal(key.to_bytes(), purpose_of(public))
    await queries.replace_unused(tx, user_id, public, sealed)


def unseal(network: NetworkClients, waiting: WaitingKey) -> str:
    """Return the private half as text; this is a secret. Raises CannotUnseal if the sealing key is gone."""
    number = network.sealer.unseal(waiting.sealed, purpose_of(waiting.public_key))
    return format_private_multikey(p256.P256PrivateKey.from_bytes(number))


def file_of(waiting: WaitingKey, private: str, identity: Identity | None, *, site: str, account_page: str) -> str:
    """Return the file in which a person keeps the key, for people to read and print and for the recovery command."""
    return _FILE.format(
        identity=waiting.did,
        handle=(identity.handle if identity else "") or "(none)",
        public=waiting.public_key,
        private=private,
        site=site,
        account_page=account_page,
    )


async def erase_overdue(db: Database) -> int:
    """Erase recovery keys that their person did not collect within ``KEPT_FOR`` after taking over the account; return
    their number.
    """
    async with db.transaction() as tx:
        erased = await queries.erase_waiting_since(tx, Instant(tx.now - KEPT_FOR))
    if erased:
        log.info("recovery_keys.erased_unkept", count=erased)
    return erased


def purpose_of(public_key: str) -> str:
    """Return the sealing purpose of a did:key's private half."""
    return f"openmeet/recovery_key/{public_key}"
