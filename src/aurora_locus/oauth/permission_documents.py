"""Published permission sets for ``include:`` scopes: from the local catalog, otherwise from their authority."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import Document, PermissionSetType
from at_protocol.oauth.grant import recognized_scopes
from at_protocol.oauth.permission_sets import expand
from at_protocol.oauth.permissions import ATPROTO, Inclusion
from at_protocol.syntax.nsid import Nsid
from groundwork.errors import InvalidInput, NotFound

# Each set may have to be fetched from another server. An app needs a handful.
MAX_SETS = 20
# The sets are stored with every pushed request, which anybody can push. A set has one or two kilobytes.
MAX_SETS_BYTES = 32 * 1024

# Returns the document that an authority currently publishes. Raises NotFound, RemoteFailed or RemoteSlow.
Resolve = Callable[[Nsid], Awaitable[Document]]


class PermissionDocuments:
    """Finds published permission sets in the catalog or at their authority. ``resolve`` is None if this server contacts
    no authorities.
    """

    def __init__(self, catalog: Catalog, resolve: Resolve | None = None) -> None:
        self._catalog = catalog
        self._resolve = resolve

    async def find(self, nsid: Nsid) -> PermissionSetType:
        """Find the permission set with this name. Raises NotFound if it is unknown or not a permission set, and what
        resolving raises.
        """
        document = self._catalog.find(nsid)
        if document is None and self._resolve is not None:
            document = await self._resolve(nsid)
        definition = None if document is None else document.defs.get("main")
        if not isinstance(definition, PermissionSetType):
            raise NotFound(f"There is no permission set {nsid}.")
        return definition

    async def find_all(self, scopes: Iterable[str]) -> dict[str, PermissionSetType]:
        """Find the permission set of each ``include:`` scope, by NSID. Raises what ``find`` raises, and InvalidInput
        for more than ``MAX_SETS`` or ``MAX_SETS_BYTES``.
        """
        names = {each.nsid for _, each in recognized_scopes(scopes) if isinstance(each, Inclusion)}
        if len(names) > MAX_SETS:
            raise InvalidInput("scope", f"A request can name at most {MAX_SETS} of them, not {len(names)}.")
        sets: dict[str, PermissionSetType] = {name: await self.find(name) for name in sorted(names)}
        if len(msgspec.json.encode(sets)) > MAX_SETS_BYTES:
            raise InvalidInput("scope", f"Together they have more than {MAX_SETS_BYTES} bytes.")
        return sets


def expanded(scopes: Iterable[str], sets: Mapping[str, PermissionSetType]) -> str:
    """Return the scope of an access token: ``atproto`` and every permission, with each ``include:`` replaced by the
    permissions of its set.
    """
    scopes_in_order: dict[str, None] = {ATPROTO: None}
    for scope, permission in recognized_scopes(scopes):
        if isinstance(permission, Inclusion):
            scopes_in_order.update((each.scope(), None) for each in expand(permission, sets[permission.nsid]))
        else:
            scopes_in_order[scope] = None
    return " ".join(scopes_in_order)
