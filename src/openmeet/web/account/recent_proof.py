"""Whether the user proved their identity a few minutes ago, for what a stolen session must not be enough for."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from groundwork.clock import MINUTE
from groundwork.database.transaction import Reader
from groundwork.token_hash import hash_token
from openmeet.domain.sign_in import queries
from openmeet.domain.sign_in.model import SessionStrength
from openmeet.web.site import session as site_session
from openmeet.web.site.services import services

PROOF_LASTS: Final = 10 * MINUTE


@dataclass(frozen=True, slots=True)
class RecentProof:
    """How the session of a page was opened. ``is_fresh``: in the last ten minutes."""

    strength: SessionStrength
    is_fresh: bool

    @property
    def is_enough(self) -> bool:
        """Whether it proves at this moment that this is the owner of the account."""
        return self.is_fresh and self.strength is SessionStrength.FULL


async def recent_proof_of(reader: Reader, request: Request) -> RecentProof:
    """The proof behind the session of a page."""
    proof = await queries.proof_of(reader, hash_token(site_session.cookie_token(request)))
    if proof is None:
        return RecentProof(SessionStrength.FULL, is_fresh=False)
    return RecentProof(proof.strength, is_fresh=proof.proven_at >= services(request).clock.now() - PROOF_LASTS)
