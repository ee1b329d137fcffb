"""Choice of the repository for a record: the one that has it, or else one of the person's. A repository is returned as
the identity whose repository it is.

There is one record per RSVP, so that no app shows an outdated one from another repository: if there are several records
about the event, the effective one (``records.seen_rsvps``) is updated. If another app has written a newer record, ours is
deleted and that one is updated.
"""

from collections.abc import Sequence
from typing import Final

from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance.model import RsvpSource
from openmeet.domain.groups import record_queries
from openmeet.domain.identities import backfill_progress, session_queries
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity, IdentityKind
from openmeet.domain.users.model import UserId
from openmeet.network.publishing.decision import AwaitPermission, RetractDuplicate, Wait, WithholdOrRetract
from openmeet.network.records import database_periods, repository_state, seen_rsvps
from openmeet.network.records.collections import RSVP
from openmeet.outbox import publication_queries
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind
from openmeet.outbox.reasons import PublicationReason

# Nearly all repositories are read within this time. The limit keeps an unreachable server from delaying RSVPs for long.
MAX_WAIT_FOR_READ: Final = 10 * MINUTE


async def repository_for(reader: Reader, user_id: UserId, did: str | None) -> Identity | None:
    """Return the repository ``did``, which has the record already, or without ``did`` the one for new records. None if
    the user cannot write there.
    """
    own_identities = await identity_queries.writable_of_user(reader, user_id)
    if did is not None:
        return next((one for one in own_identities if one.did == did), None)
    return own_identities[0] if own_identities else None


async def current_repository(reader: Reader, publication: Publication) -> Identity | None:
    """Return the repository that has the record; None if there is no record, or if the user cannot write there."""
    if publication.did is None:
        return None
    return await repository_for(reader, UserId(publication.user_id), publication.did)


async def target_repository(
    reader: Reader, user_id: UserId, publication: Publication
) -> Identity | WithholdOrRetract | AwaitPermission:
    """Return the repository to which the publication's record is written: the one that has the record or had it last, or
    else the one for new records.

    If the user cannot write there any more, a record that may still exist waits until they sign in; any other is created
    in another repository of theirs, if there is one.
    """
    identity = await repository_for(reader, user_id, publication.did)
    if identity is None and publication.may_exist_remotely:
        return AwaitPermission(PublicationReason.SIGN_IN_WITH_ACCOUNT)
    return identity or await repository_for(reader, user_id, None) or WithholdOrRetract(PublicationReason.NO_REPOSITORY)


async def repository_for_rsvp(
    reader: Reader, publication: Publication, subject_uri: str, source: RsvpSource
) -> Identity | WithholdOrRetract | AwaitPermission | Wait | RetractDuplicate:
    """Return the repository for the RSVP to the event with this record, or the decision that follows if it must not be
    written there. ``source``: where the person answered last.
    """
    identities = await identity_queries.writable_of_user(reader, UserId(publication.user_id))
    if (
        not publication.may_exist_remotely
        and len(identities) > 1
        and (until := await _wait_for_reads_until(reader, identities)) is not None
    ):
        # With a single account, the server is queried (``rsvp_plan.find_uri``). With several accounts,
        # some may be unreachable.
        return Wait(PublicationReason.ACCOUNTS_BEING_READ, until)
    dids = [one.did for one in identities]
    effective = await seen_rsvps.effective_rsvp(reader, subject_uri=subject_uri, dids=dids, collections=[RSVP])
    with_effective = next((one for one in identities if effective and one.did == effective.record.did), None)
    if not publication.may_exist_remotely:
        return with_effective or await target_repository(reader, UserId(publication.user_id), publication)
    target = await target_repository(reader, UserId(publication.user_id), publication)
    if (
        effective is None
        or with_effective is None
        or not effective.record.is_verified
        or effective.record.uri == publication.uri
        or source is not RsvpSource.HERE
        or not isinstance(target, Identity)
    ):
        return target
    return RetractDuplicate(PublicationReason.OVERTAKEN) if await _is_signed_in(reader, with_effective) else target


async def _is_signed_in(reader: Reader, identity: Identity) -> bool:
    """Whether the account's server lets us write now. If not, it is better to update our record than to delete it in
    vain.
    """
    session = await session_queries.find_of(reader, identity.did, identity.user_id)
    return identity.kind is IdentityKind.CUSTODIAL or (session is not None and not session.needs_login)


async def knows_all_rsvps(reader: Reader, identity: Identity) -> bool:
    """Whether we know all RSVPs in a repository. Only we write to custodial accounts; others are read at sign-in."""
    if identity.kind is not IdentityKind.CONNECTED:
        return True
    return (
        await repository_state.was_read(reader, identity.did)
        and await backfill_progress.requested_at(reader, [identity.did]) is None
    )


async def _wait_for_reads_until(reader: Reader, identities: list[Identity]) -> Instant | None:
    """Return until when to wait for the contents of these accounts; None if they are known or the wait is over."""
    until = Instant((await unfinished_read_since(reader, identities) or 0) + MAX_WAIT_FOR_READ)
    return until if until > reader.now else None


async def unfinished_read_since(reader: Reader, identities: Sequence[Identity]) -> Instant | None:
    """Return when the latest unfinished complete read of these accounts became necessary; None if there is none."""
    connected = [one.did for one in identities if one.kind is IdentityKind.CONNECTED]
    since = [await backfill_progress.requested_at(reader, connected), await _restored_at(reader, connected)]
    return max((one for one in since if one is not None), default=None)


async def _restored_at(reader: Reader, dids: list[Did]) -> Instant | None:
    """Return when the database was restored, if these repositories have not all been read again since."""
    restored_at = await database_periods.restored_at(reader)
    if restored_at is None or all([await repository_state.was_read(reader, one) for one in dids]):
        return None
    return restored_at


# A group's statements are in the repository that has the group's record. If another repository takes over, they are
# retracted in the previous one.
_WRITTEN_BY_GROUPS = frozenset({PublicationKind.ACCEPTANCE, PublicationKind.GROUP_EVENT})


async def repository_to_delete_from(reader: Reader, publication: Publication) -> Identity | None:
    """Return the repository that has the record, if we may delete the record there; None if the account is not theirs
    (any longer).
    """
    identity = None if publication.did is None else await identity_queries.find(reader, publication.did)
    if identity is None or not identity.can_write:
        return None
    if (
        identity.user_id == publication.user_id
        or await record_queries.group_of_custodial_account(reader, identity.user_id) is not None
    ):
        return identity
    if publication.kind in _WRITTEN_BY_GROUPS:
        record_holders = await publication_queries.users_with_records_in(
            reader, PublicationKind.SUPERSEDED_GROUP, identity.did
        )
        return identity if identity.user_id in record_holders else None
    return None
