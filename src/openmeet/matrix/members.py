"""Members of a mirrored room and their power levels, derived from access rights each time.

People who can write are invited, people who lost access are removed, and people banned here are banned there;
moderators get power level 50. Somebody who can only read stays, without the power to write. A ban by a linked moderator
also becomes a ban here. Any other change of membership or power level on Matrix is reverted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from groundwork.errors import Forbidden, NotFound, Refused, RemoteFailed, RemoteSlow, Unavailable
from openmeet.domain.chat import matrix_guests, matrix_people, sanctions
from openmeet.domain.chat.matrix_guests import GuestPresence, GuestState, MatrixGuest
from openmeet.domain.chat.model import Access
from openmeet.domain.chat.sanctions import SanctionKind
from openmeet.domain.users.model import Caller
from openmeet.i18n.catalogue import LazyText, gettext, lazy, speaking
from openmeet.matrix import store
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.calls import JsonObject, state_content
from openmeet.matrix.content import as_line
from openmeet.matrix.names import is_user_id
from openmeet.matrix.store import MirroredRoom, Occupant

MODERATOR: Final = 50
_READER: Final = -1
# Nobody has this level: the bot created the room, and the creator outranks all power levels (Room Version 12).
_NOBODY: Final = 100
_IN: Final = frozenset({"join", "invite", "knock"})
# The reason that clients show to a removed person.
_NO_LONGER: Final = lazy("You’re no longer in this chat on the site.")
_NOT_INVITED: Final = lazy("Only people invited by a host can be in this chat.")
_REMOVED: Final = lazy("A host removed you from this chat.")
# The homeserver rejects our token.
_OUR_FAULT: Final = frozenset({401})


@dataclass(frozen=True, slots=True)
class _Membership:
    membership: str
    changed_by: str
    reason: str


def power_levels(users: Mapping[str, int], *, is_closed: bool, highest: int = _NOBODY + 1) -> dict[str, Any]:
    """Build ``m.room.power_levels``: only the bot can invite, rename the room or enable encryption. ``highest``: the
    bot's own level in a room that it did not create; it cannot set any level above that.
    """
    return {
        "users": dict(sorted(users.items())),
        "users_default": 0,
        "events_default": MODERATOR if is_closed else 0,
        "state_default": _NOBODY,
        "invite": _NOBODY,
        "kick": MODERATOR,
        "ban": MODERATOR,
        "redact": MODERATOR,
        "events": {
            "m.room.power_levels": _NOBODY,
            "m.room.history_visibility": _NOBODY,
            "m.room.tombstone": highest,
            "m.room.encryption": highest,
        },
        "notifications": {"room": MODERATOR},
    }


@dataclass(frozen=True, slots=True)
class PresentMembers:
    """The people in a Matrix room: the random parts of our users, and the accounts that joined or are invited. Delivery
    adds the users that it makes join.
    """

    ghosts: set[str]
    accounts: set[str]


async def is_removal_due(bridge: Bridge, room: MirroredRoom, inside: PresentMembers) -> bool:
    """Whether an account in the room is no longer allowed there. It must be removed before anything else is sent."""
    if not inside.accounts:
        return False
    async with bridge.db.reader() as reader:
        staying = await store.accounts_with_access(reader, room.id, inside.accounts)
    return staying != inside.accounts


async def update_members(
    bridge: Bridge, room: MirroredRoom, matrix_room: str, state: Sequence[JsonObject]
) -> PresentMembers:
    """Update the members and power levels of the Matrix room to match access here; return who is in it afterwards.
    ``state``: the room's current state.

    Removals come first: while one is pending, nothing is sent to the room.
    """
    present = _members(state)
    ghosts = {part: user for user in present if (part := bridge.random_part(user)) is not None}
    occupants = await _occupants(bridge, room, present, ghosts)
    if await _accept_bans(bridge, room, present, occupants):
        occupants = await _occupants(bridge, room, present, ghosts)
    guests = await _guests(bridge, room, present, occupants)
    by_account = {one.mxid: one for one in occupants if one.mxid is not None and not _is_guest(one, guests)}
    by_ghost = {one.localpart: one for one in occupants}
    inside = PresentMembers(set(), set())
    for user, member in present.items():
        if user == bridge.bot.user_id:
            continue
        part = bridge.random_part(user)
        if part is not None:
            if await _update_ghost(bridge, matrix_room, user, member, by_ghost.get(part)):
                inside.ghosts.add(part)
        elif user not in by_account:
            if await _update_guest(bridge, room, matrix_room, user, member, guests.get(user)):
                inside.accounts.add(user)
        elif await _update_account(bridge, matrix_room, user, member, by_account[user]):
            inside.accounts.add(user)
    absent_accounts = {account: one for account, one in by_account.items() if account not in present}
    inside.accounts.update(await _invite_accounts(bridge, matrix_room, absent_accounts))
    absent_guests = [one for account, one in guests.items() if account not in present and account not in by_account]
    inside.accounts.update(await _invite_guests(bridge, room, matrix_room, absent_guests))
    if to_ask := [one.user_id for one in occupants if one.asks_again and one.mxid in inside.accounts]:
        async with bridge.db.transaction() as tx:
            await matrix_people.note_invitations(tx, room.id, to_ask)
    await _update_powers(bridge, room, matrix_room, state, [one for one in occupants if one.mxid in present])
    return inside


async def _invite_accounts(bridge: Bridge, matrix_room: str, occupants: Mapping[str, Occupant]) -> list[str]:
    """Invite the accounts that may write and want invitations. ``occupants``: those who are not in the Matrix room, by
    account. Returns the invited accounts.
    """
    accounts = [
        account
        for account, one in occupants.items()
        if one.access >= Access.WRITE and one.wants_invitations and is_user_id(account)
    ]
    for account in accounts:
        await _invite(bridge, matrix_room, account)
    return accounts


async def _invite_guests(
    bridge: Bridge, room: MirroredRoom, matrix_room: str, guests: Sequence[MatrixGuest]
) -> list[str]:
    """Invite guests who are not in the Matrix room. Returns the accounts whose invitations the homeserver accepted."""
    # After the homeserver refused an invitation, only a host's request triggers another attempt.
    due = [
        guest.mxid
        for guest in guests
        if guest.state is GuestState.INVITED and (guest.is_due or guest.presence is not GuestPresence.REFUSED)
    ]
    if not room.allows_guests:
        return []
    return [account for account in due if await _invite_guest(bridge, room, matrix_room, account)]


async def _update_ghost(
    bridge: Bridge, matrix_room: str, user: str, member: _Membership, occupant: Occupant | None
) -> bool:
    """Update one of our users in the room. Returns whether it is in the room and may stay."""
    if occupant is not None and occupant.has_consented and occupant.access is not Access.NONE:
        if member.membership == "ban":
            await bridge.bot.unban(matrix_room, user)
        return member.membership == "join"
    if occupant is not None and occupant.is_banned and member.membership == "ban":
        await _repeat_ban_as_bot(bridge, matrix_room, user, member)
    elif member.membership in _IN:
        await bridge.bot.kick(matrix_room, user)
    return False


async def _occupants(
    bridge: Bridge, room: MirroredRoom, present: Mapping[str, _Membership], ghosts: Mapping[str, str]
) -> list[Occupant]:
    async with bridge.db.reader() as reader:
        return await store.occupants(reader, room.id, list(present), list(ghosts))


async def _guests(
    bridge: Bridge, room: MirroredRoom, present: Mapping[str, _Membership], occupants: list[Occupant]
) -> dict[str, MatrixGuest]:
    """Return the guests by their Matrix account. People who were already in an adopted room become guests."""
    linked = {one.mxid for one in occupants}
    async with bridge.db.reader() as reader:
        guests = {one.mxid: one for one in await matrix_guests.guests_of(reader, room.id)}
    if room.is_adopted and room.allows_guests:
        older = [
            user
            for user, member in present.items()
            if member.membership == "join" and user not in linked and user not in guests and not bridge.is_ours(user)
        ]
        if older:
            async with bridge.db.transaction() as tx:
                for user in older:
                    await matrix_guests.admit(tx, room.id, user)
            async with bridge.db.reader() as reader:
                guests = {one.mxid: one for one in await matrix_guests.guests_of(reader, room.id)}
    return guests


def _is_guest(occupant: Occupant, guests: Mapping[str, MatrixGuest]) -> bool:
    """Whether somebody with an account here is in the room only as a guest."""
    guest = guests.get(occupant.mxid or "")
    is_invited = guest is not None and guest.state is GuestState.INVITED
    return is_invited and occupant.access is Access.NONE and not occupant.is_banned


async def _accept_bans(
    bridge: Bridge, room: MirroredRoom, present: Mapping[str, _Membership], occupants: list[Occupant]
) -> bool:
    """Ban here all people that a linked moderator banned on Matrix, by their account or their ghost user; a guest is
    banned as a guest. Returns whether anybody was banned.

    The bot then repeats the ban on Matrix in its own name. This marks the ban as handled, so that lifting it here
    lifts it there too.
    """
    by_account = {one.mxid: one for one in occupants if one.mxid is not None}
    by_ghost = {one.localpart: one for one in occupants}
    is_changed = False
    for user, member in present.items():
        part = bridge.random_part(user)
        occupant = by_account.get(user) if part is None else by_ghost.get(part)
        moderator = by_account.get(member.changed_by)
        if member.membership != "ban" or moderator is None or (occupant is not None and occupant.is_banned):
            continue
        if occupant is None and part is not None:
            continue
        with speaking(bridge.language):
            reason = member.reason or gettext("Banned in Matrix")
        try:
            async with bridge.db.transaction() as tx:
                caller = Caller(moderator.user_id, "")
                if occupant is None:
                    await matrix_guests.ban(tx, caller, room.id, user, reason)
                else:
                    await sanctions.sanction(tx, caller, room.id, occupant.user_id, SanctionKind.BAN, reason=reason)
        except (Forbidden, NotFound, Refused):
            # The sender has no right to do this here, so the change is reverted.
            continue
        is_changed = True
    return is_changed


async def _repeat_ban_as_bot(bridge: Bridge, matrix_room: str, user: str, ban: _Membership) -> None:
    if ban.changed_by != bridge.bot.user_id:
        await bridge.bot.ban(matrix_room, user)


async def _update_account(bridge: Bridge, matrix_room: str, user: str, member: _Membership, occupant: Occupant) -> bool:
    """Update the Matrix membership of a user's linked account; returns whether it is in the room or invited afterwards."""
    bot = bridge.bot
    if occupant.is_banned:
        if member.membership != "ban":
            await bot.ban(matrix_room, user)
        else:
            await _repeat_ban_as_bot(bridge, matrix_room, user, member)
        return False
    may_enter = occupant.access >= Access.WRITE and occupant.wants_invitations
    if member.membership == "ban":
        await bot.unban(matrix_room, user)
    elif member.membership in _IN:
        # Somebody who no longer wants invitations stays if they have already joined; a pending invitation is withdrawn.
        stays = occupant.access is not Access.NONE and (member.membership == "join" or occupant.wants_invitations)
        if not stays:
            lost = _said(bridge, _NO_LONGER) if occupant.access is Access.NONE else ""
            await bot.kick(matrix_room, user, lost)
        return stays
    elif member.changed_by == user and not occupant.asks_again:
        # Somebody who left is invited again only if they ask.
        return False
    if may_enter:
        await _invite(bridge, matrix_room, user)
    return may_enter


