"""Scopes in plain words: what an app could and could not do, and each scope as a choice, grouped by topic.

Each choice is one scope as the app wrote it; a scope that is not selected is not granted. Only ``atproto`` cannot be
declined. A permission set is shown with its title and our own description of its permissions, in addition to its
author's text. Identifiers are shown as technical details.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from babel.lists import format_list

from at_protocol.lexicon.document import PermissionSetType
from at_protocol.oauth.grant import read_grant, recognized_scopes
from at_protocol.oauth.permission_sets import expand
from at_protocol.oauth.permissions import (
    ALL_ACTIONS,
    ANY,
    ATPROTO,
    AccountPermission,
    BlobPermission,
    IdentityPermission,
    Inclusion,
    Permission,
    RepoAction,
    RepoPermission,
    RpcPermission,
    Transition,
)
from aurora_locus.i18n.catalogue import LazyText, current, gettext, lazy, ngettext
from aurora_locus.i18n.sentences import capital
from aurora_locus.oauth.permission_documents import expanded
from aurora_locus.oauth.plain_names import plain_name


class ScopeTopic(StrEnum):
    """Topic of a group of scopes. Groups are shown in this order."""

    IDENTIFY = "identify"
    SETS = "sets"
    RECORDS = "records"
    FILES = "files"
    SERVICES = "services"
    ACCOUNT = "account"
    IDENTITY = "identity"
    EVERYTHING = "everything"


TITLES: Mapping[ScopeTopic, LazyText] = {
    ScopeTopic.IDENTIFY: lazy("See who you are"),
    ScopeTopic.SETS: lazy("Use a feature of an app"),
    ScopeTopic.RECORDS: lazy("Write in your account"),
    ScopeTopic.FILES: lazy("Upload files"),
    ScopeTopic.SERVICES: lazy("Use other services in your name"),
    ScopeTopic.ACCOUNT: lazy("Your account here"),
    ScopeTopic.IDENTITY: lazy("Change your identity"),
    ScopeTopic.EVERYTHING: lazy("Act for you almost everywhere"),
}
# The author's description of a permission set is shown next to our own text, as one line of about the same length.
_MAX_TITLE, _MAX_DETAIL = 80, 300
# Number of kinds of records that a summary names.
_NAMED = 2

# Texts by the access of an app to records, in the order of ``RepoAction``.
_ACTION_TEXTS: Mapping[frozenset[RepoAction], LazyText] = {
    frozenset({RepoAction.CREATE, RepoAction.UPDATE, RepoAction.DELETE}): lazy("create, change and delete %(what)s"),
    frozenset({RepoAction.CREATE, RepoAction.UPDATE}): lazy("create and change %(what)s"),
    frozenset({RepoAction.CREATE, RepoAction.DELETE}): lazy("create and delete %(what)s"),
    frozenset({RepoAction.UPDATE, RepoAction.DELETE}): lazy("change and delete %(what)s"),
    frozenset({RepoAction.CREATE}): lazy("create %(what)s"),
    frozenset({RepoAction.UPDATE}): lazy("change %(what)s"),
    frozenset({RepoAction.DELETE}): lazy("delete %(what)s"),
}


@dataclass(frozen=True, slots=True)
class DescribedScope:
    """One scope. ``sentence`` completes "This app could …", ``details`` are collapsible lines, ``names`` are
    identifiers of the collections, methods or services to which the scope gives access.
    """

    scope: str
    sentence: str
    details: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    can_be_refused: bool = True
    is_grave: bool = False


@dataclass(frozen=True, slots=True)
class Ability:
    """Something that an app could do, as a capitalized sentence, and a second sentence about it."""

    sentence: str
    note: str = ""
    is_grave: bool = False
    details: tuple[str, ...] = ()


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
    """Describe every scope of a request in its group, with groups in the order of ``ScopeTopic``. ``locales`` are the
    reader's language tags, best first.
    """
    scopes_by_topic: dict[ScopeTopic, list[DescribedScope]] = {topic: [] for topic in ScopeTopic}
    if ATPROTO in scopes:
        identity_scope = DescribedScope(
            ATPROTO, gettext("see your name and what is public about you"), can_be_refused=False
        )
        scopes_by_topic[ScopeTopic.IDENTIFY].append(identity_scope)
    for scope, permission in recognized_scopes(scopes):
        topic, described = _describe(scope, permission, sets, locales)
        scopes_by_topic[topic].append(described)
    return [
        ScopeGroup(topic, str(TITLES[topic]), tuple(entries)) for topic, entries in scopes_by_topic.items() if entries
    ]


def abilities(
    scopes: Sequence[str], sets: Mapping[str, PermissionSetType], locales: Sequence[str] = ()
) -> list[Ability]:
    """Describe what an app with these scopes could do, one line each. Types of records with the same verbs share a
    line.
    """
    collections_by_actions: dict[frozenset[RepoAction], list[str]] = {}
    lines: list[tuple[ScopeTopic, Ability]] = []
    for scope, permission in recognized_scopes(scopes):
        if isinstance(permission, RepoPermission) and ANY not in permission.collections:
            collections_by_actions.setdefault(permission.actions, []).extend(permission.collections)
            continue
        topic, description = _describe(scope, permission, sets, locales)
        lines.append(
            (
                topic,
                Ability(capital(description.sentence), _note_of(permission), description.is_grave, description.details),
            )
        )
    for actions, collections in collections_by_actions.items():
        collections_text = _join_items([plain_name(each) for each in dict.fromkeys(collections)])
        lines.append(
            (ScopeTopic.RECORDS, Ability(capital(_write(actions, collections_text)), gettext("They’re public.")))
        )
    # The most important permissions come first. Reading the identity of the account comes last, because every app may
    # do that.
    lines.sort(key=lambda line: (not line[1].is_grave, list(ScopeTopic).index(line[0])))
    email_text = (
        gettext("Your e-mail address isn’t included.") if not read_grant(" ".join(scopes)).may_read_email() else ""
    )
    identity_abilities = (
        [Ability(capital(gettext("see your name and what is public about you")), email_text)]
        if ATPROTO in scopes
        else []
    )
    return [ability for _, ability in lines] + identity_abilities


def inabilities(scopes: Sequence[str], sets: Mapping[str, PermissionSetType]) -> str:
    """List the things that people may worry about but that an app with these scopes cannot do. The text completes "It
    won’t be able to".
    """
    grant = read_grant(expanded(scopes, sets))
    inability_texts = {
        gettext("post for you"): grant.may_write("app.bsky.feed.post", RepoAction.CREATE),
        gettext("read your messages"): grant.may_call("chat.bsky.convo.getMessages", "did:web:api.bsky.chat#bsky_chat"),
        gettext("see your e-mail address"): grant.may_read_email(),
        gettext("change your name"): grant.may_change_identity("handle"),
        # These require the password.
        gettext("change your password"): False,
        gettext("delete your account"): False,
    }
    return capital(_join_items([text for text, may_be in inability_texts.items() if not may_be], "or"))


def summary_of(scopes: Sequence[str]) -> str:
    """Summarize the permissions of an app in a few words, for lists."""
    permissions = dict(recognized_scopes(scopes)).values()
    if Transition.GENERIC in permissions:
        if Transition.CHAT in permissions:
            return gettext("Full access, and your private messages")
        return gettext("Full access")
    collections = dict.fromkeys(
        name for each in permissions if isinstance(each, RepoPermission) for name in each.collections
    )
    parts = []
    if ANY in collections:
        parts.append(gettext("change everything you have written"))
    elif collections:
        names_text = _join_items([plain_name(each) for each in list(collections)[:_NAMED]])
        more = gettext("change %(what)s and more", what=names_text)
        parts.append(more if len(collections) > _NAMED else gettext("change %(what)s", what=names_text))
    parts += [sentence_of(each) for each in permissions if not isinstance(each, RepoPermission)]
    if not parts:
        return gettext("Can see your name")
    other_count = len(parts) - 1
    if not other_count:
        return gettext("Can %(ability)s", ability=parts[0])
    return ngettext(
        "Can %(ability)s, and %(number)s other thing",
        "Can %(ability)s, and %(number)s other things",
        other_count,
        ability=parts[0],
    )


def sentence_of(permission: Permission) -> str:
    """Describe what a permission allows, as the end of a sentence."""
    match permission:
        case RepoPermission():
            return _sentence_of_records(permission)
        case RpcPermission():
            return _sentence_of_calls(permission)
        case BlobPermission():
            return gettext("upload %(files)s", files=_files(permission.accept))
        case AccountPermission():
            return _sentence_of_account(permission)
        case IdentityPermission(attribute="handle"):
            return gettext("change your name")
        case IdentityPermission():
            return gettext("change your identity: its name, its keys and where your account is stored")
        case Inclusion():
            return gettext("use the feature %(name)s", name=permission.nsid)
        case Transition.GENERIC:
            return gettext(
                "write and delete anything in your account, upload any file, and use most services in your name"
            )
        case Transition.CHAT:
            return gettext("read and send your private messages")
        case Transition.EMAIL:
            return gettext("see your e-mail address")


def _sentence_of_records(permission: RepoPermission) -> str:
    if ANY in permission.collections:
        return _write(permission.actions, gettext("everything in your account"))
    return _write(permission.actions, _join_items([plain_name(each) for each in permission.collections]))


def _sentence_of_calls(permission: RpcPermission) -> str:
    service_text = gettext("any service") if permission.audience == ANY else _host_of(permission.audience)
    if ANY in permission.methods:
        return gettext("do anything on %(where)s in your name", where=service_text)
    methods_text = _join_items([_method_words(each) for each in permission.methods])
    return gettext("use %(where)s in your name: %(what)s", where=service_text, what=methods_text)


def _sentence_of_account(permission: AccountPermission) -> str:
    match permission.attribute, permission.may_manage:
        case "email", False:
            return gettext("see your e-mail address")
        case "email", True:
            return gettext("see your e-mail address and have it confirmed")
        case _, False:
            return gettext("see how much of your data is on this server")
        case _:
            return gettext("replace everything you have written with a file")


def _describe(
    scope: str, permission: Permission, sets: Mapping[str, PermissionSetType], locales: Sequence[str]
) -> tuple[ScopeTopic, DescribedScope]:
    match permission:
        case RepoPermission():
            grave = ANY in permission.collections and permission.actions >= ALL_ACTIONS
            names = tuple(each for each in permission.collections if each != ANY)
            return ScopeTopic.RECORDS, DescribedScope(scope, sentence_of(permission), names=names, is_grave=grave)
        case RpcPermission():
            return ScopeTopic.SERVICES, DescribedScope(
                scope,
                sentence_of(permission),
                names=(*permission.methods, permission.audience),
                is_grave=ANY in permission.methods,
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
        ((detail,) if detail else ()) + tuple(capital(line) for line in lines),
        (permission.nsid,),
    )


def _in_language(text: str | None, translations: Mapping[str, str], locales: Sequence[str]) -> str | None:
    """Return the text in the reader's first language for which there is one (RFC 4647 section 3.4, "Lookup")."""
    spellings = {language.lower(): words for language, words in translations.items()}
    for locale in locales:
        language = locale.lower()
        while language:
            if language in spellings:
                return spellings[language]
            language = language.rpartition("-")[0]
    return text


