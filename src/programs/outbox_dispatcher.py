"""``openmeet publisher``: handles the platform's outbox jobs. Each job kind has its handler here."""

import asyncio
import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import TidClock
from groundwork.mail.address import parse_address
from groundwork.mail.contract import Mail, Mailer
from groundwork.outbox import dispatcher
from groundwork.outbox.dispatcher import HandlerOptions
from groundwork.outbox.wakeup import new_wakeup
from groundwork.queue.contract import Message
from openmeet.domain.attendance.crowds import event_news_handler
from openmeet.domain.attendance.network_rsvps import comparing_handler
from openmeet.domain.attendance.notify import ANSWERED_MAIL, WITHDRAWN_MAIL
from openmeet.domain.attendance.tasks import freed_seats_handler
from openmeet.domain.events.co_hosts import CO_HOST_MAIL
from openmeet.domain.groups.model import INVITATION_MAIL, LAST_CALL_MAIL, SUCCESSION_MAIL
from openmeet.domain.guest_rsvps.queries import GUEST_CONFIRMED_MAIL, GUEST_MAIL
from openmeet.domain.imports.people import ARRIVAL_MAIL
from openmeet.domain.notifications.model import DIGEST_MAIL, NEWS_MAIL
from openmeet.domain.series.detection_actions import detection_handler
from openmeet.domain.series.emails import SERIES_ANSWERED_MAIL, SERIES_WITHDRAWN_MAIL
from openmeet.domain.series.move_records import moving_handler
from openmeet.domain.series.notify import fan_out_handler
from openmeet.domain.series.standing_rsvps import left_group_handler, standing_rsvps_handler
from openmeet.domain.sign_in.model import CODE_MAIL
from openmeet.domain.webhooks.deliver import RETRY, webhook_handler
from openmeet.domain.webhooks.model import OFF_MAIL
from openmeet.emails.co_host_invitation import co_host_composer
from openmeet.emails.groups import invitation_composer, succession_composer
from openmeet.emails.guest_confirmation import guest_composer
from openmeet.emails.import_invitation import invitation_composer as arrival_composer
from openmeet.emails.notifications.email import digest_composer, news_composer
from openmeet.emails.render import Letterhead, with_html
from openmeet.emails.rsvp_confirmation import answered_composer, confirmed_composer, withdrawn_composer
from openmeet.emails.series_confirmation import series_composer
from openmeet.emails.sign_in_code import code_composer
from openmeet.emails.webhook_disabled import off_composer
from openmeet.network.firehose import cursors
from openmeet.network.ingestion import dead_letters
from openmeet.network.ingestion.account_deletion import Erasing
from openmeet.network.ingestion.backfill import AT_A_TIME, backfill_handler
from openmeet.network.ingestion.fetch import record_handler, subject_handler
from openmeet.network.ingestion.host_budgets import spending
from openmeet.network.ingestion.identity_refresh import identity_handler
from openmeet.network.ingestion.origins import unknown_identities
from openmeet.network.ingestion.reconcile import reconcile_handler
from openmeet.network.ingestion.release_pending import pending_handler
from openmeet.network.ingestion.remote_series import claimed_dates_handler
from openmeet.network.publishing import schedule
from openmeet.network.publishing.in_flight import abandoned_create_handler
from openmeet.network.publishing.publisher import Publisher
from openmeet.network.records.extension import named_series
from openmeet.network.records.message import RecordMessage, encode
from openmeet.network.repositories.custodial import Keeper, custodial_account_handler
from openmeet.outbox.emails import Composer, OutgoingEmail, Sender, email_handler
from openmeet.outbox.kinds import JobKind
from openmeet.web.webhooks.payloads import webhook_view
from programs.platform import Platform, keeper_of
from programs.probes import PUBLISHER
from programs.worker import for_each, worker_role

