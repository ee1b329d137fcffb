"""Sealing of stored tokens and passwords. Each is bound to one purpose, tenant and account, so that no row can be
opened in place of another.
"""

import base64
from dataclasses import dataclass, field

import msgspec

from at_network.bearer_session import BearerTokens
from at_protocol.crypto import p256
from groundwork.sealing import CannotUnseal
from openmeet.domain.identities.model import CustodialAccount, NewSession, PdsSessionKind, SealedSession
from openmeet.network.repositories.clients import NetworkClients


@dataclass(frozen=True, slots=True)
class PdsSession:
    """An unsealed session. ``key``: the key that OAuth tokens are bound to."""

    stored: SealedSession
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    key: p256.P256PrivateKey | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """The tokens of a session. ``key``: the key that OAuth tokens are bound to."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    key: p256.P256PrivateKey | None = field(repr=False)


def seal(network: NetworkClients, did: str, access: str, refresh: str, key: p256.P256PrivateKey | None = None) -> bytes:
    """Seal tokens for storage, bound to tenant and DID."""
    parts = [access, refresh, base64.b64encode(key.to_bytes()).decode() if key is not None else ""]
    return network.sealer.seal(msgspec.json.encode(parts), purpose_of(network.tenant, did))


def new_password_session(network: NetworkClients, pds_url: str, tokens: BearerTokens) -> NewSession:
    """Return a session opened with a password, ready to be stored."""
    sealed = seal(network, tokens.did, tokens.access, tokens.refresh)
    return NewSession(tokens.did, PdsSessionKind.PASSWORD, pds_url, sealed)


def unseal(network: NetworkClients, stored: SealedSession) -> PdsSession:
    """Return a stored session with its tokens. Raises CannotUnseal if they were sealed with a key that is gone."""
    tokens = tokens_of(network, stored)
    return PdsSession(stored, tokens.access, tokens.refresh, tokens.key)


def tokens_of(network: NetworkClients, session: NewSession | SealedSession) -> SessionTokens:
    """Return the tokens of a session. Raises CannotUnseal if they were sealed with a key that is gone."""
    parts = msgspec.json.decode(
        network.sealer.unseal(session.sealed, purpose_of(network.tenant, session.did)), type=list[str]
    )
    access, refresh, key = parts
    return SessionTokens(access, refresh, p256.P256PrivateKey(base64.b64decode(key)) if key else None)


def opens(network: NetworkClients, stored: SealedSession) -> bool:
    """Whether the tokens of a stored session can be unsealed. False if they were sealed with a key that is gone."""
    try:
        unseal(network, stored)
    except CannotUnseal:
        return False
    return True


def seal_password(network: NetworkClients, address: str, password: str) -> bytes:
    """Seal the password of the custodial account with this address for storage."""
    return network.sealer.seal(password.encode(), password_purpose_of(address))


def unseal_password(network: NetworkClients, account: CustodialAccount) -> str:
    return network.sealer.unseal(account.sealed_password, password_purpose_of(account.email)).decode()


def purpose_of(tenant: str, did: str) -> str:
    """Return the sealing purpose of a DID's tokens."""
    return f"openmeet/repository_session/{tenant}/{did}"


def password_purpose_of(address: str) -> str:
    """Return the sealing purpose of a custodial password: the user in the account's address, who may have been merged
    with another since.
    """
    return f"openmeet/custodial_password/{address.partition('@')[0]}"
