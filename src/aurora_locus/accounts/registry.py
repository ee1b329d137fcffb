"""What making and opening accounts needs, assembled once by ``app``."""

from collections.abc import Sequence
from dataclasses import dataclass

from at_protocol.crypto.did_key import PrivateKey
from aurora_locus.accounts.passwords import Passwords
from aurora_locus.accounts.session_tokens import SessionTokens
from aurora_locus.identity.plc_updates import Directory
from aurora_locus.repository.repositories import Repositories
from groundwork.database.transaction import Database


@dataclass(frozen=True, slots=True)
class Registry:
    """The running server as the accounts see it. ``url`` is where repositories are said to be."""

    db: Database
    repositories: Repositories
    passwords: Passwords
    tokens: SessionTokens
    directory: Directory
    rotation_key: PrivateKey
    url: str
    handle_domains: Sequence[str]
    is_development: bool
    needs_invite: bool
