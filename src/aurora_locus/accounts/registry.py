"""Dependencies of account actions, assembled once by ``app``."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from at_protocol.crypto.did_key import PrivateKey, PublicKey
from aurora_locus.accounts.earned_invites import Earning
from aurora_locus.accounts.email_tokens import EmailTokens
from aurora_locus.accounts.model import Guessing
from aurora_locus.accounts.passwords import Passwords
from aurora_locus.accounts.second_factors.model import FactorKeys
from aurora_locus.accounts.session_tokens import SessionTokenSigner
from aurora_locus.blobs.locks import Locks
from aurora_locus.identity.network import IdentityResolver
from aurora_locus.identity.plc_updates import Directory, PlcUpdateContext
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import Clock
from groundwork.database.transaction import Database
from groundwork.rate_limit.contract import Counters


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything account actions need. ``url`` is the service endpoint of our repositories; ``network`` resolves
    identities and handles that are not ours. ``handle_quarantine``: microseconds for which a released handle stays
    reserved, so that nobody is impersonated on the day they leave. ``has_wide_limits``: loose limits, in development.
    ``shares_private_addresses``: a private address may stand for many clients. ``counts_requests``: pages have a limit. ``confirms_email``: accounts without an
    invite wait for e-mail confirmation.
    """

    db: Database
    clock: Clock
    repositories: Repositories
    passwords: Passwords
    tokens: SessionTokenSigner
    email_tokens: EmailTokens
    factor_keys: FactorKeys
    sends_mail: bool
    directory: Directory
    network: IdentityResolver
    counters: Counters
    rotation_key: PrivateKey
    operators_key: PublicKey | None
    url: str
    handle_domains: Sequence[str]
    is_development: bool
    has_wide_limits: bool
    needs_invite: bool
    confirms_email: bool
    earning: Earning
    hosts_did_web: bool
    handle_quarantine: int
    reserved_names: frozenset[str] = frozenset()
    shares_private_addresses: bool = False
    counts_requests: bool = True
    renames: Locks = field(default_factory=Locks)

    @property
    def own_keys(self) -> list[PublicKey]:
        """Rotation keys of the server and its operator."""
        return [key for key in (self.operators_key, self.rotation_key.public) if key is not None]

    @property
    def guessing(self) -> Guessing:
        """Dependencies of counting wrong passwords."""
        return Guessing(self.db, self.factor_keys.codes, self.has_wide_limits)

    @property
    def plc(self) -> PlcUpdateContext:
        """Dependencies of repairing the directory."""
        return PlcUpdateContext(self.db, self.directory, self.rotation_key, self.repositories.live)
