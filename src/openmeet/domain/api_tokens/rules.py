"""What a token may be, and what is kept of it. Pure."""

import hashlib
from collections.abc import Collection, Sequence

from groundwork.clock import DAY
from groundwork.errors import InvalidForm
from openmeet.domain.api_tokens.scopes import Scope
from openmeet.domain.api_tokens.tokens import MAX_DAYS, MAX_NAME, TokenWanted
from openmeet.i18n.markdown import one_line


def check(*, name: str, scopes: Collection[str], days: str) -> TokenWanted:
    """The wish of a form or a program; empty ``days``: until it is revoked. InvalidForm names every field that is wrong."""
    problems: dict[str, str] = {}
    name = one_line(name)
    if not name:
        problems["name"] = "Say what the token is for."
    elif len(name) > MAX_NAME:
        problems["name"] = f"At most {MAX_NAME} characters."
    known = {scope.value for scope in Scope}
    if not scopes:
        problems["scopes"] = "Choose at least one thing that the token may do."
    elif not set(scopes) <= known:
        problems["scopes"] = "Choose from: " + ", ".join(Scope) + "."
    is_number = days.isascii() and days.isdigit() and len(days) <= 6
    if days and not (is_number and 1 <= int(days) <= MAX_DAYS):
        problems["expires_in_days"] = f"A token works for 1 to {MAX_DAYS} days, or until you revoke it."
    if problems:
        raise InvalidForm(problems)
    return TokenWanted(name, frozenset(map(Scope, scopes)), int(days) * DAY if days else None)


def hash_token(token: str) -> bytes:
    """What is stored of a token. It carries 256 random bits, so a plain hash cannot be reversed by trying."""
    return hashlib.sha256(token.encode()).digest()


def scopes_text(scopes: Collection[Scope]) -> str:
    """As they are stored and shown: in the order of the table."""
    return " ".join(scope.value for scope in Scope if scope in scopes)


def scopes_in(text: str) -> frozenset[Scope]:
    """The scopes of a stored text; one that we do not know any more allows nothing."""
    known: Sequence[str] = list(Scope)
    return frozenset(Scope(word) for word in text.split() if word in known)