async def _update_guest(
    bridge: Bridge, room: MirroredRoom, matrix_room: str, user: str, member: _Membership, guest: MatrixGuest | None
) -> bool:
    """Update the Matrix membership of a guest account; returns whether it is in the room or invited afterwards."""
    bot = bridge.bot
    if guest is None or not room.allows_guests or guest.state is not GuestState.INVITED:
        if guest is not None and guest.state is GuestState.BANNED:
            if member.membership != "ban":
                await bot.ban(matrix_room, user, guest.reason)
            else:
                await _repeat_ban_as_bot(bridge, matrix_room, user, member)
        elif member.membership in _IN:
            await bot.kick(matrix_room, user, _removal_reason(bridge, guest))
        if guest is not None:
            await _note_presence(bridge, room, guest, GuestPresence.LEFT)
        return False
    if member.membership in _IN:
        is_in = member.membership == "join"
        await _note_presence(bridge, room, guest, GuestPresence.JOINED if is_in else GuestPresence.INVITED)
        return True
    if member.membership == "ban":
        await bot.unban(matrix_room, user)
    elif member.changed_by == user and not guest.is_due:
        # A guest who left is invited again only if a host asks.
        await _note_presence(bridge, room, guest, GuestPresence.LEFT)
        return False
    return await _invite_guest(bridge, room, matrix_room, user)


