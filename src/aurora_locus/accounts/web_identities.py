"""Identities of the method did:web whose documents this server serves: for example ``did:web:ana.town.example`` for a
person who signs up as ``ana.town.example``, if the operator allows it (``PDS_DID_WEB_ACCOUNTS``).

Source: did:web method; atproto DID specification. Only the owner of the domain can change such an identity, so it is
never given to another person, even after its account is deleted. An account that moves away takes its identity along:
this server continues to serve the document, which then names the other server and its key, as long as the server
exists. It can come back (``activation``, ``account_migration.web_moves``). The handle can change like any other; the
DID, and the name in it, cannot.
"""

from dataclasses import dataclass
from typing import Any

from at_protocol.crypto.did_key import format_did_key
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import ATPROTO_KEY, PDS_SERVICE, PDS_TYPE, DidService, build_did_document
from at_protocol.syntax.did import Did, web_host
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import queries
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity.handles import is_under
from aurora_locus.repository.model import HostingStatus
from groundwork.database.transaction import Reader, Writer
from groundwork.errors import NotFound, Refused

_FIND_DESTINATION = "select pds, signing_key, handle from web_destinations where did = :did"
_POINT = """
    insert into web_destinations (did, pds, signing_key, handle, changed_at)
    values (:did, :pds, :signing_key, :handle, :now)
    on conflict (did) do update
       set pds = excluded.pds, signing_key = excluded.signing_key, handle = excluded.handle,
           changed_at = excluded.changed_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewServer:
    """Server and signing key (did:key) of an account that has moved away but whose did:web document this server still
    serves.
    """

    pds: str
    signing_key: str
    handle: str


async def destination_of(reader: Reader, did: Did) -> NewServer | None:
    """Return where the account has moved; None if it is on this server."""
    row = await reader.fetch_one(_FIND_DESTINATION, did=did)
    return None if row is None else NewServer(pds=row["pds"], signing_key=row["signing_key"], handle=row["handle"])


def point_elsewhere(w: Writer, did: Did, new_server: NewServer) -> None:
    """Make the document name another server."""
    w.execute(
        _POINT, did=did, pds=new_server.pds, signing_key=new_server.signing_key, handle=new_server.handle, now=w.now
    )


def point_here(w: Writer, did: Did) -> None:
    """Make the document name this server again."""
    w.execute("delete from web_destinations where did = :did", did=did)


def is_ours(registry: Registry, did: Did) -> bool:
    """Whether this server serves the document of this DID."""
    if not registry.hosts_did_web or not did.startswith("did:web:"):
        return False
    try:
        return is_under(Handle(web_host(did)), registry.handle_domains)
    except Malformed:
        return False


def of_handle(handle: Handle) -> Did:
    """Return the did:web of a handle."""
    return Did(f"did:web:{handle}")


async def require_new(reader: Reader, did: Did, handle: Handle) -> None:
    """Raise Refused unless the DID is that of the handle and no account of this server has or ever had it."""
    if did != of_handle(handle):
        raise Refused(
            f"The only identity that this server can create for {handle} is {of_handle(handle)}.",
            name="IncompatibleDidDoc",
        )
    if await queries.repository_was_here(reader, did):
        raise Refused("An account with this identity is or was on this server.", name="AlreadyExists")


async def document(registry: Registry, host: str) -> dict[str, Any]:
    """Return the document of ``did:web:<host>``. Raises NotFound if no account of this server has it or the account is
    not active yet.
    """
    did = of_handle(Handle(host))
    account = new_server = None
    if is_ours(registry, did):
        async with registry.db.reader() as reader:
            new_server = await destination_of(reader, did)
            account = await queries.find(reader, did)
    if new_server is not None:
        return _document(did, new_server.handle, new_server.signing_key, new_server.pds)
    if account is None or account.status is HostingStatus.DELETED or account.awaits is not None:
        raise NotFound("No account here has this identity.")
    key = await registry.repositories.keys.signing_key(did)
    return _document(did, account.handle, format_did_key(key.public), registry.url)


def _document(did: Did, handle: str, key: str, pds: str) -> dict[str, Any]:
    return build_did_document(
        did,
        also_known_as=[f"at://{handle}"],
        verification_methods={ATPROTO_KEY: key},
        services={PDS_SERVICE: DidService(PDS_TYPE, pds)},
    )
