"""Account details for the administration. Nobody else sees them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import invites
from aurora_locus.accounts.invites import InviteCode
from groundwork.clock import Instant
from groundwork.database.expressions import escape_like
from groundwork.database.transaction import Reader

_FIND = """
    select did, handle, email, email_confirmed_at, deactivated_at, invites_disabled, invite_note, created_at
      from accounts where did in :dids
     order by did
"""
_SEARCH_EMAIL = """
    select did from accounts
     where did > :after and (coalesce(email, '') like :part escape '!' or cast(:part as text) = '%%')
     order by did
     limit :limit
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDetails:
    """An account as the administration sees it. ``invited_by`` is the invite code with which the account was created."""

    did: Did
    handle: Handle
    email: str | None
    email_confirmed_at: Instant | None
    deactivated_at: Instant | None
    invites_are_disabled: bool
    invite_note: str | None
    created_at: Instant
    invited_by: InviteCode | None
    invites: Sequence[InviteCode]


async def find(reader: Reader, dids: Sequence[Did]) -> list[AccountDetails]:
    """Return the details of these accounts by DID. Accounts that do not exist on this server are left out."""
    invites_by_account = await invites.of_accounts(reader, dids)
    used_invites = await invites.used_by(reader, dids)
    return [
        AccountDetails(
            did=Did(row["did"]),
            handle=Handle(row["handle"]),
            email=row["email"],
            email_confirmed_at=row["email_confirmed_at"],
            deactivated_at=row["deactivated_at"],
            invites_are_disabled=bool(row["invites_disabled"]),
            invite_note=row["invite_note"],
            created_at=Instant(row["created_at"]),
            invited_by=used_invites.get(row["did"]),
            invites=invites_by_account.get(row["did"], []),
        )
        for row in await reader.fetch(_FIND, dids=list(dids))
    ]


async def handles(reader: Reader, dids: Collection[str]) -> dict[str, Handle]:
    """Return the handles of these accounts by DID. Accounts that do not exist on this server are left out."""
    rows = await reader.fetch("select did, handle from accounts where did in :dids", dids=sorted(dids))
    return {row["did"]: Handle(row["handle"]) for row in rows}


async def search_email(reader: Reader, part: str, *, after: Did, limit: int) -> list[Did]:
    """Return accounts whose address contains the text, ignoring case, ordered by DID after ``after``. An empty text
    matches all accounts.
    """
    if not part.isprintable() or not after.isprintable():
        return []
    rows = await reader.fetch(_SEARCH_EMAIL, after=after, part=f"%{escape_like(part.strip().lower())}%", limit=limit)
    return [Did(row["did"]) for row in rows]
