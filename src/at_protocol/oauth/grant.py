"""Grant: what a set of scopes allows an app to do. Resource servers check requests against it.

A grant is built once per token, and each check is a few comparisons. Unknown scopes allow nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from at_protocol.failures import Malformed
from at_protocol.oauth.permissions import (
    ANY,
    AccountPermission,
    BlobPermission,
    IdentityPermission,
    Permission,
    RepoAction,
    RepoPermission,
    RpcPermission,
    Transition,
    parse_permission,
)

_CHAT: Final = "chat.bsky."
# The broad transitional scopes of older apps do not cover account migration. In lower case, because some services ignore
# the case of method names.
_NOT_GENERIC: Final = frozenset({"com.atproto.server.createaccount"})


@dataclass(frozen=True, slots=True)
class Grant:
    """Permissions by kind, plus the broad transitional scopes."""

    repo: tuple[RepoPermission, ...]
    rpc: tuple[RpcPermission, ...]
    blob: tuple[BlobPermission, ...]
    account: tuple[AccountPermission, ...]
    identity: tuple[IdentityPermission, ...]
    transitions: frozenset[Transition]

    def may_write(self, collection: str, action: RepoAction) -> bool:
        """Whether records of a collection may be created, updated or deleted."""
        return Transition.GENERIC in self.transitions or any(
            action in each.actions and (collection in each.collections or ANY in each.collections) for each in self.repo
        )

    def may_upload(self, media_type: str) -> bool:
        """Whether a file of this declared media type (lower case, no parameters) may be uploaded."""
        if Transition.GENERIC in self.transitions:
            return True
        family = media_type.partition("/")[0] + "/*"
        return any("*/*" in each.accept or media_type in each.accept or family in each.accept for each in self.blob)

    def may_call(self, method: str, audience: str) -> bool:
        """Whether this method of this service (``did#service``) may be called. Pass ``*`` to ask about all methods."""
        if Transition.GENERIC in self.transitions:
            lower = method.lower()
            if lower.startswith(_CHAT):
                if Transition.CHAT in self.transitions:
                    return True
            elif lower not in _NOT_GENERIC and method != ANY:
                return True
        return any(
            each.audience in (ANY, audience) and (method in each.methods or ANY in each.methods) for each in self.rpc
        )

    def may_call_here(self, method: str) -> bool:
        """Whether a method that this server answers on behalf of a service may be called, whichever service the scope
        names.
        """
        return (Transition.GENERIC in self.transitions and not method.startswith(_CHAT)) or any(
            method in each.methods or ANY in each.methods for each in self.rpc
        )

    def may_read_email(self) -> bool:
        return Transition.EMAIL in self.transitions or any(each.attribute == "email" for each in self.account)

    def may_manage(self, attribute: str) -> bool:
        """Whether ``email`` or ``repo`` of the account may be changed."""
        return any(each.attribute == attribute and each.may_manage for each in self.account)

    def may_change_identity(self, attribute: str) -> bool:
        """Whether ``handle``, or with ``*`` the whole identity, may be changed."""
        return any(each.attribute in (attribute, ANY) for each in self.identity)


def recognized_scopes(scopes: Iterable[str]) -> list[tuple[str, Permission]]:
    """Return the recognized scopes with their permissions, in order."""
    recognized = []
    for scope in scopes:
        try:
            recognized.append((scope, parse_permission(scope)))
        except Malformed:
            continue
    return recognized


def read_grant(scope: str) -> Grant:
    """Return the grant of a token's ``scope``. Never raises."""
    scopes = scope.split()
    permissions = [permission for _, permission in recognized_scopes(scopes)]
    return Grant(
        repo=tuple(each for each in permissions if isinstance(each, RepoPermission)),
        rpc=tuple(each for each in permissions if isinstance(each, RpcPermission)),
        blob=tuple(each for each in permissions if isinstance(each, BlobPermission)),
        account=tuple(each for each in permissions if isinstance(each, AccountPermission)),
        identity=tuple(each for each in permissions if isinstance(each, IdentityPermission)),
        transitions=frozenset(each for each in permissions if isinstance(each, Transition)),
    )
