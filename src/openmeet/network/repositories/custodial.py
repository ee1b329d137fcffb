"""Custodial account: the repository of a person who consented. It is created once, and only after consent (invariant
11), and deleted on its PDS once its person or group was deleted here.

The parameters of the request (handle, address, password, recovery key) are stored first. If a response is lost, the
same request is sent again. If the handle is taken by then, signing in with the stored password shows whether we created
the account.

Deleting is a separate job, so that an unavailable PDS does not delay the rest of the deletion. If the PDS is unavailable
for about ten days, the job fails and is listed for the operator.
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import regex

from at_network.bearer_session import BearerTokens, create_session
from at_network.xrpc_client import XrpcClient
from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.handle import parse_handle
from groundwork.database.transaction import Database, Reader
from groundwork.errors import Failure, InvalidInput, NotFound, NotSignedIn, Refused, RemoteFailed, Unavailable
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job, enqueue_again
from groundwork.outbox.retry import is_worth_retrying
from groundwork.telemetry.logs import log
from openmeet.domain.identities import actions, queries, recovery_key_queries, session_queries
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import CustodialAccount, Identity, IdentityKind, IdentityReason
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import UserId, UserKind
from openmeet.domain.users.queries import by_id, kinds
from openmeet.i18n.markdown import folded
from openmeet.network.repositories import credentials_cache, recovery_keys
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.reasons import RepositoryReason
from openmeet.network.repositories.session_sealing import new_password_session, seal_password, unseal_password
from openmeet.outbox.kinds import JobKind

# Error names of a PDS for a taken handle.
_TAKEN = frozenset({"HandleNotAvailable", "InvalidHandle"})
_MAX_LABEL = 18  # maximum length of a handle's first label at the reference PDS


@dataclass(frozen=True, slots=True)
class CustodialPds:
    """The PDS of custodial accounts, and how this service gets an invite code there.

    ``admin_authorization`` is a Basic header that may create invite codes; empty if the PDS requires none.
    ``handle_domain`` is the configured domain of handles, in the form ``.town.example``; empty if the PDS is asked for
    it (``handle_domain_of``). ``mail_domain`` is one of our own domains that receives no e-mail.
    """

    pds_url: str
    admin_authorization: str
    handle_domain: str
    mail_domain: str


def suggest_handle(display_name: str, user_id: str, domain: str) -> str:
    """Return a handle made from a person's display name. It is always valid but may be taken."""
    plain = regex.sub(r"[^a-z0-9]+", "-", folded(display_name)).strip("-")[:_MAX_LABEL].strip("-")
    label = plain if len(plain) >= 3 else f"member-{user_id.replace('-', '')[-8:]}"
    return label + domain


def check_handle(text: str, domain: str) -> str:
    """Return the handle that a person typed (first label or all of it), on the domain of the PDS. Raises InvalidInput."""
    name = text.strip().lower().removeprefix("@")
    if "." not in name:
        name += domain
    label = name.removesuffix(domain)
    try:
        handle = parse_handle(name)
    except Malformed:
        raise InvalidInput("handle", RepositoryReason.NOT_A_HANDLE) from None
    if not name.endswith(domain) or "." in label or not 3 <= len(label) <= _MAX_LABEL:
        raise InvalidInput("handle", RepositoryReason.HANDLE_LENGTH, most=_MAX_LABEL, domain=domain)
    return handle


def custodial_account_handler(db: Database, network: NetworkClients, custodial_pds: CustodialPds) -> JobHandler:
    """Return the handler of ``JobKind.CUSTODIAL_ACCOUNT``. The subject is the user."""

    async def deliver(job: Job) -> None:
        await make_account(db, network, custodial_pds, UserId(job.subject))

    return deliver


async def make_account(db: Database, network: NetworkClients, custodial_pds: CustodialPds, user_id: UserId) -> None:
    """Create the account if it is still wanted and does not exist yet. Raises Refused if the handle is taken."""
    fixed = await _store_request(db, network, custodial_pds, user_id)
    if fixed is None:
        return
    account = fixed.account
    async with db.reader() as reader:
        recovery_key = await recovery_key_queries.unused(reader, user_id)
    try:
        tokens, handle = await _create_account(network, custodial_pds, account, recovery_key)
    except HandleTaken:
        if fixed.is_first or await _is_taken_by_others(network, custodial_pds, account):
            # No account was created, so a request with another handle does not have to wait.
            async with db.transaction() as tx:
                await queries.note_refused(tx, account)
        raise
    async with db.transaction() as tx:
        session = new_password_session(network, custodial_pds.pds_url, tokens)
        await actions.link_custodial_account(tx, user_id, tokens.did, handle=handle, session=session)


