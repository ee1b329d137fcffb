"""Dependencies of account actions, assembled once by ``app``."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from at_network.identity_resolver import IdentityResolver
from at_protocol.crypto.did_key import PrivateKey, PublicKey
from aurora_locus.accounts.email_tokens import EmailTokens
from aurora_locus.accounts.invites import EarningRule
from aurora_locus.accounts.model import GuessContext
from aurora_locus.accounts.passwords import Passwords
from aurora_locus.accounts.second_factors.model import FactorKeys
from aurora_locus.accounts.session_tokens import SessionTokenSigner
from aurora_locus.blobs.locks import Locks
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.identity.plc_updates import Directory, PlcUpdateContext
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import Clock
from groundwork.database.transaction import Database
from groundwork.errors import Refused
from groundwork.rate_limit.contract import Counters


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that account actions need.

    ``url`` is the service endpoint of our repositories; ``network`` resolves identities and handles of other servers.
    ``handle_quarantine`` is the time in microseconds for which a released handle stays reserved, so that nobody can be
    impersonated right after they leave. ``has_wide_limits`` loosens the rate limits, for development.
    ``shares_private_addresses`` is True if many clients may share a private address. ``counts_requests`` is True if
    pages are rate-limited. ``confirms_email`` is True if accounts without an invite must confirm their e-mail address.
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
    earning: EarningRule
    hosts_did_web: bool
    handle_quarantine: int
    reserved_names: frozenset[str] = frozenset()
    shares_private_addresses: bool = False
    counts_requests: bool = True
    renames: Locks = field(default_factory=Locks)

    def require_mail(self) -> None:
        """Raise Refused if this server cannot send e-mail, so that people do not wait for an e-mail that never arrives."""
        if not self.sends_mail:
            why = gettext_noop("This server can’t send e-mail. Its operator hasn’t set it up (PDS_EMAIL_SMTP_URL).")
            raise Refused(why, name="InvalidRequest")

    @property
    def own_keys(self) -> list[PublicKey]:
        """Rotation keys of the operator and the server."""
        return [key for key in (self.operators_key, self.rotation_key.public) if key is not None]

    @property
    def guess_context(self) -> GuessContext:
        """The dependencies of counting wrong passwords."""
        return GuessContext(self.db, self.factor_keys.codes, self.has_wide_limits)

    @property
    def plc(self) -> PlcUpdateContext:
        """The dependencies of updates of the PLC directory."""
        return PlcUpdateContext(self.db, self.directory, self.rotation_key, self.repositories.live)
