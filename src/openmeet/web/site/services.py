"""Services of one tenant's site, and the only function that reads them from a request.

A process can serve several tenants, each with its own application and services.
"""

from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from groundwork.blobstore.contract import BlobStore
from groundwork.clock import Clock, SystemClock
from groundwork.errors import NotFound
from groundwork.mail.folder import FolderMailbox
from groundwork.rate_limit.contract import Counters
from groundwork.rate_limit.in_process import InProcessCounters
from groundwork.signing_key import SigningKey
from groundwork.telemetry.probes import Probes
from groundwork.workers.pool import WorkerPool
from openmeet.domain.calendars.fetch import CalendarFetcher
from openmeet.domain.events.unsolicited_lists import FrontPagePolicy, shown_in
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.places.geocoder import Geocoder
from openmeet.network.ingestion.record_pictures import RecordPictures
from openmeet.network.publishing.consent import ConsentDependencies
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.repositories.clients import NetworkClients, ServiceCallers
from openmeet.network.status import SyncDependencies
from openmeet.settings import Settings
from openmeet.tenants.configured import Tenant
from openmeet.web.site.chat_stream_feed import ChatStreamFeed
from openmeet.web.site.page_cache import PageCache
from openmeet.web.site.page_streams import PageStreams
from openmeet.web.site.reasons import SiteReason


@dataclass(frozen=True, slots=True)
class Services:
    """The services of one site, created once by ``programs/`` or a test. None means that the site does not have that
    service; the comments describe the effect.
    """

    settings: Settings
    tenant: Tenant
    # The key from which e-mail codes, tickets and tokens in links are derived.
    code_key: SigningKey
    clock: Clock = field(default_factory=SystemClock)
    counters: Counters = field(default_factory=InProcessCounters)
    # The store of uploaded pictures. None: no uploads.
    pictures: BlobStore | None = None
    # Pictures that remote records refer to. None: they are not shown.
    record_pictures: RecordPictures | None = None
    # AT Protocol clients. None: no sign-in with AT Protocol accounts.
    network: NetworkClients | None = None
    # The PDS for custodial accounts. None: nobody can consent to publishing.
    publishing: ConsentDependencies | None = None
    # What writing records to repositories requires. None: an event that waits for its repository stays a draft.
    publishing_dependencies: PublishingDependencies | None = None
    # HTTP client for URLs that users enter: calendars, webhooks. None: nothing is fetched.
    calendar_fetcher: CalendarFetcher | None = None
    # The services that synchronization needs. None: services and operators get Unavailable.
    sync_dependencies: SyncDependencies | None = None
    # Verifies the service tokens of callers from other apps. None: no such token is accepted.
    service_callers: ServiceCallers | None = None
    # Worker processes that parse uploaded files and pictures. None: no file is accepted.
    workers: WorkerPool | None = None
    # Place list of the world, by name. None: searches accept only coordinates.
    places: Gazetteer | None = None
    # Looks up streets and venues by name, with the geocoder that the operator chose. None: only towns and districts.
    geocoder: Geocoder | None = None
    # E-mails that are stored instead of sent, readable at /dev/mail. None: e-mails are sent.
    dev_mailbox: FolderMailbox | None = None
    # Last results of the program's probes. None: the status page does not say whether the site can save anything.
    probes: Probes | None = None
    # The open chat streams.
    chat_streams: ChatStreamFeed = field(default_factory=ChatStreamFeed)
    # The open streams of other pages.
    page_streams: PageStreams = field(default_factory=PageStreams)
    # Cached pages for visitors who are not signed in.
    page_cache: PageCache = field(default_factory=PageCache)
    # Settings for which a warning was already logged. Each warning is logged once.
    warned_of: set[str] = field(default_factory=set)

    @property
    def asks_to_publish(self) -> bool:
        """Whether this site can ask users for consent to publishing."""
        return self.publishing is not None


def publishing_of(connection: HTTPConnection) -> ConsentDependencies:
    """The publishing services. Raises NotFound if the site has none, because it then has no such pages."""
    dependencies = services(connection).publishing
    if dependencies is None:
        raise NotFound(SiteReason.NOTHING_HERE)
    return dependencies


def services(connection: HTTPConnection) -> Services:
    """The services of the requested site. No other function reads the application state; a test checks this."""
    site_services: Services = connection.app.state.services
    return site_services


def front_page_policy(connection: HTTPConnection) -> FrontPagePolicy:
    """Which events from the network the operator shows on the front page."""
    settings = services(connection).settings
    return shown_in(settings.network_shown, settings.network_near)
