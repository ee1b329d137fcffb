"""``openmeet publisher``: handles the platform's outbox jobs. This module binds each job kind to its handler."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.tid import TidClock
from groundwork.mail.address import parse_address
from groundwork.mail.contract import Mail, Mailer
from groundwork.mail.open_ import check_mailer
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import Delivery, one_job_per_call
from groundwork.outbox.wakeup import new_wakeup
from groundwork.queue.contract import Message
from groundwork.task_group import run_concurrently
from openmeet.domain.attendance.event_changes import ATTENDEES, GROUP_LISTENERS, RSVPS_OF_EVENT
from openmeet.domain.attendance.group_hosting import RSVPS_OF_GROUP, SERIES_OF_GROUP, moving_group_handler
from openmeet.domain.attendance.record_comparison import comparison_handler
from openmeet.domain.attendance.reevaluation import FORMER_MEMBERS_OF_GROUP
from openmeet.domain.attendance.tasks import fill_seats_handler
from openmeet.domain.chat.notify import chat_notification_handler
from openmeet.domain.events.publication import EVENTS_OF_GROUP, LISTED_BY_GROUP
from openmeet.domain.events.record_changes import HELD_IN_GROUP
from openmeet.domain.groups.announcements import GROUP_MEMBERS
from openmeet.domain.groups.publication import MEMBERS_OF_GROUP
from openmeet.domain.moderation_effects.actions import DATES_OF_SERIES, blocked_person_handler
from openmeet.domain.notifications.fan_out import FanOutAudience, fan_out_handler
from openmeet.domain.photos.notify import PHOTO_VIEWERS
from openmeet.domain.profiles.notify import PROFILE_FOLLOWERS
from openmeet.domain.safety.actions import apply_blocks_handler
from openmeet.domain.saved_searches.tasks import SAVED_SEARCHES
from openmeet.domain.series.detection_actions import detection_handler
from openmeet.domain.series.move_records import moving_handler
from openmeet.domain.series.new_date_rsvps import new_date_handler
from openmeet.domain.series.notify import CONCERNED_BY_SERIES
from openmeet.domain.series.standing_rsvps import left_group_handler
from openmeet.domain.webhooks.deliver import webhook_delivery
from openmeet.emails.composers import composers
from openmeet.emails.render import EmailContext
from openmeet.matrix.bridge import Bridge
from openmeet.network.ingestion.backfill import AT_A_TIME, backfill_handler
from openmeet.network.ingestion.fetch import record_handler, subject_handler
from openmeet.network.ingestion.identity_refresh import identity_handler
from openmeet.network.ingestion.reconcile import reconcile_handler
from openmeet.network.ingestion.remote_series import claimed_dates_handler
from openmeet.network.ingestion.rsvps_awaiting_event import gained_access_handler
from openmeet.network.ingestion.server_budgets import spending, spending_on_proofs
from openmeet.network.publishing import schedule
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.publishing.late_writes import late_write_handler
from openmeet.network.records.extension import named_series
from openmeet.network.records.message import RecordMessage, encode
from openmeet.network.records.metrics import unknown_identities
from openmeet.network.repositories.custodial import CustodialPds, custodial_account_handler, custodial_deletion_handler
from openmeet.outbox.bulk_changes import bulk_change_handler
from openmeet.outbox.emails import OutgoingEmail, Sender, email_handler
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publication_rechecks import ALL_OF_KIND, ALL_OF_PERSON, UNPUBLISHED_OF_PERSON
from openmeet.web.webhooks.payloads import webhook_view
from programs.matrix_bridge import matrix_deliveries, open_bridge, read_until_stopped
from programs.person_erasing import erasing_of
from programs.platform import Platform, custodial_pds_of

# The audiences of changes that many people have to be notified of.
AUDIENCES: Final[tuple[FanOutAudience[Any, Any], ...]] = (
    ATTENDEES,
    CONCERNED_BY_SERIES,
    GROUP_LISTENERS,
    GROUP_MEMBERS,
    PHOTO_VIEWERS,
    PROFILE_FOLLOWERS,
    SAVED_SEARCHES,
)
# The changes that follow from the change of one row and can be too many for one transaction.
BULK_CHANGES: Final = (
    ALL_OF_KIND,
    ALL_OF_PERSON,
    DATES_OF_SERIES,
    EVENTS_OF_GROUP,
    FORMER_MEMBERS_OF_GROUP,
    HELD_IN_GROUP,
    LISTED_BY_GROUP,
    MEMBERS_OF_GROUP,
    RSVPS_OF_EVENT,
    RSVPS_OF_GROUP,
    SERIES_OF_GROUP,
    UNPUBLISHED_OF_PERSON,
)


async def work(platform: Platform, stop: asyncio.Event) -> None:
    """Deliver records, e-mails and all other jobs until ``stop`` is set."""
    async with open_bridge(platform) as bridge:
        delivering = deliveries(platform, custodial_pds_of(platform.settings), bridge)
        setting = f"OPENMEET_MAIL_URL of the community {platform.tenant.name}"
        checking = asyncio.create_task(check_mailer(platform.mailer, setting), name="mail check")
        try:
            async with run_concurrently() as group:
                group.create_task(dispatcher.run(platform.db, delivering, stop, wake=new_wakeup()))
                group.create_task(schedule.run(publishing_dependencies(platform), stop, wake=new_wakeup()))
                group.create_task(read_until_stopped(platform, bridge, stop))
        finally:
            # It may still wait for the mail server.
            checking.cancel()
            await asyncio.wait([checking])


def publishing_dependencies(platform: Platform) -> PublishingDependencies:
    """Build the dependencies of publishing for a community. Changes found in a repository go through the queue."""

    async def hand_to_ingestion(messages: Sequence[RecordMessage]) -> None:
        await platform.queue.publish(
            [Message(one.routing_key, one.did, encode(one), one.message_id) for one in messages]
        )

    tenant = platform.tenant

    def count_rsvp(operation: str, status: str) -> None:
        platform.rsvp_operations.labels(tenant.name, operation, status).inc()

    return PublishingDependencies(
        db=platform.db,
        network=platform.network,
        catalog=Catalog(),
        # Random, so that two publishers do not make the same record key in the same microsecond.
        tids=TidClock(secrets.randbelow(1024)),
        hand_to_ingestion=hand_to_ingestion,
        instance=platform.settings.public_url,
        pictures=platform.pictures,
        count_rsvp=count_rsvp,
        flags=tenant.flags,
        count_result=lambda kind, result: platform.results.labels("publish", kind, result.value).inc(),
    )


def deliveries(platform: Platform, custodial_pds: CustodialPds, bridge: Bridge | None = None) -> dict[str, Delivery]:
    """The delivery of every job kind. A test compares the kinds with ``JobKind``."""
    db, network, context = platform.db, platform.network, platform.ingestion_context
    spend_on_server = spending(platform.counters, platform.clock)
    spend_on_proof = spending_on_proofs(platform.counters, platform.clock)
    unknown = unknown_identities(platform.metrics)

    def count_unknown(kind: str) -> None:
        unknown.labels(kind).inc()

    return {
        **matrix_deliveries(platform, bridge),
        JobKind.MAIL: one_job_per_call(
            email_handler(db, composers(email_context(platform)), sender(platform.mailer, platform.settings.public_url))
        ),
        JobKind.CUSTODIAL_ACCOUNT: one_job_per_call(custodial_account_handler(db, network, custodial_pds)),
        JobKind.DELETE_CUSTODIAL_ACCOUNT: one_job_per_call(custodial_deletion_handler(db, network, custodial_pds)),
        JobKind.WEBHOOK: webhook_delivery(db, network.http, network.sealer, webhook_view(platform.settings.public_url)),
        JobKind.REFRESH_IDENTITY: one_job_per_call(
            identity_handler(db, network, erasing_of(platform), context.trusted_origins, count_unknown)
        ),
        JobKind.FETCH_SUBJECT: one_job_per_call(subject_handler(db, network, context, count_unknown, spend_on_server)),
        JobKind.GAINED_ACCESS: one_job_per_call(gained_access_handler(db)),
        JobKind.LEFT_GROUP: one_job_per_call(left_group_handler(db), jobs_per_lease=2, lease_seconds=600.0),
        JobKind.APPLY_BLOCKS: one_job_per_call(apply_blocks_handler(db), jobs_per_lease=2, lease_seconds=600.0),
        JobKind.BLOCKED_PERSON: one_job_per_call(blocked_person_handler(db), jobs_per_lease=2, lease_seconds=600.0),
        JobKind.PROVE_RECORD: one_job_per_call(record_handler(db, network, context, spend_on_proof)),
        JobKind.COMPARE_RSVPS: one_job_per_call(comparison_handler(db), jobs_per_lease=2, lease_seconds=600.0),
        JobKind.LATE_WRITE: one_job_per_call(late_write_handler(publishing_dependencies(platform))),
        JobKind.DETECT_SERIES: one_job_per_call(detection_handler(db, named_series)),
        JobKind.DETECT_FOREIGN_SERIES: one_job_per_call(detection_handler(db, named_series), jobs_per_lease=2),
        JobKind.CLAIMED_DATES: one_job_per_call(claimed_dates_handler(db), jobs_per_lease=2, lease_seconds=600.0),
        JobKind.FILL_SEATS: one_job_per_call(fill_seats_handler(db)),
        # One date after the other, because they lock the row of their series.
        JobKind.NEW_DATE: one_job_per_call(new_date_handler(db), jobs_per_lease=1, lease_seconds=600.0),
        # All recipients of a change are notified in one run, page by page. A second subject does not have to wait for
        # that.
        JobKind.FAN_OUT: one_job_per_call(
            fan_out_handler(db, AUDIENCES), jobs_per_lease=2, partitions_at_once=2, lease_seconds=600.0
        ),
        JobKind.NOTIFY_CHAT: one_job_per_call(chat_notification_handler(db), lease_seconds=600.0),
        JobKind.MOVE_RECORDS: one_job_per_call(moving_handler(db), jobs_per_lease=1, lease_seconds=600.0),
        JobKind.MOVE_GROUP_RECORDS: one_job_per_call(moving_group_handler(db), jobs_per_lease=1, lease_seconds=600.0),
        JobKind.BULK_CHANGE: one_job_per_call(
            bulk_change_handler(db, BULK_CHANGES), jobs_per_lease=2, lease_seconds=600.0
        ),
        JobKind.RECONCILE: one_job_per_call(
            reconcile_handler(db, network, context, spend_on_server), jobs_per_lease=1, lease_seconds=600.0
        ),
        # A repository can be large, so only a few are read at a time, with a lease long enough to read large ones one
        # after another.
        JobKind.BACKFILL: one_job_per_call(
            backfill_handler(db, network, context, spend_on_server), jobs_per_lease=AT_A_TIME, lease_seconds=1800.0
        ),
    }


def email_context(platform: Platform) -> EmailContext:
    settings = platform.settings
    return EmailContext(
        platform.code_key, settings.site_name, settings.public_url, settings.language, settings.accent_color
    )


def sender(mailer: Mailer, public_url: str) -> Sender:
    """Passes e-mails to the mailer. The domain of each Message-ID is the site's host."""
    host = urlsplit(public_url).hostname or "localhost"

    async def send(email: OutgoingEmail, name: str) -> None:
        await mailer.send(
            Mail(
                parse_address(email.to),
                email.subject,
                email.text,
                message_id=f"<{name}@{host}>",
                html=email.html,
                unsubscribe_url=email.unsubscribe_url,
                calendar=email.calendar,
                thread_id=f"<{email.thread_local}@{host}>" if email.thread else "",
            )
        )

    return send
