"""What the network knows of a group and of who looks at its page: where its record stands, whose repository speaks for it, one's own name."""

from dataclasses import dataclass

from groundwork.database.transaction import Reader
from groundwork.outbox.owe import DebtState, find
from openmeet.domain.groups.model import INSIDE, Membership, Role
from openmeet.domain.groups.publication import Share, share_of, speaker_of
from openmeet.domain.groups.queries import find_member
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.permissions import Feature, permission_for
from openmeet.domain.users.model import UserId
from openmeet.feature_flags.flags import Flag, switches
from openmeet.network.ingestion import merge_decisions
from openmeet.outbox import publications
from openmeet.outbox.kinds import Debt
from openmeet.outbox.publications import Kind, State
from openmeet.web.groups.access import Seen


@dataclass(frozen=True, slots=True)
class OwnName:
    """How public it is that the viewer is in the group. ``asks``: whether their server has still to be asked for permission."""

    is_public: bool
    can_be_public: bool
    state: State | None
    words: str
    uri: str | None
    asks: bool
    did: str


@dataclass(frozen=True, slots=True)
class OnTheNetwork:
    """``merged``: how many decisions about its record there are. ``handle``: of the group's own repository; empty while it is being made, None where it has none. ``problem``: why it was not."""

    share: Share
    uri: str | None
    words: str
    is_switched_on: bool
    has_agreed: bool
    handle: str | None
    problem: str
    asks: bool
    did: str
    mine: OwnName | None
    merged: int


async def on_the_network(reader: Reader, seen: Seen) -> OnTheNetwork:
    """For whoever may see the group."""
    group, on = seen.group, await switches(reader)
    speaker = speaker_of(group)
    share = Share.ALL if group.is_read_only else share_of(group)
    held = (await publications.states(reader, Kind.GROUP, [group.id]))[group.id]
    agreed = (await identity_queries.consent(reader, speaker)).is_given
    handle: str | None = None
    problem = ""
    if group.network.account_id is not None:
        kept = await identity_queries.of_user(reader, group.network.account_id)
        handle = kept[0].handle if kept else ""
        owed = None if kept else await find(reader, Debt.CUSTODIAL_ACCOUNT, group.network.account_id)
        problem = (
            (owed.reason.partition(": ")[2] or owed.reason)
            if owed is not None and owed.state is DebtState.GIVEN_UP
            else ""
        )
    did, asks = await permission_for(reader, speaker, Feature.GROUPS)
    mine = None if seen.viewer is None else await find_member(reader, group.id, seen.viewer)
    return OnTheNetwork(
        share=share,
        uri=group.network.record_uri,
        words=held.words(reader.now, is_allowed=agreed and share is not Share.NOTHING),
        is_switched_on=Flag.GROUPS in on,
        has_agreed=agreed,
        handle=handle,
        problem=problem,
        asks=asks and share is not Share.NOTHING,
        did=did,
        mine=None if seen.viewer is None else await _own_name(reader, seen, seen.viewer, mine, share),
        merged=await merge_decisions.count(reader, group.network.record_uri or ""),
    )


async def _own_name(
    reader: Reader, seen: Seen, viewer: UserId, mine: Membership | None, share: Share
) -> OwnName | None:
    may_ask = seen.group.is_read_only and (mine is None or mine.role is not Role.BANNED)
    if not may_ask and (mine is None or mine.role not in INSIDE):
        return None
    is_public = mine is not None and mine.sync_enabled
    agreed = (await identity_queries.consent(reader, viewer)).is_given
    did, asks = await permission_for(reader, viewer, Feature.MEMBERSHIPS)
    can_be = share is Share.ALL and agreed and Flag.MEMBERSHIPS in await switches(reader)
    if mine is None:
        return OwnName(is_public=False, can_be_public=can_be, state=None, words="", uri=None, asks=asks, did=did)
    held = (await publications.states(reader, Kind.MEMBERSHIP, [mine.id]))[mine.id]
    return OwnName(
        is_public=is_public,
        can_be_public=can_be,
        state=held.state,
        words=held.words(reader.now, is_allowed=is_public and can_be),
        uri=mine.statement_uri,
        asks=asks and is_public,
        did=did,
    )
