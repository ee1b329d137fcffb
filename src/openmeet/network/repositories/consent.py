"""Consent to publish: a person's current state, and the handle that comes with it. Shared by page and API."""

from collections.abc import Sequence
from dataclasses import dataclass

from at_network.xrpc_client import XrpcClient
from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import Explanation, InvalidInput, NotFound, Refused
from groundwork.outbox.jobs import Job, JobState, find
from openmeet.domain.identities import publication_consent, queries
from openmeet.domain.identities.model import Consent, Identity
from openmeet.domain.identities.publication_consent import ConsentUseView, PublicationConsent
from openmeet.domain.users.model import UserId
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.custodial import CustodialPds, check_handle
from openmeet.network.repositories.reasons import RepositoryReason
from openmeet.outbox.kinds import JobKind


@dataclass(frozen=True, slots=True)
class PublishingDependencies:
    """Dependencies of consent to publish: the network clients, and the PDS of custodial repositories."""

    network: NetworkClients
    custodial_pds: CustodialPds


@dataclass(frozen=True, slots=True)
class ConsentState:
    """A person's consent, their repository, and whether one is being created."""

    consent: Consent
    identity: Identity | None
    job: Job | None
    publication_consent: PublicationConsent
    uses: Sequence[ConsentUseView]
    now: Instant

    @property
    def is_being_made(self) -> bool:
        return (
            self.consent.is_given
            and self.identity is None
            and (self.job is None or self.job.state is not JobState.FAILED)
        )

    @property
    def problem(self) -> Explanation | None:
        """Why the repository could not be created; None if there is no permanent failure."""
        if self.identity is not None or not self.consent.is_given or self.job is None:
            return None
        if self.job.state is not JobState.FAILED:
            return None
        return self.job.why


async def state_of(reader: Reader, user_id: UserId) -> ConsentState:
    """Return the current consent state of one person."""
    own_identities = [one for one in await queries.of_user(reader, user_id) if one.can_write]
    return ConsentState(
        await queries.consent(reader, user_id),
        own_identities[0] if own_identities else None,
        await find(reader, JobKind.CUSTODIAL_ACCOUNT, user_id),
        await publication_consent.of_user(reader, user_id),
        await publication_consent.uses_shown(reader, user_id),
        reader.now,
    )


async def handle_for(network: NetworkClients, custodial_pds: CustodialPds, state: ConsentState, typed: str) -> str:
    """Return the handle that they consent to: their own, or a free one on the custodial domain. Raises InvalidInput,
    Refused (it is taken).
    """
    if state.identity is not None:
        return state.identity.handle or state.identity.did
    handle = check_handle(typed, custodial_pds.handle_domain)
    if handle == state.consent.handle and not state.problem:
        return handle
    client = XrpcClient(network.http, network.clock, custodial_pds.pds_url)
    try:
        await client.query("com.atproto.identity.resolveHandle", {"handle": handle})
    except NotFound:
        return handle
    except Refused as refused:
        if refused.name in {"HandleNotFound", "InvalidRequest"}:
            return handle
        raise
    except InvalidInput:
        return handle  # servers respond "InvalidRequest: Unable to resolve handle" for a free name
    raise Refused(RepositoryReason.HANDLE_OF_ANOTHER, handle=handle)
