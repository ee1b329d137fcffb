"""What somebody asks for who wants an account here, and the checks that need no network.

Source: ``com.atproto.server.createAccount``; the names of errors are the Lexicon's.
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
from aurora_locus.accounts.passwords import require_acceptable
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity.handles import taken
from groundwork.database.transaction import Reader, Writer
from groundwork.errors import Failure, InvalidInput, Refused
from groundwork.mail.address import parse_address


@dataclass(frozen=True, slots=True)
class AccountRequest:
    """What a new account asks for; ``password`` and ``email`` as typed. ``by_admin``: the host itself makes it, and ``note``
    runs in the transaction that does, before anything is announced.
    """

    handle: str
    email: str | None
    password: str | None
    invite_code: str | None = None
    recovery_key: str | None = None
    by_admin: bool = False
    note: Callable[[Writer, Did], None] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A new account with its first session. ``awaits``: what stands between it and being shown, None for an active one."""

    did: Did
    handle: Handle
    tokens: TokenPair
    awaits: "Awaits | None" = None


class Awaits(StrEnum):
    """Why an account that was never shown to the network is deactivated."""

    CONFIRMATION = "confirmation"
    """Open sign-up: until its owner has shown to read the mail."""
    MOVE = "move"
    """It comes from another server, and its identity does not name us yet."""


@dataclass(frozen=True, slots=True)
class CheckedAccountRequest:
    """A wish whose fields hold by themselves: the address in lower case, as it is stored and compared."""

    email: str
    password: str
    recovery: PublicKey | None

    @property
    def recovery_key(self) -> str | None:
        """As text, as it is stored."""
        return None if self.recovery is None else format_did_key(self.recovery)


def particulars(registry: Registry, wish: AccountRequest) -> CheckedAccountRequest:
    """Raises InvalidInput (``InvalidPassword``, ``InvalidRequest``) for a field that cannot be."""
    try:
        email = parse_address(wish.email or "").lower()
    except ValueError as error:
        raise InvalidInput("email", str(error)) from None
    if wish.password is None:
        raise InvalidInput("password", "Choose a password.", name="InvalidPassword")
    require_acceptable(wish.password)
    return CheckedAccountRequest(email, wish.password, _recovery(registry, wish.recovery_key))


def _recovery(registry: Registry, text: str | None) -> PublicKey | None:
    if text is None:
        return None
    try:
        key = parse_did_key(text)
    except Malformed as error:
        raise InvalidInput("recoveryKey", f"The recovery key is not a did:key: {error.why}.") from error
    if key in registry.own_keys:
        raise InvalidInput("recoveryKey", "The recovery key is this server's own; give one that you hold.")
    return key


async def invite_of(registry: Registry, reader: Reader, wish: AccountRequest) -> str | None:
    """The code whose use the account takes. Raises Refused (``InvalidInviteCode``) where one is needed and missing, and for a bad one.

    Where none is needed, a good one still counts, because it speaks for whoever brings it.
    """
    if wish.by_admin:
        return None
    code = wish.invite_code or None
    if code is not None:
        await invites.require_usable(reader, code)
    elif registry.needs_invite:
        raise Refused(
            "This server takes new accounts by invitation: an invite code is needed.", name="InvalidInviteCode"
        )
    return code


async def require_free(registry: Registry, reader: Reader, handle: Handle, email: str, did: Did | None) -> None:
    """Before the directory hears of it; the constraints decide again, for those who race. Raises Refused."""
    if await queries.handle_is_taken(reader, handle, did, registry.handle_quarantine):
        raise taken()
    if await queries.email_is_taken(reader, email):
        raise email_taken()


def lost_race(constraint: str) -> Failure:
    """The refusal of whoever lost a race for an address or a handle."""
    return email_taken() if "email" in constraint else taken()


def email_taken() -> Refused:
    """The refusal of an address that an account has."""
    return Refused("There is an account with this e-mail address already.", name="InvalidRequest")
