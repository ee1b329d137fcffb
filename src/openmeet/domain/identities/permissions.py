"""OAuth permissions by feature: the scopes that we request for a user's repository, and those that were granted.

Sign-in requests only the calendar collections. Other features request their scopes on first use. A user who refuses can
continue without that feature. Source of the scopes: AT Protocol permissions specification.
"""

from enum import StrEnum

from at_protocol.lexicon.authority import own_name
from at_protocol.oauth.grant import read_grant
from at_protocol.oauth.permissions import ALL_ACTIONS, ATPROTO, BlobPermission, RepoPermission
from groundwork.database.transaction import Reader
from openmeet.domain.identities import queries, session_queries
from openmeet.domain.identities.model import PdsSessionKind, SealedSession
from openmeet.domain.users.model import UserId

_EVENT = "community.lexicon.calendar.event"
_RSVP = "community.lexicon.calendar.rsvp"


class Feature(StrEnum):
    """A group of scopes that are requested together."""

    CALENDAR = "calendar"
    SERIES = "series"
    GROUPS = "groups"
    MEMBERSHIPS = "memberships"


class GrantState(StrEnum):
    """Whether a user granted a feature, refused it, or was never asked."""

    GRANTED = "granted"
    NOT_ASKED = "not_asked"
    REFUSED = "refused"


COLLECTIONS: dict[Feature, tuple[str, ...]] = {
    Feature.CALENDAR: (_EVENT, _RSVP),
    Feature.SERIES: (own_name("series"),),
    # Publishing as a group includes its members and events, so their scopes are requested with the group's.
    Feature.GROUPS: (own_name("group"), own_name("groupAcceptance"), own_name("groupEvent")),
    Feature.MEMBERSHIPS: (own_name("groupMembership"),),
}

SCOPES: dict[Feature, tuple[str, ...]] = {
    feature: tuple(RepoPermission((each,)).scope() for each in collections)
    for feature, collections in COLLECTIONS.items()
}
SCOPES[Feature.CALENDAR] += (BlobPermission(("image/*",)).scope(),)


def scope_for(*features: Feature) -> str:
    """The ``scope`` parameter of an authorization request. It always includes the calendar."""
    all_features = dict.fromkeys((Feature.CALENDAR, *features))
    return " ".join([ATPROTO, *(scope for feature in Feature if feature in all_features for scope in SCOPES[feature])])


EVERY_SCOPE = scope_for(*Feature)


def grant_state(session: SealedSession, feature: Feature) -> GrantState:
    """Whether a session may write records of a feature. A password session may do everything."""
    if session.kind is PdsSessionKind.PASSWORD:
        return GrantState.GRANTED
    if feature in features_in(session.scope):
        return GrantState.GRANTED
    return GrantState.REFUSED if feature in features_in(session.asked_scope) else GrantState.NOT_ASKED


def features_in(scope: str) -> list[Feature]:
    """The features that a scope allows, in enum order."""
    grant = read_grant(scope)
    return [
        feature
        for feature, collections in COLLECTIONS.items()
        if all(grant.may_write(each, writing) for each in collections for writing in ALL_ACTIONS)
    ]


def refused_features(session: SealedSession) -> list[Feature]:
    """Features that were requested but refused."""
    return [feature for feature in Feature if grant_state(session, feature) is GrantState.REFUSED]


def granted_features(session: SealedSession) -> list[Feature]:
    """Granted features, in enum order."""
    return [feature for feature in Feature if grant_state(session, feature) is GrantState.GRANTED]


async def permission_for(reader: Reader, user_id: UserId, feature: Feature) -> tuple[str, bool]:
    """The repository for this user's new records (empty: none), and whether its permission must be requested first."""
    own_identities = await queries.writable_of_user(reader, user_id)
    session = await session_queries.find(reader, own_identities[0].did) if own_identities else None
    if session is None:
        return (own_identities[0].did if own_identities else ""), False
    return own_identities[0].did, grant_state(session, feature) is not GrantState.GRANTED