# Requests to other people's servers, which may be slow or many: single records, and whole repositories.
READS = frozenset({JobKind.REFRESH_IDENTITY, JobKind.FETCH_SUBJECT, JobKind.PROVE_RECORD, JobKind.LATE_CREATE})
WHOLE_READS = frozenset({JobKind.BACKFILL, JobKind.RECONCILE})
# Detection over strangers' events: a few authors at a time, and nothing else waits for it.
SEARCHES = frozenset({JobKind.DETECT_FOREIGN_SERIES})


async def work(platform: Platform, stop: asyncio.Event) -> None:
    """Deliver records, e-mails and all other jobs until ``stop`` is set."""
    owed = handlers(platform, await keeper_of(platform))
    # Separate: an e-mail must not wait for a stranger's server, nor a handle for somebody's whole repository.
    reading = {kind: paying for kind, paying in owed.items() if kind in READS}
    reading_whole = {kind: paying for kind, paying in owed.items() if kind in WHOLE_READS}
    searching = {kind: paying for kind, paying in owed.items() if kind in SEARCHES}
    sending = {kind: paying for kind, paying in owed.items() if kind not in READS | WHOLE_READS | SEARCHES}
    await asyncio.gather(
        dispatcher.run(platform.db, sending, stop, wake=new_wakeup()),
        dispatcher.run(platform.db, reading, stop, wake=new_wakeup()),
        dispatcher.run(platform.db, reading_whole, stop, wake=new_wakeup()),
        dispatcher.run(platform.db, searching, stop, wake=new_wakeup()),
        schedule.run(publisher(platform), stop, wake=new_wakeup()),
    )


def publisher(platform: Platform) -> Publisher:
    """The publisher of records; changes that it finds in a repository go through the queue like all others."""

    async def enqueue(messages: Sequence[RecordMessage]) -> None:
        await platform.queue.publish(
            [Message(one.routing_key, one.did, encode(one), one.message_id) for one in messages]
        )

    tenant = platform.tenant

    def count_rsvp(operation: str, status: str) -> None:
        platform.rsvp_operations.labels(tenant.name, operation, status).inc()

    return Publisher(
        db=platform.db,
        network=platform.network,
        catalog=Catalog(),
        # Random, so that two publishers do not make the same record key in the same microsecond.
        tids=TidClock(secrets.randbelow(1024)),
        enqueue=enqueue,
        instance=platform.settings.public_url,
        pictures=platform.pictures,
        count_rsvp=count_rsvp,
        flags=tenant.flags,
        count_result=lambda kind, result: platform.results.labels("publish", kind, result.value).inc(),
    )


