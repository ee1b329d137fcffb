"""Requests for a new account, and the checks that need no network.

Source: ``com.atproto.server.createAccount``; the error names are those of the Lexicon.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from at_protocol.crypto.did_key import PublicKey, format_did_key, parse_did_key
from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import invites, queries
from aurora_locus.accounts.model import TokenPair
from aurora_locus.accounts.registry import Registry
from aurora_locus.i18n.sentences import gettext_noop, localizable
from aurora_locus.identity.handles import handle_taken
from groundwork.database.transaction import Reader, Writer
from groundwork.errors import Failure, InvalidInput, Refused
from groundwork.mail.address import parse_address


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRequest:
    """A client's request for an account, with ``password`` and ``email`` as typed. ``by_admin`` is True if the operator
    creates the account; ``note`` then runs in the same transaction, before anything is announced.
    """

    handle: str
    email: str | None
    password: str | None
    invite_code: str | None = None
    recovery_key: str | None = None
    by_admin: bool = False
    note: Callable[[Writer, Did], None] | None = None


@dataclass(frozen=True, slots=True)
class CreatedAccount:
    """A new account with its first session. ``awaits`` is the reason why it is not active yet; None if it is active."""

    did: Did
    handle: Handle
    tokens: TokenPair
    awaits: "UnannouncedReason | None" = None


class UnannouncedReason(StrEnum):
    """Why an account is deactivated and has never been announced to the network."""

    CONFIRMATION = "confirmation"
    """The account was created without an invite, and its owner must confirm the e-mail address."""
    MOVE = "move"
    """The account is migrating to this server, and its DID document does not name this server yet."""


@dataclass(frozen=True, slots=True)
class CheckedAccountRequest:
    """A request with valid fields. ``email`` is in lower case, which is how it is stored and compared."""

    email: str
    password: str
    recovery: PublicKey | None

    @property
    def recovery_key(self) -> str | None:
        """The recovery key as a did:key, the form in which it is stored."""
        return None if self.recovery is None else format_did_key(self.recovery)


def check(registry: Registry, request: AccountRequest) -> CheckedAccountRequest:
    """Validate the fields. Raises InvalidInput (``InvalidPassword``, ``InvalidRequest``)."""
    try:
        email = parse_address(request.email or "").lower()
    except ValueError as error:
        raise InvalidInput("email", str(error)) from None
    if request.password is None:
        raise InvalidInput("password", gettext_noop("Choose a password."), name="InvalidPassword")
    registry.passwords.require_acceptable(request.password)
    return CheckedAccountRequest(email, request.password, _recovery(registry, request.recovery_key))


def _recovery(registry: Registry, text: str | None) -> PublicKey | None:
    if text is None:
        return None
    try:
        key = parse_did_key(text)
    except Malformed as error:
        raise InvalidInput(
            "recoveryKey", localizable("The recovery key isn’t a did:key: %(why)s.", why=error.why)
        ) from error
    if key in registry.own_keys:
        raise InvalidInput("recoveryKey", gettext_noop("This is the server’s own key. Use one that only you have."))
    return key


async def invite_of(registry: Registry, reader: Reader, request: AccountRequest) -> str | None:
    """Return the invite code that the account will use up, or None. Raises Refused (``InvalidInviteCode``) if the code
    is invalid, or if one is required but missing.

    A code is used up even if none is required, because invited people do not have to confirm their e-mail address.
    """
    if request.by_admin:
        return None
    code = request.invite_code or None
    if code is not None:
        await invites.require_usable(reader, code)
    elif registry.needs_invite:
        raise Refused(gettext_noop("You need an invite code to create an account here."), name="InvalidInviteCode")
    return code


async def require_free(registry: Registry, reader: Reader, handle: Handle, email: str, did: Did | None) -> None:
    """Raise Refused if the handle or the e-mail address is taken. Called before anything is written to the directory;
    database constraints settle races.
    """
    if await queries.handle_is_taken(reader, handle, did, registry.handle_quarantine):
        raise handle_taken()
    if await queries.email_is_taken(reader, email):
        raise email_taken()


def lost_race(constraint: str) -> Failure:
    """Return the error for a violated constraint: a concurrent request took the address or the handle first."""
    return email_taken() if "email" in constraint else handle_taken()


def email_taken() -> Refused:
    """Return the error for an e-mail address that belongs to another account."""
    return Refused(gettext_noop("There’s already an account with this e-mail address."), name="InvalidRequest")