def _line(text: str | None, max_length: int) -> str:
    """Reduce untrusted text to one plain line, without invisible characters and changes of text direction."""
    printable = "".join(char if char.isprintable() else " " for char in text or "")
    line = " ".join(printable.split())
    return line if len(line) <= max_length else f"{line[: max_length - 1]}…"


def _files(accept: Sequence[str]) -> str:
    if "*/*" in accept:
        return gettext("files of any kind")
    names = {
        "image/*": gettext("images"),
        "video/*": gettext("videos"),
        "audio/*": gettext("audio files"),
        "text/*": gettext("text files"),
    }
    return _join_items([names.get(each) or gettext("files of the type %(kind)s", kind=each) for each in accept])


def _note_of(permission: Permission) -> str:
    match permission:
        case BlobPermission():
            return gettext("Everything in your posts and events is public.")
        case IdentityPermission(attribute="handle"):
            return gettext("This lets an app take your name away from you.")
        case IdentityPermission():
            return gettext("This lets an app take your name, or your whole account, away from you.")
        case (
            RepoPermission()
            | Transition.GENERIC
            | Transition.CHAT
            | AccountPermission(attribute="repo", may_manage=True)
        ):
            return gettext("This is a lot. Allow it only for an app that you trust with everything.")
        case RpcPermission() if ANY in permission.methods:
            return gettext("This is a lot. Allow it only for an app that you trust with everything.")
        case _:
            return ""


def _write(actions: frozenset[RepoAction], objects: str) -> str:
    return _ACTION_TEXTS[actions].filled(what=objects)


def _host_of(audience: str) -> str:
    """Return the name of a service: the host for ``did:web:api.example.com#app``, otherwise the identifier, because
    other services have no name.
    """
    return audience.removeprefix("did:web:").partition("#")[0].partition("%3A")[0]


def _method_words(method: str) -> str:
    """Turn a method name into words: ``app.bsky.feed.getTimeline`` becomes ``get timeline``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", method.rpartition(".")[2]).lower()


def _join_items(words: Sequence[str], last: Literal["and", "or"] = "and") -> str:
    """Join items as the language does: ``a, b and c`` (CLDR, list patterns)."""
    style: Literal["standard", "or"] = "standard" if last == "and" else "or"
    return format_list(list(words), style, locale=current().locale)
