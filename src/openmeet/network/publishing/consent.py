"""Consent to publish: a person's current state, the handle that comes with it, and a preview of the records that would be
published. Shared by page and API.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from at_network.xrpc_client import XrpcClient
from at_protocol.data import json_form
from groundwork.clock import DAY, HOUR, Instant
from groundwork.database.transaction import Reader
from groundwork.errors import Explanation, InvalidInput, NotFound, Refused
from groundwork.outbox import jobs
from groundwork.outbox.jobs import Job, JobState
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.publication import is_cut_down, may_be_published
from openmeet.domain.events.values import Mode, Venue
from openmeet.domain.events.visibility import is_public
from openmeet.domain.identities import publishing_preferences, queries
from openmeet.domain.identities.model import Consent, Identity
from openmeet.domain.identities.publishing_preferences import PublishingPreferences, ShownCoHostEdit
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import gettext
from openmeet.network.records.event_writer import Publishable, publishable, write_event
from openmeet.network.records.rsvp import NoStatusToken, status_token
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.custodial import CustodialPds, check_handle, handle_domain_of
from openmeet.network.repositories.reasons import RepositoryReason
from openmeet.outbox.kinds import JobKind

_NEWEST_PUBLISHABLE = f"""
    select id from events
     where author_id = :user_id and {may_be_published("events")} and deleted_at is null
       and removed_at is null and is_draft = 0
     order by created_at desc, id desc limit 1
"""


# What ``eligibility`` will publish after consent; ``test_consent_counts`` compares them. Records from the person's other
# apps are already on the network and are written only if they were changed here.
_HAS_PUBLICATION = "exists (select 1 from publications p where p.kind = '{}' and p.subject_id = {}.id)"
COUNTS = f"""
    select (select count(*) from events
             where author_id = :user_id and {may_be_published("events")} and is_read_only = 0
               and is_draft = 0 and is_published_by_policy = 1
               and deleted_at is null and removed_at is null
               and (record_uri is null or {_HAS_PUBLICATION.format("event", "events")})) as events,
           (select count(*) from attendances a join events e on e.id = a.event_id
             where a.user_id = :user_id and a.status in :recorded and a.is_private = 0 and a.skips_record = 0
               and e.deleted_at is null and e.removed_at is null
               and (a.record_uri is null or {_HAS_PUBLICATION.format("rsvp", "a")})
               and ({is_public("e")} and not {is_cut_down("e")} and (e.record_uri is not null or e.author_id = :user_id)
                    or e.visibility = 'unlisted' and e.origin = 'network' and e.record_uri is not null)) as answers,
           (select count(*) from publications
             where user_id = :user_id and uri is not null and state <> 'retracted') as published
"""

_STATUSES_WITH_RECORD = [
    status.value for status in AttendanceStatus if not isinstance(status_token(status), NoStatusToken)
]


@dataclass(frozen=True, slots=True)
class ConsentDependencies:
    """Dependencies of the pages and operations of consent: the network clients, and the PDS of custodial repositories."""

    network: NetworkClients
    custodial_pds: CustodialPds


@dataclass(frozen=True, slots=True)
class ConsentPreview:
    """The effect of consent to publishing, for one user.

    ``event``: the public part of their newest event that may be published, or of an example. ``record``: its record, as
    readable JSON. ``events`` and ``answers``: how many would be published. ``published``: how many records are in their
    repository, including those being retracted.
    """

    event: Publishable
    record: str
    events: int
    answers: int
    published: int


@dataclass(frozen=True, slots=True)
class ConsentState:
    """A person's consent, their repository, and whether one is being created."""

    consent: Consent
    identity: Identity | None
    job: Job | None
    preferences: PublishingPreferences
    co_host_edits: Sequence[ShownCoHostEdit]
    now: Instant

    @property
    def is_repository_being_created(self) -> bool:
        return (
            self.consent.is_given
            and self.identity is None
            and (self.job is None or self.job.state is not JobState.FAILED)
        )

    @property
    def problem(self) -> Explanation | None:
        """Why the repository could not be created; None if there is no permanent failure."""
        if self.identity is not None or not self.consent.is_given or self.job is None:
            return None
        if self.job.state is not JobState.FAILED:
            return None
        return self.job.why


async def state_of(reader: Reader, user_id: UserId) -> ConsentState:
    """Return the current consent state of one person."""
    own_identities = await queries.writable_of_user(reader, user_id)
    return ConsentState(
        await queries.consent(reader, user_id),
        own_identities[0] if own_identities else None,
        await jobs.find(reader, JobKind.CUSTODIAL_ACCOUNT, user_id),
        await publishing_preferences.of_user(reader, user_id),
        await publishing_preferences.co_host_edits_shown(reader, user_id),
        reader.now,
    )


async def handle_for(network: NetworkClients, custodial_pds: CustodialPds, state: ConsentState, typed: str) -> str:
    """Return the handle that they consent to: their own, or a free one on the custodial domain. Raises InvalidInput,
    Refused (it is taken), and the errors of the PDS.
    """
    if state.identity is not None:
        return state.identity.handle or state.identity.did
    handle = check_handle(typed, await handle_domain_of(network, custodial_pds))
    if handle == state.consent.handle and not state.problem:
        return handle
    client = XrpcClient(network.http, network.clock, custodial_pds.pds_url)
    try:
        await client.query("com.atproto.identity.resolveHandle", {"handle": handle})
    except NotFound:
        return handle
    except Refused as refused:
        if refused.name in {"HandleNotFound", "InvalidRequest"}:
            return handle
        raise
    except InvalidInput:
        return handle  # servers respond "InvalidRequest: Unable to resolve handle" for a free name
    raise Refused(RepositoryReason.HANDLE_OF_ANOTHER, handle=handle)


async def preview(reader: Reader, user_id: UserId, *, instance: str) -> ConsentPreview:
    """Return an example record, and how many records there are or would be."""
    counted = await reader.fetch_one(COUNTS, user_id=user_id, recorded=_STATUSES_WITH_RECORD)
    if counted is None:
        raise RuntimeError("a select without from or where answers one row")
    event = await _example_event(reader, user_id, instance)
    record = json.dumps(json_form.to_json(write_event(event, None)), ensure_ascii=False, indent=2)
    return ConsentPreview(event, record, int(counted["events"]), int(counted["answers"]), int(counted["published"]))


async def _example_event(reader: Reader, user_id: UserId, instance: str) -> Publishable:
    """Return the public part of the person's newest event that may be published, or an example."""
    row = await reader.fetch_one(_NEWEST_PUBLISHABLE, user_id=user_id)
    event = None if row is None else await event_queries.by_id(reader, row["id"])
    return _example(reader.now, instance) if event is None else publishable(event, instance=instance)


def _example(now: Instant, instance: str) -> Publishable:
    starts_at = Instant(now + 7 * DAY)
    return Publishable(
        title=gettext("An example: tea in the park"),
        description=gettext("Bring a cup."),
        starts_at=starts_at,
        ends_at=Instant(starts_at + 2 * HOUR),
        time_zone="UTC",
        mode=Mode.IN_PERSON,
        status=EventStatus.SCHEDULED,
        venue=Venue(name=gettext("The park"), locality=gettext("Your town"), country="AT"),
        online_url="",
        created_at=now,
        page_url=f"{instance}/events/example",
        instance=instance,
        event_id="example",
        version=1,
    )
