"""Permissions, one type per resource (atproto permissions specification, "Resource Types").

A scope is recognized or ignored as a whole, because an unknown parameter might narrow it. The positional parameter must
not also be given by name, and a scalar parameter occurs once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from at_protocol.failures import Malformed
from at_protocol.oauth.scope_text import ScopeText, read_scope, write_scope
from at_protocol.syntax.did import parse_did, supported_method
from at_protocol.syntax.nsid import Nsid, parse_nsid

ANY: Final = "*"
# Required in every grant. On its own, it reveals only the identity of the account.
ATPROTO: Final = "atproto"


class RepoAction(StrEnum):
    """The actions that ``repo`` permissions distinguish."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Transition(StrEnum):
    """The broad transitional scopes that predate permissions."""

    GENERIC = "transition:generic"
    CHAT = "transition:chat.bsky"
    EMAIL = "transition:email"


ALL_ACTIONS: Final = frozenset(RepoAction)

_MEDIA_RANGE = re.compile(r"\*/\*|[A-Za-z0-9!#$&^_.+-]{1,127}/(\*|[A-Za-z0-9!#$&^_.+-]{1,127})", re.ASCII)
_FRAGMENT = re.compile(r"[A-Za-z0-9._~:-]{1,256}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RepoPermission:
    """Permission to write records: collections (``*`` for all) and allowed actions."""

    collections: tuple[str, ...]
    actions: frozenset[RepoAction] = ALL_ACTIONS

    def scope(self) -> str:
        actions = [] if self.actions == ALL_ACTIONS else [("action", w.value) for w in RepoAction if w in self.actions]
        return _scope_text("repo", "collection", self.collections, actions)


@dataclass(frozen=True, slots=True)
class RpcPermission:
    """Permission to call another service on behalf of the user: methods (``*`` for all), and the service
    (``did#service`` or ``*``).
    """

    methods: tuple[str, ...]
    audience: str

    def scope(self) -> str:
        return _scope_text("rpc", "lxm", self.methods, [("aud", self.audience)])


@dataclass(frozen=True, slots=True)
class BlobPermission:
    """Permission to upload files whose declared media type is within one of these ranges."""

    accept: tuple[str, ...]

    def scope(self) -> str:
        return _scope_text("blob", "accept", self.accept, [])


@dataclass(frozen=True, slots=True)
class AccountPermission:
    """Permission for account attributes: ``email`` or ``repo``. Permission to manage them includes reading."""

    attribute: str
    may_manage: bool = False

    def scope(self) -> str:
        return write_scope("account", self.attribute, [("action", "manage")] if self.may_manage else [])


@dataclass(frozen=True, slots=True)
class IdentityPermission:
    """Permission to change the DID document: ``handle``, or ``*`` for all of it."""

    attribute: str

    def scope(self) -> str:
        return write_scope("identity", self.attribute)


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The permissions of a published set. ``audience`` applies to the permissions that inherit it (``inheritAud``)."""

    nsid: Nsid
    audience: str | None = None

    def scope(self) -> str:
        return write_scope("include", self.nsid, [] if self.audience is None else [("aud", self.audience)])


Permission = (
    RepoPermission | RpcPermission | BlobPermission | AccountPermission | IdentityPermission | Inclusion | Transition
)


def parse_permission(text: str) -> Permission:
    """Parse the permission that a scope names. Raises Malformed for everything else, including ``atproto``, which is no
    permission.
    """
    try:
        return Transition(text)
    except ValueError:
        pass
    scope = read_scope(text)
    match scope.resource:
        case "repo":
            return _repo(_values(text, scope, "collection", {"action"}))
        case "rpc":
            return _rpc(text, _values(text, scope, "lxm", {"aud"}))
        case "blob":
            accept = _values(text, scope, "accept", set())["accept"]
            return BlobPermission(tuple(media_range(each) for each in accept))
        case "account":
            return _account(text, _values(text, scope, "attr", {"action"}))
        case "identity":
            attribute = _single_value(text, _values(text, scope, "attr", set()), "attr")
            if attribute not in ("handle", ANY):
                raise Malformed("scope", text, "identity permissions are for handle or *")
            return IdentityPermission(attribute)
        case "include":
            return _inclusion(text, _values(text, scope, "nsid", {"aud"}))
        case _:
            raise Malformed("scope", text, "has an unknown resource")


def media_range(text: str) -> str:
    """Return a media type or media range in lower case. Raises Malformed."""
    if _MEDIA_RANGE.fullmatch(text) is None:
        raise Malformed("scope", text, "not a media type, type/* or */*")
    return text.lower()


def audience(text: str) -> str:
    """Return ``did#service`` in comparable form. Raises Malformed for a DID without a service."""
    did, _, fragment = text.partition("#")
    supported_method(parse_did(did))
    if _FRAGMENT.fullmatch(fragment) is None:
        raise Malformed("scope", text, "an audience is a DID followed by # and the name of a service")
    return text


def _repo(values: Mapping[str, Sequence[str]]) -> RepoPermission:
    collections = values["collection"]
    for collection in collections:
        if collection != ANY:
            parse_nsid(collection)
    actions = values.get("action")
    return RepoPermission(tuple(collections), ALL_ACTIONS if actions is None else parse_actions(actions))


def parse_actions(actions: Sequence[str]) -> frozenset[RepoAction]:
    """Parse actions. Raises Malformed if there are none, or for an unknown action."""
    try:
        repo_actions = frozenset(RepoAction(action) for action in actions)
    except ValueError as error:
        raise Malformed("scope", list(actions), "actions are create, update and delete") from error
    if not repo_actions:
        raise Malformed("scope", list(actions), "no action")
    return repo_actions


def _rpc(text: str, values: Mapping[str, Sequence[str]]) -> RpcPermission:
    methods, to = values["lxm"], _single_value(text, values, "aud")
    for method in methods:
        if method != ANY:
            parse_nsid(method)
    if to != ANY:
        audience(to)
    elif ANY in methods:
        raise Malformed("scope", text, "a permission cannot cover every method of every service")
    return RpcPermission(tuple(methods), to)


def _account(text: str, values: Mapping[str, Sequence[str]]) -> AccountPermission:
    attribute = _single_value(text, values, "attr")
    if attribute not in ("email", "repo"):
        raise Malformed("scope", text, "account permissions are for email or repo")
    action = _single_value(text, values, "action") if "action" in values else "read"
    if action not in ("read", "manage"):
        raise Malformed("scope", text, "the actions on an account are read and manage")
    return AccountPermission(attribute, may_manage=action == "manage")


def _inclusion(text: str, values: Mapping[str, Sequence[str]]) -> Inclusion:
    nsid = parse_nsid(_single_value(text, values, "nsid"))
    return Inclusion(nsid, audience(_single_value(text, values, "aud")) if "aud" in values else None)


def _values(text: str, scope: ScopeText, positional: str, others: set[str]) -> Mapping[str, Sequence[str]]:
    """Return all parameters by name, including the positional one. Raises Malformed if one is unknown, repeated or
    missing.
    """
    values = dict(scope.parameters)
    if scope.positional:
        if positional in values:
            raise Malformed("scope", text, f"{positional} appears twice")
        values[positional] = [scope.positional]
    if positional not in values:
        raise Malformed("scope", text, f"no {positional}")
    unknown = values.keys() - others - {positional}
    if unknown:
        raise Malformed("scope", text, f"unknown parameter {min(unknown)}")
    return values


def _single_value(text: str, values: Mapping[str, Sequence[str]], name: str) -> str:
    given = values.get(name, ())
    if len(given) != 1:
        raise Malformed("scope", text, f"{name} must appear exactly once")
    return given[0]


def _scope_text(resource: str, name: str, values: Sequence[str], further_parameters: Sequence[tuple[str, str]]) -> str:
    if len(values) == 1:
        return write_scope(resource, values[0], further_parameters)
    return write_scope(resource, parameters=[*((name, value) for value in values), *further_parameters])