def handlers(platform: Platform, keeper: Keeper) -> dict[str, HandlerOptions]:
    """Every job kind and its handler; a test compares the kinds with ``JobKind``."""
    db, network, here = platform.db, platform.network, platform.here
    spend_on_host = spending(platform.counters, platform.clock)
    unknown = unknown_identities(platform.metrics)

    def count_unknown(kind: str) -> None:
        unknown.labels(kind).inc()

    return {
        JobKind.MAIL: HandlerOptions(
            email_handler(db, composers(platform), sender(platform.mailer, platform.settings.public_url))
        ),
        JobKind.CUSTODIAL_ACCOUNT: HandlerOptions(custodial_account_handler(db, network, keeper)),
        JobKind.WEBHOOK: HandlerOptions(
            webhook_handler(db, network.http, network.sealer, webhook_view(platform.settings.public_url)), policy=RETRY
        ),
        JobKind.REFRESH_IDENTITY: HandlerOptions(
            identity_handler(db, network, _erasing(platform), here.believed, count_unknown)
        ),
        JobKind.FETCH_SUBJECT: HandlerOptions(subject_handler(db, network, here, count_unknown, spend_on_host)),
        JobKind.WAITING_ANSWERS: HandlerOptions(pending_handler(db)),
        JobKind.LEFT_GROUP: HandlerOptions(left_group_handler(db)),
        JobKind.PROVE_RECORD: HandlerOptions(record_handler(db, network, here, spend_on_host)),
        JobKind.COMPARE_ANSWERS: HandlerOptions(comparing_handler(db), batch=2, lease_seconds=600.0),
        JobKind.LATE_CREATE: HandlerOptions(abandoned_create_handler(publisher(platform))),
        JobKind.DETECT_SERIES: HandlerOptions(detection_handler(db, named_series)),
        JobKind.DETECT_FOREIGN_SERIES: HandlerOptions(detection_handler(db, named_series), batch=2),
        JobKind.CLAIMED_DATES: HandlerOptions(claimed_dates_handler(db), batch=2, lease_seconds=600.0),
        JobKind.FREED_SEATS: HandlerOptions(freed_seats_handler(db)),
        # One date after the other, because they lock the row of their series.
        JobKind.STANDING_ANSWERS: HandlerOptions(standing_rsvps_handler(db), batch=1, lease_seconds=600.0),
        # All recipients of a change are notified in one run, batch by batch.
        JobKind.SERIES_NEWS: HandlerOptions(fan_out_handler(db), batch=2, lease_seconds=600.0),
        JobKind.EVENT_NEWS: HandlerOptions(event_news_handler(db), batch=2, lease_seconds=600.0),
        JobKind.MOVE_RECORDS: HandlerOptions(moving_handler(db), batch=1, lease_seconds=600.0),
        JobKind.RECONCILE: HandlerOptions(
            reconcile_handler(db, network, here, spend_on_host), batch=1, lease_seconds=600.0
        ),
        # A repository may be large: few at a time, with a lease as long as reading large ones one after another takes.
        JobKind.BACKFILL: HandlerOptions(
            backfill_handler(db, network, here, spend_on_host), batch=AT_A_TIME, lease_seconds=1800.0
        ),
    }


def _erasing(platform: Platform) -> Erasing:
    async def elsewhere(did: Did) -> None:
        await dead_letters.erase(platform.queue, did)
        async with platform.installation.transaction() as tx:
            await cursors.erase(tx, did)

    return Erasing(platform.here.erasure_keys, elsewhere)


def composers(platform: Platform) -> dict[str, Composer]:
    """The composer of each kind of e-mail."""
    name, url = platform.settings.site_name, platform.settings.public_url
    head = Letterhead(platform.code_key, name, url)
    return {
        CODE_MAIL: code_composer(platform.code_key, name, url),
        INVITATION_MAIL: invitation_composer(platform.code_key, name, url),
        OFF_MAIL: off_composer(name, url),
        SUCCESSION_MAIL: succession_composer(name, url),
        CO_HOST_MAIL: co_host_composer(platform.code_key, name, url),
        LAST_CALL_MAIL: succession_composer(name, url),
        GUEST_MAIL: guest_composer(platform.code_key, name, url),
        GUEST_CONFIRMED_MAIL: confirmed_composer(head),
        ANSWERED_MAIL: answered_composer(head),
        WITHDRAWN_MAIL: withdrawn_composer(head),
        SERIES_ANSWERED_MAIL: series_composer(head, is_end=False),
        SERIES_WITHDRAWN_MAIL: series_composer(head, is_end=True),
        ARRIVAL_MAIL: arrival_composer(platform.code_key, name, url),
        NEWS_MAIL: news_composer(head),
        DIGEST_MAIL: digest_composer(head),
    }


def sender(mailer: Mailer, public_url: str) -> Sender:
    """Passes e-mails to the mailer; the domain of each Message-ID is the site's host."""
    host = urlsplit(public_url).hostname or "localhost"

    async def send(letter: OutgoingEmail, name: str) -> None:
        letter = with_html(letter, public_url)
        await mailer.send(
            Mail(
                parse_address(letter.to),
                letter.subject,
                letter.text,
                message_id=f"<{name}@{host}>",
                html=letter.html,
                unsubscribe_url=letter.unsubscribe_url,
                calendar=letter.calendar,
            )
        )

    return send


app = worker_role(for_each(work), "Pay debts until stopped.", PUBLISHER)
