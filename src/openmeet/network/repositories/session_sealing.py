"""Tokens and passwords as they are stored: sealed, each for one use, tenant and account, so that no row opens in another's place."""

import base64
from dataclasses import dataclass, field

import msgspec

from at_network.bearer_session import SessionTokens
from at_protocol.crypto import p256
from groundwork.sealing import CannotUnseal
from openmeet.domain.identities.model import CustodialAccount, NewSession, SealedSession, SessionKind
from openmeet.network.repositories.clients import Network


@dataclass(frozen=True, slots=True)
class Session:
    """An unsealed session. ``key`` is what OAuth tokens are bound to."""

    stored: SealedSession
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    key: p256.PrivateKey | None = field(repr=False)


def seal(network: Network, did: str, access: str, refresh: str, key: p256.PrivateKey | None = None) -> bytes:
    """Tokens as they are stored, bound to tenant and DID."""
    parts = [access, refresh, base64.b64encode(key.to_bytes()).decode() if key is not None else ""]
    return network.sealer.seal(msgspec.json.encode(parts), purpose_of(network.tenant, did))


def new_password_session(network: Network, pds_url: str, tokens: SessionTokens) -> NewSession:
    """A session that a password opened, ready to be stored."""
    sealed = seal(network, tokens.did, tokens.access, tokens.refresh)
    return NewSession(tokens.did, SessionKind.PASSWORD, pds_url, sealed)


def unseal(network: Network, stored: SealedSession) -> Session:
    """The tokens of a stored session; raises CannotUnseal when they were sealed with a key that is gone."""
    parts = msgspec.json.decode(
        network.sealer.unseal(stored.sealed, purpose_of(network.tenant, stored.did)), type=list[str]
    )
    access, refresh, key = parts
    return Session(stored, access, refresh, p256.PrivateKey(base64.b64decode(key)) if key else None)


def opens(network: Network, stored: SealedSession) -> bool:
    """Whether the tokens of a stored session can be read; not where they were sealed with a key that is gone."""
    try:
        unseal(network, stored)
    except CannotUnseal:
        return False
    return True


def seal_password(network: Network, address: str, password: str) -> bytes:
    """The password of the custodial account with this address as it is stored."""
    return network.sealer.seal(password.encode(), password_purpose_of(address))


def unseal_password(network: Network, account: CustodialAccount) -> str:
    return network.sealer.unseal(account.sealed_password, password_purpose_of(account.email)).decode()


def purpose_of(tenant: str, did: str) -> str:
    """What the tokens of a DID are sealed for."""
    return f"openmeet/repository_session/{tenant}/{did}"


def password_purpose_of(address: str) -> str:
    """What the password of a kept account is sealed for: whom its address names, who may be joined with somebody since."""
    return f"openmeet/custodial_password/{address.partition('@')[0]}"