class HandleTaken(Refused):
    """The server says that the handle is taken or not allowed."""


@dataclass(frozen=True, slots=True)
class _FixedRequest:
    """The parameters of a request. ``is_first``: no request with these parameters was sent before."""

    account: CustodialAccount
    is_first: bool


async def _store_request(
    db: Database, network: NetworkClients, custodial_pds: CustodialPds, user_id: UserId
) -> _FixedRequest | None:
    """Store the parameters of the request; None if there is nothing to create.

    Raises Unavailable if another handle was chosen after a request that was not answered: that request may have created
    an account with the same address, which must be deleted first. Such an account also has the same password and
    recovery key, so if the person chooses its handle again before the deletion, signing in finds it.
    """
    is_first = is_given_up = False
    async with db.transaction() as tx:
        consent = await queries.consent(tx, user_id)
        if not consent.is_given or bool(await queries.writable_of_user(tx, user_id)):
            return None
        existing_account = await queries.custodial_account(tx, user_id)
        if existing_account is None or (existing_account.did is None and existing_account.handle != consent.handle):
            if existing_account is not None and existing_account.handle:
                # The server may have created that account although it did not answer.
                await enqueue_again(tx, JobKind.DELETE_CUSTODIAL_ACCOUNT, [existing_account.handle])
                is_given_up = True
            # Undeliverable on purpose: nobody reads the account's e-mail until its person takes over the account.
            address = f"{user_id}@{custodial_pds.mail_domain}" if existing_account is None else existing_account.email
            sealed = None if existing_account is None else existing_account.sealed_password
            await queries.put_custodial_account(
                tx,
                user_id,
                handle=consent.handle,
                email=address,
                sealed_password=sealed or seal_password(network, address, secrets.token_urlsafe(32)),
            )
            is_first = not is_given_up
            # Nobody takes over the repository of a group, so its recovery key would stay here forever.
            is_person = (await kinds(tx, [user_id])).get(user_id) is UserKind.PERSON
            if is_person and await recovery_key_queries.unused(tx, user_id) is None:
                await recovery_keys.make(tx, network, user_id)
        account = await queries.custodial_account(tx, user_id)
    if is_given_up:
        raise Unavailable(IdentityReason.MAY_STILL_BE_MADE, after_seconds=60.0)
    return None if account is None else _FixedRequest(account, is_first)


async def _create_account(
    network: NetworkClients, custodial_pds: CustodialPds, account: CustodialAccount, recovery_key: str | None
) -> tuple[BearerTokens, str]:
    password = unseal_password(network, account)
    # An earlier request may have arrived although its response did not. In that case these credentials already work.
    existing_session = await _session_if_made(network, custodial_pds, account, password)
    if existing_session is not None:
        return existing_session, account.handle
    client = XrpcClient(network.http, network.clock, custodial_pds.pds_url)
    body: dict[str, object] = {"handle": account.handle, "email": account.email, "password": password}
    if recovery_key is not None:
        body["recoveryKey"] = recovery_key
    if custodial_pds.admin_authorization:
        body["inviteCode"] = await _create_invite_code(network, custodial_pds)
    try:
        response = await client.procedure("com.atproto.server.createAccount", body)
    except (Refused, InvalidInput) as refused:
        if refused.name in _TAKEN:
            raise HandleTaken(RepositoryReason.HANDLE_TAKEN, name="HandleNotAvailable", handle=account.handle) from None
        raise
    return _tokens(response), account.handle


async def _is_taken_by_others(network: NetworkClients, custodial_pds: CustodialPds, account: CustodialAccount) -> bool:
    """Whether somebody else's account has this handle by now, which means that our earlier request created none.

    A handle that does not resolve may be one that the server is still creating.
    """
    client = XrpcClient(network.http, network.clock, custodial_pds.pds_url)
    try:
        await client.query("com.atproto.identity.resolveHandle", {"handle": account.handle})
    except (NotFound, Refused, InvalidInput):
        return False
    password = unseal_password(network, account)
    return await _session_if_made(network, custodial_pds, account, password) is None


async def _session_if_made(
    network: NetworkClients, custodial_pds: CustodialPds, account: CustodialAccount, password: str
) -> BearerTokens | None:
    try:
        headers = network.custodial_headers(custodial_pds.pds_url)
        return await create_session(
            network.http, network.clock, custodial_pds.pds_url, account.handle, password, headers=headers
        )
    except (NotSignedIn, NotFound, Refused, InvalidInput):
        return None


