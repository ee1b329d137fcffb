"""What is a burst, what may be done to what, and what people may say. Pure."""

import re
from urllib.parse import urlsplit

from groundwork.errors import InvalidForm, InvalidInput, Refused
from openmeet.domain.moderation.model import MAX_REASON, MAX_WORDS, MUTED, Act, Policy, Reason, State, Subject, Thing

_HIDDEN = {Thing.EVENT: Act.HIDE, Thing.SERIES: Act.HIDE, Thing.GROUP: Act.HIDE}
_SHOWN = {Thing.EVENT: Act.SHOW, Thing.SERIES: Act.SHOW, Thing.GROUP: Act.SHOW}


def host_of(pds_url: str) -> str:
    """Under which name a PDS is counted: its domain with one label before it, since many servers of one operator are one host.

    An address without a domain (a number, this machine) is itself. Empty for what has no host.
    """
    parts = urlsplit(pds_url)
    name = parts.hostname or ""
    labels = name.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or ":" in name:
        return parts.netloc
    return ".".join(labels[-2:])


def is_burst(policy: Policy, *, counted: int, authors: int, events: int, new_hosts: int) -> bool:
    """Whether a newcomer is part of too much at once: of their own, of their host's newcomers, of hosts that nobody knew."""
    return (
        counted > policy.most_events_of_author
        or authors > policy.most_authors_of_host
        or events > policy.most_events_of_host
        or new_hosts > policy.most_new_hosts
    )


def act_of(subject: Subject, before: State, after: State) -> Act:
    """What the log calls the step from one state to another."""
    if after is State.HIDDEN:
        return _HIDDEN.get(subject.thing, Act.BLOCK)
    if after in {State.FIRST_EVENT, State.ARRIVAL, State.BURST}:
        return Act.HOLD
    if before is State.HIDDEN:
        return _SHOWN.get(subject.thing, Act.UNBLOCK)
    return Act.RELEASE


def must_be_possible(subject: Subject, before: State, after: State) -> None:
    """Refused (``NothingToDo``) where a moderator asks for what is so already, or for what cannot be of such a thing."""
    if after is before or (after is State.TRUSTED and subject.thing not in {Thing.PERSON, Thing.DID, Thing.EVENT}):
        raise Refused("There is nothing to do: it stands so already.", name="NothingToDo")


def check_report(reason: str, words: str) -> tuple[Reason, str]:
    """Raises InvalidForm."""
    problems = {}
    words = words.strip()
    if reason not in set(Reason):
        problems["reason"] = "Choose what is wrong with it."
    elif Reason(reason) is Reason.OTHER and not words:
        problems["words"] = "Say in a few words what is wrong."
    if len(words) > MAX_WORDS:
        problems["words"] = f"At most {MAX_WORDS} characters."
    if problems:
        raise InvalidForm(problems)
    return Reason(reason), words


def check_reason(reason: str, *, is_told: bool) -> str:
    """What a moderator says to those whose it is; ``is_told``: it must say something. Raises InvalidForm."""
    reason = reason.strip()
    if is_told and not reason:
        raise InvalidForm({"reason": "Say why: whose it is reads it."})
    if len(reason) > MAX_REASON:
        raise InvalidForm({"reason": f"At most {MAX_REASON} characters."})
    return reason


def check_host(text: str) -> Subject:
    """A PDS by its address; raises InvalidInput."""
    typed = text.strip().rstrip("/")
    parts = urlsplit(typed if "://" in typed else f"https://{typed}")
    is_name = re.fullmatch(r"[a-z0-9.:\[\]-]+", parts.netloc.lower()) is not None
    if parts.scheme not in {"http", "https"} or not is_name or parts.path or parts.query:
        raise InvalidInput("subject", "Write the address of a PDS, like https://pds.example.")
    return Subject(Thing.HOST, f"{parts.scheme}://{parts.netloc.lower()}")


def must_be_mutable(subject: Subject) -> None:
    """Refused for what cannot be muted."""
    if subject.thing not in MUTED:
        raise Refused("People and groups can be muted.", name="NotMutable")
