"""Handle policy of this server (Handle specification).

The protocol library checks the syntax; this module decides what is allowed. Under one of the server's own domains, a
handle is one label of limited length that is not reserved. Names under other domains must first be proven by
resolving them.
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from at_protocol.failures import Malformed
from at_protocol.syntax.handle import Handle, parse_handle, reserved_domain
from aurora_locus.i18n.sentences import gettext_noop, localizable
from groundwork.errors import InvalidInput, Refused

MIN_LABEL = 3
MAX_LABEL = 18

# Names that could be mistaken for the server itself, for a protocol's host name, for a part of a URL, or for somebody
# well known. The reference server reserves most of them.
RESERVED = frozenset(Path(__file__).with_name("reserved_names.txt").read_text(encoding="ascii").split())

# The slurs that the reference server refuses, as patterns: one per line, reduced to the letters and digits of handles and
# record keys. The few capitals are those that the reference has.
_OFFENSIVE = re.compile("|".join(Path(__file__).with_name("offensive_names.txt").read_text(encoding="ascii").split()))
_WITHOUT_MARKS = str.maketrans("", "", ".-_")


def is_under(handle: Handle, domains: Sequence[str]) -> bool:
    """Whether the name is under one of these domains of this server (each begins with a dot)."""
    return handle.endswith(tuple(domains))


def is_offensive(name: str) -> bool:
    """Whether a handle or a record key has a slur, with or without its dots, hyphens and underscores."""
    return any(_OFFENSIVE.search(form) for form in (name, name.translate(_WITHOUT_MARKS)))


def require_usable(text: str, *, is_development: bool, allow_any_valid: bool = False) -> Handle:
    """Return the normalized handle if it can ever be resolved and is not offensive. Raises InvalidInput
    (``InvalidHandle``).

    ``allow_any_valid``: operators may also give offensive names, because they may know that a name is not meant so.
    """
    try:
        handle = parse_handle(text)
    except Malformed as error:
        raise InvalidInput(
            "handle", localizable("This isn’t a valid name: %(why)s.", why=error.why), name="InvalidHandle"
        ) from error
    if reserved_domain(handle, allow_test=is_development) is not None:
        raise InvalidInput(
            "handle", gettext_noop("Names with this ending never work. Choose another ending."), name="InvalidHandle"
        )
    if not allow_any_valid and is_offensive(handle):
        raise InvalidInput(
            "handle", gettext_noop("This name isn’t allowed here. Choose another one."), name="InvalidHandle"
        )
    return handle


def require_registrable(
    text: str,
    domains: Sequence[str],
    *,
    is_development: bool,
    reserved: Collection[str] = (),
    allow_any_valid: bool = False,
) -> Handle:
    """Return the normalized handle if it may be registered under ``domains`` (each begins with a dot). ``reserved`` are
    additional reserved words of the operator. ``allow_any_valid``: operators may also give reserved and offensive names.

    Raises InvalidInput or Refused with the error names of the Lexicons: ``InvalidHandle``, ``HandleNotAvailable``,
    ``UnsupportedDomain``.
    """
    handle = require_usable(text, is_development=is_development, allow_any_valid=allow_any_valid)
    # Use the longest matching domain: `.a.example` before `.example`.
    domain = max((domain for domain in domains if handle.endswith(domain)), key=len, default=None)
    if domain is None:
        allowed = ", ".join(domains) or "none"
        raise Refused(
            localizable("New accounts get a name under one of our domains: %(allowed)s.", allowed=allowed),
            name="UnsupportedDomain",
        )
    label = handle.removesuffix(domain)
    if "." in label:
        raise InvalidInput(
            "handle", localizable("Your name can’t have dots before %(domain)s.", domain=domain), name="InvalidHandle"
        )
    if not MIN_LABEL <= len(label) <= MAX_LABEL:
        why = localizable(
            "The name before %(domain)s must have %(min_label)s to %(max_label)s characters.",
            domain=domain,
            min_label=MIN_LABEL,
            max_label=MAX_LABEL,
        )
        raise InvalidInput("handle", why, name="InvalidHandle")
    if not allow_any_valid and (label in RESERVED or label in reserved):
        raise Refused(gettext_noop("This name is reserved. Choose another one."), name="HandleNotAvailable")
    return handle


def handle_taken() -> Refused:
    """The error for a handle that is in use, or was until recently."""
    return Refused(gettext_noop("This name is taken. Choose another one."), name="HandleNotAvailable")