async def _create_invite_code(network: NetworkClients, custodial_pds: CustodialPds) -> str:
    client = admin_client(network, custodial_pds)
    response = await client.procedure("com.atproto.server.createInviteCode", {"useCount": 1})
    code = response.get("code")
    if not isinstance(code, str):
        raise RemoteFailed(RepositoryReason.NO_INVITE_CODE)
    return code


async def handle_domain_of(network: NetworkClients, custodial_pds: CustodialPds) -> str:
    """Return the domain of the handles of custodial accounts, such as ``.town.example``: the configured one, or else the
    first that the PDS offers. Raises the errors of the PDS.
    """
    if custodial_pds.handle_domain:
        return custodial_pds.handle_domain
    client = XrpcClient(network.http, network.clock, custodial_pds.pds_url, circuits=network.circuits)
    response = await client.query("com.atproto.server.describeServer")
    domains = response.get("availableUserDomains")
    first = domains[0] if isinstance(domains, list) and domains else None
    if not isinstance(first, str) or not first.startswith("."):
        raise RemoteFailed(RepositoryReason.NO_HANDLE_DOMAIN)
    return first


async def suggested_domain_of(network: NetworkClients, custodial_pds: CustodialPds) -> str:
    """Return the domain to show with a suggested handle. While the PDS is unavailable, it is the PDS's host name, which
    is what most PDSes offer. A handle is only accepted with the domain of ``handle_domain_of``.
    """
    try:
        return await handle_domain_of(network, custodial_pds)
    except Failure:
        return f".{urlsplit(custodial_pds.pds_url).hostname}"


def mail_domain_of(public_url: str) -> str:
    """Return a name below our own host, for addresses that never receive e-mail."""
    host = urlsplit(public_url).hostname or "localhost"
    return f"no-mail.{host}" if "." in host and not host.replace(".", "").isdigit() else "no-mail.invalid"


def admin_authorization(password: str) -> str:
    """Return the Basic header of a PDS's administrator; empty without a password."""
    return "Basic " + base64.b64encode(f"admin:{password}".encode()).decode() if password else ""


def admin_client(network: NetworkClients, custodial_pds: CustodialPds) -> XrpcClient:
    """Return a client that uses the PDS's admin password."""
    credentials = PdsAdminCredentials(
        custodial_pds.admin_authorization, network.custodial_headers(custodial_pds.pds_url)
    )
    return XrpcClient(network.http, network.clock, custodial_pds.pds_url, credentials=credentials)


class PdsAdminCredentials:
    """Credentials of the service itself, which cannot be renewed. ``along``: headers that let the PDS distinguish us
    from our visitors.
    """

    def __init__(self, authorization: str, along: Mapping[str, str]) -> None:
        self._headers = {**along, "authorization": authorization}

    async def headers(self, _method: str, _url: str) -> Mapping[str, str]:
        return self._headers

    async def store_nonce(self, _url: str, _headers: object) -> None:
        return

    async def renew(self, _refused: object, _status: int, _error: object) -> bool:
        return False


def _tokens(response: dict[str, object]) -> BearerTokens:
    did, access, refresh = response.get("did"), response.get("accessJwt"), response.get("refreshJwt")
    if not isinstance(did, str) or not isinstance(access, str) or not isinstance(refresh, str):
        raise RemoteFailed(RepositoryReason.NO_ACCOUNT_MADE)
    try:
        return BearerTokens(parse_did(did), access, refresh)
    except Malformed:
        raise RemoteFailed(RepositoryReason.NO_ACCOUNT_MADE) from None


MIN_PASSWORD = 10
MAX_PASSWORD = 256


async def custodial_identity_of(reader: Reader, user_id: UserId) -> Identity | None:
    """Return a person's custodial account, if it has been created."""
    account = await queries.custodial_account(reader, user_id)
    return None if account is None or account.did is None else await queries.find(reader, account.did)


def check_password(typed: str, again: str) -> str:
    """Return the chosen password, which was typed twice. Raises InvalidInput."""
    if not MIN_PASSWORD <= len(typed) <= MAX_PASSWORD:
        raise InvalidInput("password", RepositoryReason.PASSWORD_LENGTH, least=MIN_PASSWORD, most=MAX_PASSWORD)
    if typed != again:
        raise InvalidInput("again", RepositoryReason.PASSWORDS_DIFFER)
    return typed


