"""Repository of a call: the ``repo`` parameter (DID or handle), and what the caller may do there."""

from collections.abc import Sequence

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries as accounts
from aurora_locus.repository import reader
from aurora_locus.repository.model import Head, HostingStatus
from aurora_locus.repository.statuses import import_running, require_visible
from aurora_locus.xrpc.method import XrpcCall
from groundwork.errors import Forbidden, InvalidInput, NotFound, NotSignedIn


async def did_of(call: XrpcCall, repo: str) -> Did:
    """Return the DID that ``repo`` names, which was validated with its Lexicon. Raises NotFound for an unknown handle."""
    if repo.startswith("did:"):
        return Did(repo)
    async with call.host.db.reader() as reader:
        account = await accounts.find_by_handle(reader, repo.lower())
    if account is None:
        raise NotFound(f"No repository here has the handle {repo}.", name="RepoNotFound")
    return account.did


async def own_repository(call: XrpcCall, repo: str) -> Did:
    """Return the caller's own DID. Raises Forbidden unless ``repo`` names it, NotSignedIn if the account is
    deactivated.
    """
    did = call.did
    if repo != did and await _did_of_name(call, repo) != did:
        raise Forbidden("You can write to your own repository only.")
    if (await call.host.repositories.head(did)).status is HostingStatus.DEACTIVATED:
        raise NotSignedIn("This account is deactivated; activate it first.", name="AccountDeactivated")
    return did


async def _did_of_name(call: XrpcCall, repo: str) -> Did:
    try:
        return await did_of(call, repo)
    except NotFound as failure:
        # No account has this name. The error name is that of the reference server.
        raise Forbidden(failure.why, name="AccountNotFound") from None


async def visible_head(call: XrpcCall, did: Did) -> Head:
    """Return the head of a repository that the caller may read. Raises NotFound, Refused, and Unavailable while it is
    imported.
    """
    head = await call.host.repositories.head(did)
    require_visible(head, reader_is_owner=call.caller is not None and call.caller.may_see(did))
    if head.status is not HostingStatus.ACTIVE and await reader.is_importing(call.host.db, did):
        raise import_running(did)
    return head


def rev_header(call: XrpcCall, head: Head) -> dict[str, str]:
    """Return the header ``atproto-repo-rev`` for callers who read their own repository. The header shows which of their
    writes the response reflects.
    """
    if call.caller is not None and call.caller.did == head.did:
        return {"atproto-repo-rev": head.rev}
    return {}


def cid_cursor(cursor: str | None) -> Cid | None:
    """Parse a cursor that is a CID. Raises InvalidInput, because clients would loop if an invalid cursor returned the
    first page.
    """
    if cursor is None:
        return None
    try:
        return Cid.parse(cursor)
    except Malformed:
        raise bad_cursor() from None


def bad_cursor() -> InvalidInput:
    """The error for an invalid cursor."""
    return InvalidInput("cursor", "This cursor is not valid here. Start without a cursor.")


def parse_cid(text: str) -> Cid:
    """Parse a CID that matches the Lexicon's loose syntax but must be valid in this protocol. Raises InvalidInput."""
    try:
        return Cid.parse(text)
    except Malformed as error:
        raise InvalidInput("cid", f"{text} is not a CID of this protocol: {error.why}.") from None


def parse_cids(texts: Sequence[str]) -> list[Cid]:
    """Parse several CIDs. Raises InvalidInput as ``parse_cid`` does."""
    return [parse_cid(text) for text in texts]