def _removal_reason(bridge: Bridge, guest: MatrixGuest | None) -> str:
    """Return the reason shown to a removed guest, who has no page here that would explain it."""
    if guest is None or guest.state is GuestState.INVITED:
        return _said(bridge, _NOT_INVITED)
    return guest.reason or _said(bridge, _REMOVED)


def _said(bridge: Bridge, text: LazyText) -> str:
    with speaking(bridge.language):
        return str(text)


async def _note_presence(bridge: Bridge, room: MirroredRoom, guest: MatrixGuest, presence: GuestPresence) -> None:
    is_due = guest.is_due and presence in {GuestPresence.JOINED, GuestPresence.INVITED}
    if guest.presence is presence and not is_due:
        return
    async with bridge.db.transaction() as tx:
        if is_due:
            await matrix_guests.note_invitation(tx, room.id, guest.mxid, presence)
        else:
            await matrix_guests.note_presence(tx, room.id, guest.mxid, presence)


async def _invite_guest(bridge: Bridge, room: MirroredRoom, matrix_room: str, account: str) -> bool:
    """Invite a guest and store whether the homeserver refused, so that hosts can see it. Returns whether the guest is
    invited.
    """
    is_invited = await _invite(bridge, matrix_room, account)
    async with bridge.db.transaction() as tx:
        presence = GuestPresence.INVITED if is_invited else GuestPresence.REFUSED
        await matrix_guests.note_invitation(tx, room.id, account, presence)
    return is_invited