async def take_over(
    db: Database, network: NetworkClients, custodial_pds: CustodialPds, user_id: UserId, password: str
) -> Did:
    """Transfer the custodial account to the person. Its e-mail becomes the confirmed address that they sign in with here.

    Raises Refused (no custodial account, no address, or no admin access to the PDS), and the errors of the PDS.
    """
    async with db.reader() as reader:
        account = await custodial_identity_of(reader, user_id)
        person = await by_id(reader, user_id)
    if account is None:
        raise Refused(RepositoryReason.NOTHING_KEPT, name="NothingKept")
    if person is None or person.email is None:
        raise Refused(RepositoryReason.EMAIL_NEEDED, name="NoAddress")
    if not custodial_pds.admin_authorization:
        raise Refused(RepositoryReason.NO_ORDERS, name="NoOrders")
    admin = admin_client(network, custodial_pds)
    await admin.procedure("com.atproto.admin.updateAccountEmail", {"account": account.did, "email": person.email})
    await admin.procedure("com.atproto.admin.updateAccountPassword", {"did": account.did, "password": password})
    async with db.transaction() as tx:
        await queries.release_custodial(tx, account.did)
        await session_queries.delete(tx, account.did)
    await credentials_cache.drop(network, user_id)
    log.info("custodial_account.taken_over", did=account.did)
    return account.did


# The wait between two attempts grows to three quarters of an hour on average.
MAX_TRIES: Final = 320
# After this many attempts, a request that got no response counts as finished, whether or not the server created the
# account.
LOOKS_AGAIN: Final = 3
LOOK_AFTER_SECONDS: Final = 1200.0


def custodial_deletion_handler(db: Database, network: NetworkClients, custodial_pds: CustodialPds) -> JobHandler:
    """Return the handler of ``JobKind.DELETE_CUSTODIAL_ACCOUNT``. The subject is a DID, or the handle of an account
    whose creation was not answered.
    """

    async def deliver(job: Job) -> None:
        if not custodial_pds.admin_authorization:
            raise Refused(IdentityReason.CANNOT_DELETE_ACCOUNT, name="NoOrders")
        try:
            await _delete_account(db, admin_client(network, custodial_pds), custodial_pds, job)
        except Failure as failure:
            if is_worth_retrying(failure) and job.attempts >= MAX_TRIES:
                raise Refused(IdentityReason.SERVER_WAS_AWAY, name="ServerAway") from failure
            raise

    return deliver


async def _delete_account(db: Database, client: XrpcClient, custodial_pds: CustodialPds, job: Job) -> None:
    did = (
        Did(job.subject)
        if job.subject.startswith("did:")
        else await _find_abandoned_account(db, client, custodial_pds, job)
    )
    if did is None:
        log.info("custodial_account.was_never_made")
        return
    try:
        await client.procedure("com.atproto.admin.deleteAccount", {"did": did})
    except NotFound:
        log.info("custodial_account.gone_already")  # the response to an earlier attempt was lost


async def _find_abandoned_account(
    db: Database, client: XrpcClient, custodial_pds: CustodialPds, job: Job
) -> Did | None:
    """Return the account with this handle if we requested it for somebody who has since been deleted here, or who chose
    another handle before it was created. Raises Unavailable while the server may still be creating it.

    The account's e-mail address shows for whom it was created (``custodial.make_account``), because the handle may
    belong to somebody else by now.
    """
    handle = job.subject
    try:
        response = await client.query("com.atproto.identity.resolveHandle", {"handle": handle})
    except (NotFound, Refused, InvalidInput):
        if job.attempts < LOOKS_AGAIN:
            raise Unavailable(IdentityReason.MAY_STILL_BE_MADE, after_seconds=LOOK_AFTER_SECONDS) from None
        return None
    try:
        did = parse_did(str(response.get("did")))
        account = await client.query("com.atproto.admin.getAccountInfo", {"did": did})
    except (NotFound, Refused, InvalidInput, Malformed):
        return None
    name, at, domain = str(account.get("email")).partition("@")
    if not at or domain != custodial_pds.mail_domain:
        return None
    async with db.reader() as reader:
        person = await user_queries.by_id(reader, UserId(name))
        custodial_account = await identity_queries.custodial_account(reader, UserId(name))
        identity = await identity_queries.find(reader, did)
    if person is None or (identity is not None and identity.kind is not IdentityKind.SHADOW):
        return None
    is_given_up = custodial_account is not None and custodial_account.handle != handle and custodial_account.did != did
    return did if person.created_at == 0 or is_given_up else None
