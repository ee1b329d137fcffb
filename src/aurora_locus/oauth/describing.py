"""Scopes in plain words, grouped by topic; each can be declined separately.

One entry is one scope as the app wrote it: an unticked one is not granted. Only ``atproto`` cannot be declined. A permission
set is described by its permissions below its title, not by its author's words alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from at_protocol.lexicon.document import PermissionSetType
from at_protocol.oauth.grant import understood
from at_protocol.oauth.permission_sets import expand
from at_protocol.oauth.permissions import (
    ANY,
    ATPROTO,
    EVERY_WRITING,
    AccountPermission,
    BlobPermission,
    IdentityPermission,
    Inclusion,
    Permission,
    RepoPermission,
    RpcPermission,
    Transition,
    Writing,
)
from aurora_locus.oauth.plain_names import with_plain_name


class ScopeTopic(StrEnum):
    """Topic of a group; groups are shown in this order."""

    IDENTIFY = "identify"
    SETS = "sets"
    RECORDS = "records"
    FILES = "files"
    SERVICES = "services"
    ACCOUNT = "account"
    IDENTITY = "identity"
    EVERYTHING = "everything"


TITLES: Mapping[ScopeTopic, str] = {
    ScopeTopic.IDENTIFY: "Know who you are",
    ScopeTopic.SETS: "Use a feature of an app",
    ScopeTopic.RECORDS: "Write to your repository",
    ScopeTopic.FILES: "Upload files",
    ScopeTopic.SERVICES: "Speak to other services in your name",
    ScopeTopic.ACCOUNT: "Your account here",
    ScopeTopic.IDENTITY: "Change your identity",
    ScopeTopic.EVERYTHING: "Act for you nearly everywhere",
}
# The author's description of a permission set is shown beside our own words: one line, of about their length.
_MAX_TITLE, _MAX_DETAIL = 80, 300

_VERBS = {Writing.CREATE: "create", Writing.UPDATE: "change", Writing.DELETE: "delete"}


@dataclass(frozen=True, slots=True)
class DescribedScope:
    """One scope. ``sentence`` completes "This app wants to …"; ``details`` are collapsible lines."""

    scope: str
    sentence: str
    details: tuple[str, ...] = ()
    can_be_refused: bool = True
    is_grave: bool = False


@dataclass(frozen=True, slots=True)
class ScopeGroup:
    """Scopes of one topic."""

    topic: ScopeTopic
    title: str
    permissions: tuple[DescribedScope, ...]

    @property
    def is_grave(self) -> bool:
        return any(each.is_grave for each in self.permissions)


def describe_scopes(
    scopes: Sequence[str], sets: Mapping[str, PermissionSetType], locales: Sequence[str] = ()
) -> list[ScopeGroup]:
    """Every scope of a request in its group, groups in the order of ``ScopeTopic``; ``locales`` are the reader's, best first."""
    found: dict[ScopeTopic, list[DescribedScope]] = {topic: [] for topic in ScopeTopic}
    if ATPROTO in scopes:
        who = DescribedScope(
            ATPROTO, "know your handle, your identity and what is public about you", can_be_refused=False
        )
        found[ScopeTopic.IDENTIFY].append(who)
    for scope, permission in understood(scopes):
        topic, described = _describe(scope, permission, sets, locales)
        found[topic].append(described)
    return [ScopeGroup(topic, TITLES[topic], tuple(entries)) for topic, entries in found.items() if entries]


