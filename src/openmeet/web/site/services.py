"""The services of one tenant's site, and the one place that reads them from a request.

A process may serve several tenants, each with its own application and services.
"""

from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from at_network.service_callers import ServiceCallers
from groundwork.blobstore.contract import BlobStore
from groundwork.clock import Clock, SystemClock
from groundwork.errors import NotFound
from groundwork.mail.folder import FolderMailbox
from groundwork.rate_limit.contract import Counters
from groundwork.rate_limit.in_process import InProcessCounters
from groundwork.signing_key import SigningKey
from groundwork.workers.pool import WorkerPool
from openmeet.domain.calendars.fetch import CalendarFetcher
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.places.geocoder import Geocoder
from openmeet.network.ingestion.record_pictures import RecordPictures
from openmeet.network.publishing.publisher import Publisher
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.consent import Publishing
from openmeet.network.sync_dependencies import SyncDependencies
from openmeet.settings import Settings
from openmeet.tenants.configured import Tenant
from openmeet.web.site.live_pages import LivePages
from openmeet.web.site.live_rooms import LiveRooms
from openmeet.web.site.page_cache import PageCache
from openmeet.web.site.reasons import SiteReason


@dataclass(frozen=True, slots=True)
class Services:
    """Made by ``programs/`` and by tests, once per site. None means that the site lacks it, with the effect described
    beside it.
    """

    settings: Settings
    tenant: Tenant
    # E-mail codes, tickets and the tokens in links are derived from it.
    code_key: SigningKey
    clock: Clock = field(default_factory=SystemClock)
    counters: Counters = field(default_factory=InProcessCounters)
    # The store of uploaded pictures. None: no uploads.
    pictures: BlobStore | None = None
    # Pictures named by remote records. None: they are not shown.
    record_pictures: RecordPictures | None = None
    # AT Protocol clients. None: no sign-in with AT Protocol accounts.
    network: NetworkClients | None = None
    # The PDS for custodial accounts. None: nobody can consent to publishing.
    publishing: Publishing | None = None
    # Writes records to users' repositories. None: an event that awaits its repository stays a draft.
    publisher: Publisher | None = None
    # HTTP client for URLs from users: calendars, webhooks. None: nothing is fetched.
    outgoing: CalendarFetcher | None = None
    # The synchronization services. None: services and operators get Unavailable.
    sync_dependencies: SyncDependencies | None = None
    # Verifies service tokens of other apps' callers. None: no such token is accepted.
    service_callers: ServiceCallers | None = None
    # Worker processes that parse uploaded files and pictures. None: no file is accepted.
    workers: WorkerPool | None = None
    # The places of the world, by name. None: searches understand points only.
    places: Gazetteer | None = None
    # Streets and venues by name, from a geocoder that the operator chose. None: towns and districts only.
    geocoder: Geocoder | None = None
    # E-mails stored instead of sent, readable at /dev/mail. None: they are sent.
    dev_mailbox: FolderMailbox | None = None
    # The open streams of conversations.
    live_rooms: LiveRooms = field(default_factory=LiveRooms)
    # The open streams of other pages.
    live_pages: LivePages = field(default_factory=LivePages)
    # Pages for visitors who are not signed in.
    page_cache: PageCache = field(default_factory=PageCache)
    # Settings that were already warned about, each once.
    warned_of: set[str] = field(default_factory=set)

    @property
    def asks_to_publish(self) -> bool:
        """Whether users can be asked for consent to publishing."""
        return self.publishing is not None


def publishing_of(connection: HTTPConnection) -> Publishing:
    """The publishing services. Raises NotFound on a site without them: it has no such pages."""
    found = services(connection).publishing
    if found is None:
        raise NotFound(SiteReason.NOTHING_HERE)
    return found


def services(connection: HTTPConnection) -> Services:
    """The services of the requested site. Nothing else reads the application state; a test checks that."""
    found: Services = connection.app.state.services
    return found
