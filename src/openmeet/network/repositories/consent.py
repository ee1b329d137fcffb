"""Consent to publish: how it stands for a person, and the handle that a yes is for. What the page and the API share."""

from collections.abc import Sequence
from dataclasses import dataclass

from at_network.xrpc_client import XrpcClient
from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput, NotFound, Refused
from groundwork.outbox.jobs import Job, JobState, find
from openmeet.domain.identities import publication_consent, queries
from openmeet.domain.identities.model import Consent, Identity
from openmeet.domain.identities.publication_consent import PublicationConsent, UseShown
from openmeet.domain.users.model import UserId
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.custodial import Keeper, check_handle
from openmeet.outbox.kinds import JobKind


@dataclass(frozen=True, slots=True)
class Publishing:
    """What publishing runs on: what reaches the network, and the PDS that keeps repositories for people."""

    network: NetworkClients
    keeper: Keeper


@dataclass(frozen=True, slots=True)
class ConsentState:
    """How a person and publishing stand: their consent, the repository, and whether one is being made."""

    consent: Consent
    identity: Identity | None
    owed: Job | None
    wishes: PublicationConsent
    uses: Sequence[UseShown]
    now: Instant

    @property
    def is_being_made(self) -> bool:
        return (
            self.consent.is_given
            and self.identity is None
            and (self.owed is None or self.owed.state is not JobState.GIVEN_UP)
        )

    @property
    def problem(self) -> str:
        """Why the repository could not be made; empty when nothing went wrong for good."""
        if self.identity is not None or not self.consent.is_given or self.owed is None:
            return ""
        if self.owed.state is not JobState.GIVEN_UP:
            return ""
        return self.owed.reason.partition(": ")[2] or self.owed.reason


async def state_of(reader: Reader, user_id: UserId) -> ConsentState:
    """How one person and publishing stand now."""
    mine = [one for one in await queries.of_user(reader, user_id) if one.can_write]
    return ConsentState(
        await queries.consent(reader, user_id),
        mine[0] if mine else None,
        await find(reader, JobKind.CUSTODIAL_ACCOUNT, user_id),
        await publication_consent.of_user(reader, user_id),
        await publication_consent.uses_shown(reader, user_id),
        reader.now,
    )


async def handle_for(network: NetworkClients, keeper: Keeper, state: ConsentState, typed: str) -> str:
    """The handle they agree to: their own, or a free one on the keeper's domain. Raises InvalidInput, Refused (somebody has it)."""
    if state.identity is not None:
        return state.identity.handle or state.identity.did
    handle = check_handle(typed, keeper.handle_domain)
    if handle == state.consent.handle and not state.problem:
        return handle
    client = XrpcClient(network.http, network.clock, keeper.pds_url)
    try:
        await client.query("com.atproto.identity.resolveHandle", {"handle": handle})
    except NotFound:
        return handle
    except Refused as refused:
        if refused.name in {"HandleNotFound", "InvalidRequest"}:
            return handle
        raise
    except InvalidInput:
        return handle  # servers answer "InvalidRequest: Unable to resolve handle" for a name nobody has
    raise Refused(f"Somebody else is called {handle} already; choose another handle.")