async def _invite(bridge: Bridge, matrix_room: str, account: str) -> bool:
    """Invite an account. Returns False if Matrix refuses, or if the account's server does not respond or does not
    federate, so that other members do not have to wait.

    Raises RemoteFailed (our token is wrong), RemoteSlow, Unavailable (our own homeserver does not respond).
    """
    try:
        await bridge.bot.invite(matrix_room, account)
    except RemoteFailed as failed:
        if failed.status is None or failed.status in _OUR_FAULT:
            raise
        return False
    except (RemoteSlow, Unavailable):
        # This error can be about the account's own server. If ours is down, the next call fails.
        if account.endswith(f":{bridge.homeserver.server_name}"):
            raise
        return False
    return True


async def _update_powers(
    bridge: Bridge, room: MirroredRoom, matrix_room: str, state: Sequence[JsonObject], occupants: Sequence[Occupant]
) -> None:
    users: dict[str, int] = {}
    for one in occupants:
        if one.mxid is None:
            continue
        if one.access is Access.MODERATE:
            users[one.mxid] = MODERATOR
        elif one.access is Access.READ and not room.is_closed:
            users[one.mxid] = _READER
    bot = bridge.bot
    now = state_content(state, "m.room.power_levels")
    current_levels = now.get("users")
    # Only adopted rooms list the bot among the users.
    own = current_levels.get(bot.user_id) if isinstance(current_levels, dict) else None
    if isinstance(own, int):
        new_levels = power_levels({**users, bot.user_id: own}, is_closed=room.is_closed, highest=own)
    else:
        new_levels = power_levels(users, is_closed=room.is_closed)
    if any(now.get(key) != value for key, value in new_levels.items()):
        await bridge.bot.set_state(matrix_room, "m.room.power_levels", new_levels)


def _members(state: Sequence[JsonObject]) -> dict[str, _Membership]:
    memberships: dict[str, _Membership] = {}
    for event in state:
        if event.get("type") != "m.room.member":
            continue
        user, content, sender = event.get("state_key"), event.get("content"), event.get("sender")
        if isinstance(user, str) and is_user_id(user) and isinstance(content, dict):
            membership, reason = content.get("membership"), content.get("reason")
            memberships[user] = _Membership(
                membership if isinstance(membership, str) else "",
                str(sender),
                as_line(reason),
            )
    return memberships
