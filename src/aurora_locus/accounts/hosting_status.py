"""Hosting status of an identity: whether it names this server, as an active account requires, or another one.

Source: atproto DID specification; the account migration guide. The directory (did:plc) or the account's own host
(did:web) is queried without the cache, because cached data may predate a migration. An account whose identity names
another server is *moved*: this server keeps its data for its owner, accepts no writes for it, and publishes only its
status.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from at_protocol.crypto.did_key import format_did_key
from at_protocol.identity import plc_operation
from at_protocol.identity.did_document import ATPROTO_KEY, PDS_SERVICE, PDS_TYPE
from at_protocol.identity.plc_operation import Tombstone
from at_protocol.syntax.did import Did, is_plc
from aurora_locus.accounts import queries, web_identities
from aurora_locus.accounts.registry import Registry
from aurora_locus.i18n.sentences import gettext_noop, localizable
from aurora_locus.repository import hosting
from aurora_locus.repository.model import HostingStatus
from groundwork.clock import HOUR, Instant
from groundwork.database.transaction import Writer
from groundwork.errors import Explanation, Failure, Refused
from groundwork.isolation import each_alone
from groundwork.telemetry.logs import log

# We are not notified when owners change their identity with their own key, so every identity is checked periodically, a
# few per round. A small host is done within the hour; a large one makes no more than about twenty requests a minute.
CHECK_INTERVAL = HOUR
CHECKS_PER_ROUND = 20


@dataclass(frozen=True, slots=True)
class IdentityClaim:
    """The current content of an account's identity: its PDS (an origin), signing key and rotation keys. Keys are in
    did:key form.

    ``rotation_keys`` is None for a DID method that has none (did:web).
    """

    pds: str | None
    signing_key: str | None
    rotation_keys: Sequence[str] | None


class IdentityEnded(Refused):
    """The identity was ended with a tombstone, so nobody can write in its name."""


async def claim_of(registry: Registry, did: Did) -> IdentityClaim:
    """Read the current content of the account's identity, without the cache.

    Raises IdentityEnded for an ended identity; NotFound, RemoteFailed and RemoteSlow according to the response of its
    directory or host.
    """
    if web_identities.is_ours(registry, did):
        async with registry.db.reader() as reader:
            new_server = await web_identities.destination_of(reader, did)
        if new_server is not None:
            return IdentityClaim(new_server.pds, new_server.signing_key, None)
        # We serve this document ourselves and generate it from stored values.
        signing_key = await registry.repositories.keys.signing_key(did)
        return IdentityClaim(registry.url, format_did_key(signing_key.public), None)
    if not is_plc(did):
        document = await registry.network.refresh_did(did)
        key = document.signing_key
        return IdentityClaim(document.pds, None if key is None else format_did_key(key), None)
    newest = await registry.directory.last(did)
    if isinstance(newest, Tombstone):
        raise IdentityEnded(gettext_noop("This identity has been deactivated in the directory."))
    operation = plc_operation.normalised(newest)
    service = operation.services.get(PDS_SERVICE)
    return IdentityClaim(
        service.endpoint.rstrip("/") if service is not None and service.type == PDS_TYPE else None,
        operation.verification_methods.get(ATPROTO_KEY),
        operation.rotation_keys,
    )


async def problems(registry: Registry, did: Did, claim: IdentityClaim) -> list[Explanation]:
    """Return the reasons why the account cannot be active on this server, each as a sentence."""
    signing = format_did_key((await registry.repositories.keys.signing_key(did)).public)
    server_key = format_did_key(registry.rotation_key.public)
    reasons = []
    if claim.rotation_keys is not None and server_key not in claim.rotation_keys:
        reasons.append(localizable("Its rotation keys must include %(key)s.", key=server_key))
    if claim.pds is None:
        reasons.append(localizable("Its server (%(name)s) must be %(url)s.", name=PDS_SERVICE, url=registry.url))
    elif claim.pds != registry.url:
        reasons.append(
            localizable(
                "Its server (%(name)s) is %(current)s, not %(url)s.",
                name=PDS_SERVICE,
                current=claim.pds,
                url=registry.url,
            )
        )
    if claim.signing_key is None:
        reasons.append(localizable("Its signing key (%(name)s) must be %(key)s.", name=ATPROTO_KEY, key=signing))
    elif claim.signing_key != signing:
        reasons.append(
            localizable(
                "Its signing key (%(name)s) is %(current)s, not %(key)s.",
                name=ATPROTO_KEY,
                current=claim.signing_key,
                key=signing,
            )
        )
    return reasons


async def require_hosted_here(registry: Registry, did: Did) -> None:
    """Raise Refused unless the identity fits an account on this server. The message names every field that does not."""
    reasons = await problems(registry, did, await claim_of(registry, did))
    if reasons:
        raise Refused(
            localizable("The identity of this account doesn’t fit this server. %(reasons)s", reasons=tuple(reasons)),
            name="InvalidRequest",
        )


async def note(registry: Registry, did: Did, claim: IdentityClaim) -> bool:
    """Store whether the identity names another server, and return it.

    The identity names another server if both the service endpoint and the signing key differ from ours. If only the
    endpoint differs, the operator has probably changed or mistyped this server's URL; treating that as a move would
    hide all accounts at once.
    """
    signing = format_did_key((await registry.repositories.keys.signing_key(did)).public)
    is_elsewhere = claim.pds not in {None, registry.url} and claim.signing_key != signing

    def work(w: Writer) -> None:
        queries.set_checked(w, did)
        if is_elsewhere and queries.waiting(w, did) is None:
            # The last step of a migration has stored this already, while the account is still shown.
            if queries.set_moved(w, did, claim.pds):
                w.after_commit(lambda: registry.repositories.forget_head(did))
            if queries.is_shown(w, did) and queries.host_decision(w, did) is None:
                queries.set_deactivated(w, did)
                hosting.set_status(w, registry.repositories, did, HostingStatus.DEACTIVATED)

    await registry.db.write(work)
    return is_elsewhere


async def note_end(registry: Registry, did: Did) -> None:
    """Hide an account whose identity has ended. Its owner can still export the data, and can restore the identity with
    a key of higher rank.
    """

    def work(w: Writer) -> None:
        queries.set_checked(w, did)
        if queries.waiting(w, did) is None and queries.is_shown(w, did):
            queries.set_deactivated(w, did)
            if queries.host_decision(w, did) is None:
                hosting.set_status(w, registry.repositories, did, HostingStatus.DEACTIVATED)

    await registry.db.write(work)


async def recheck_identity(registry: Registry, did: Did) -> bool:
    """Check the account's identity and store the result. Return whether it names another server. If the lookup fails,
    nothing changes and the result is False.
    """
    try:
        claim = await claim_of(registry, did)
    except IdentityEnded:
        await note_end(registry, did)
        return False
    except Failure as failure:
        log.info("identity.not_checked", did=did, kind=type(failure).__name__)
        return False
    return await note(registry, did, claim)


async def recheck_due(registry: Registry) -> int:
    """Check the identities whose last check is the longest ago. Return how many accounts have moved away."""
    async with registry.db.reader() as reader:
        due = await queries.due_for_recheck(reader, Instant(reader.now - CHECK_INTERVAL), CHECKS_PER_ROUND)

    async def recheck(did: Did) -> int:
        # First, so that an identity whose check fails has its next turn after all others.
        await registry.db.write(lambda w: queries.set_checked(w, did))
        return await recheck_identity(registry, did)

    return await each_alone("identities", due, recheck)