def sentence_of(permission: Permission) -> str:
    """What a permission allows, as the end of a sentence."""
    match permission:
        case RepoPermission():
            verbs = _listed([_VERBS[each] for each in Writing if each in permission.writings])
            if ANY in permission.collections:
                return f"{verbs} records of every kind in your repository"
            return f"{verbs} {_listed([with_plain_name(each) for each in permission.collections])}"
        case RpcPermission():
            what = "any method" if ANY in permission.methods else _listed(permission.methods)
            where = "any service" if permission.audience == ANY else permission.audience
            return f"call {what} of {where} in your name"
        case BlobPermission():
            return f"upload {_files(permission.accept)}"
        case AccountPermission(attribute="email", may_manage=False):
            return "read your e-mail address"
        case AccountPermission(attribute="email"):
            return "read your e-mail address and have it confirmed"
        case AccountPermission(may_manage=False):
            return "see how much of your repository is here"
        case AccountPermission():
            return "replace your whole repository by a file"
        case IdentityPermission(attribute="handle"):
            return "change your handle"
        case IdentityPermission():
            return "change your identity: its handle, its keys and where your account lives"
        case Inclusion():
            return f"use the permissions of {permission.nsid}"
        case Transition.GENERIC:
            return "write and delete anything in your repository, upload any file, and use most services in your name"
        case Transition.CHAT:
            return "read and send your private messages"
        case Transition.EMAIL:
            return "read your e-mail address"


def _describe(
    scope: str, permission: Permission, sets: Mapping[str, PermissionSetType], locales: Sequence[str]
) -> tuple[ScopeTopic, DescribedScope]:
    match permission:
        case RepoPermission():
            grave = ANY in permission.collections and permission.writings >= EVERY_WRITING
            return ScopeTopic.RECORDS, DescribedScope(scope, sentence_of(permission), is_grave=grave)
        case RpcPermission():
            return ScopeTopic.SERVICES, DescribedScope(
                scope, sentence_of(permission), is_grave=ANY in permission.methods
            )
        case BlobPermission():
            return ScopeTopic.FILES, DescribedScope(scope, sentence_of(permission))
        case AccountPermission():
            grave = permission.attribute == "repo" and permission.may_manage
            return ScopeTopic.ACCOUNT, DescribedScope(scope, sentence_of(permission), is_grave=grave)
        case IdentityPermission():
            return ScopeTopic.IDENTITY, DescribedScope(scope, sentence_of(permission), is_grave=True)
        case Inclusion():
            return ScopeTopic.SETS, _inclusion(scope, permission, sets.get(permission.nsid), locales)
        case Transition.GENERIC:
            return ScopeTopic.EVERYTHING, DescribedScope(scope, sentence_of(permission), is_grave=True)
        case Transition.CHAT:
            return ScopeTopic.SERVICES, DescribedScope(scope, sentence_of(permission), is_grave=True)
        case Transition.EMAIL:
            return ScopeTopic.ACCOUNT, DescribedScope(scope, sentence_of(permission))


def _inclusion(
    scope: str, permission: Inclusion, document: PermissionSetType | None, locales: Sequence[str]
) -> DescribedScope:
    if document is None:
        return DescribedScope(scope, sentence_of(permission))
    title = _line(_in_language(document.title, document.title_lang, locales), _MAX_TITLE) or str(permission.nsid)
    detail = _line(_in_language(document.detail, document.detail_lang, locales), _MAX_DETAIL)
    lines = [sentence_of(each) for each in expand(permission, document)]
    return DescribedScope(
        scope,
        f"{title} ({permission.nsid})",
        ((detail,) if detail else ()) + tuple(f"{line[:1].upper()}{line[1:]}" for line in lines),
    )


def _in_language(text: str | None, others: Mapping[str, str], locales: Sequence[str]) -> str | None:
    """The text for the reader's first language that has one (RFC 4647 section 3.4, "Lookup")."""
    spellings = {language.lower(): words for language, words in others.items()}
    for locale in locales:
        language = locale.lower()
        while language:
            if language in spellings:
                return spellings[language]
            language = language.rpartition("-")[0]
    return text


def _line(text: str | None, most: int) -> str:
    """Untrusted text as one plain line: no invisible characters, no change of text direction."""
    shown = "".join(char if char.isprintable() else " " for char in text or "")
    line = " ".join(shown.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _files(accept: Sequence[str]) -> str:
    if "*/*" in accept:
        return "files of any kind"
    names = {"image/*": "images", "video/*": "videos", "audio/*": "sounds", "text/*": "texts"}
    return _listed([names.get(each, f"files of the type {each}") for each in accept])


def _listed(words: Sequence[str]) -> str:
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} and {words[-1]}"
