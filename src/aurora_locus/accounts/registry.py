"""What making and opening accounts needs, assembled once by ``app``."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from at_protocol.crypto.did_key import PrivateKey
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts.email_tokens import EmailTokens
from aurora_locus.accounts.passwords import Passwords
from aurora_locus.accounts.session_tokens import SessionTokens
from aurora_locus.blobs.locks import Locks
from aurora_locus.identity.plc_updates import Directory
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import Clock
from groundwork.database.transaction import Database
from groundwork.rate_limit.contract import Counters


@dataclass(frozen=True, slots=True)
class Registry:
    """The running server as the accounts see it. ``url`` is where repositories are said to be; ``resolve_handle`` asks the
    network about handles that are not ours.
    """

    db: Database
    clock: Clock
    repositories: Repositories
    passwords: Passwords
    tokens: SessionTokens
    email_tokens: EmailTokens
    sends_mail: bool
    directory: Directory
    resolve_handle: Callable[[Handle], Awaitable[Did]]
    counters: Counters
    rotation_key: PrivateKey
    url: str
    handle_domains: Sequence[str]
    is_development: bool
    needs_invite: bool
    renames: Locks = field(default_factory=Locks)
