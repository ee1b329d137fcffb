"""Handle policy of this server (Handle specification).

The protocol library checks the syntax; this module decides what is allowed. Under one of the server's own domains, a
handle is one label of limited length that is not reserved. Names under other domains must first be proven by
resolving them.
"""

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


def is_under(handle: Handle, domains: Sequence[str]) -> bool:
    """Whether the name is under one of these domains of this server (each begins with a dot)."""
    return handle.endswith(tuple(domains))


def require_usable(text: str, *, is_development: bool) -> Handle:
    """Return the normalized handle if it can ever be resolved. Raises InvalidInput (``InvalidHandle``)."""
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
    return handle


def require_registrable(
    text: str, domains: Sequence[str], *, is_development: bool, reserved: Collection[str] = ()
) -> Handle:
    """Return the normalized handle if it may be registered under ``domains`` (each begins with a dot). ``reserved`` are
    additional reserved words of the operator.

    Raises InvalidInput or Refused with the error names of the Lexicons: ``InvalidHandle``, ``HandleNotAvailable``,
    ``UnsupportedDomain``.
    """
    handle = require_usable(text, is_development=is_development)
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
    if label in RESERVED or label in reserved:
        raise Refused(gettext_noop("This name is reserved. Choose another one."), name="HandleNotAvailable")
    return handle


def handle_taken() -> Refused:
    """The error for a handle that is in use, or was until recently."""
    return Refused(gettext_noop("This name is taken. Choose another one."), name="HandleNotAvailable")
