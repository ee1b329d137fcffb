"""Expansion of published permission sets to the permissions that they may grant (``include:`` scopes).

Source: atproto permissions specification, "Permission Sets"; Lexicon, ``permission-set``. A set can only cover names in
its own group. A permission with an unknown field is dropped entirely, because the field might narrow it.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from at_protocol.failures import Malformed
from at_protocol.lexicon.document import PermissionSetType
from at_protocol.oauth.permissions import (
    ALL_ACTIONS,
    ANY,
    Inclusion,
    RepoPermission,
    RpcPermission,
    parse_actions,
)
from at_protocol.syntax.nsid import Nsid, parse_nsid

_REPO_FIELDS: Final = frozenset({"type", "resource", "collection", "action"})
_RPC_FIELDS: Final = frozenset({"type", "resource", "lxm", "aud", "inheritAud"})


def expand(inclusion: Inclusion, document: PermissionSetType) -> list[RepoPermission | RpcPermission]:
    """Return the permissions of the set for this inclusion, in the set's order."""
    group = inclusion.nsid.rpartition(".")[0] + "."
    permissions: list[RepoPermission | RpcPermission] = []
    for entry in document.permissions:
        try:
            permission = _permission(entry, group, inclusion.audience)
        except Malformed:
            continue
        if permission is not None:
            permissions.append(permission)
    return permissions


def _permission(
    entry: Mapping[str, object], group: str, inherited: str | None
) -> RepoPermission | RpcPermission | None:
    if entry.get("type", "permission") != "permission":
        return None
    if entry.get("resource") == "repo" and entry.keys() <= _REPO_FIELDS:
        collections = _names(entry.get("collection"), group)
        action = entry.get("action")
        return RepoPermission(collections, ALL_ACTIONS if action is None else parse_actions(_texts(action)))
    if entry.get("resource") == "rpc" and entry.keys() <= _RPC_FIELDS:
        methods = _names(entry.get("lxm"), group)
        match entry.get("aud"), entry.get("inheritAud", False):
            case "*", False:
                return RpcPermission(methods, ANY)
            case None, True if inherited is not None:
                return RpcPermission(methods, inherited)
    return None


def _names(value: object, group: str) -> tuple[Nsid, ...]:
    """Return the names that are in the group. Raises Malformed if there are none."""
    names = tuple(parse_nsid(text) for text in _texts(value) if text.startswith(group))
    if not names:
        raise Malformed("permission set", value, "has no names in its own group")
    return names


def _texts(value: object) -> Sequence[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise Malformed("permission set", value, "not a list of strings")
    return value
