"""What the site of one community runs on, and the one place where a request is asked for it.

A process may serve several communities: each has an application, and services, of its own.
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
from openmeet.network.engines import Engines
from openmeet.network.ingestion.record_pictures import RecordPictures
from openmeet.network.publishing.publisher import Publisher
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.consent import Publishing
from openmeet.settings import Settings
from openmeet.tenants.configured import Tenant


@dataclass(frozen=True, slots=True)
class Services:
    """Made by ``programs/`` and by tests, once per site. What is None is missing from the site; what that means stands beside it."""

    settings: Settings
    tenant: Tenant
    # E-mail codes, tickets and the tokens in links are derived from it.
    code_key: SigningKey
    clock: Clock = field(default_factory=SystemClock)
    counters: Counters = field(default_factory=InProcessCounters)
    # Where uploaded pictures are stored. None: nobody can upload one.
    pictures: BlobStore | None = None
    # The pictures that other people's records name. None: they are not shown.
    record_pictures: RecordPictures | None = None
    # What reaches other servers of the AT Protocol. None: nobody signs in with an account there.
    network: NetworkClients | None = None
    # The PDS that keeps repositories for people. None: nobody can agree to publish.
    publishing: Publishing | None = None
    # Writes records to people's repositories. None: an event that waits for its record stays its author's draft meanwhile.
    publisher: Publisher | None = None
    # What fetches addresses that people give: calendars, webhooks. None: nothing is fetched.
    outgoing: CalendarFetcher | None = None
    # What the synchronisation runs on. None: services and operators are told that it is away.
    engines: Engines | None = None
    # What reads the tokens of other apps' callers. None: no such token is accepted.
    service_callers: ServiceCallers | None = None
    # The processes that read files and pictures from outside. None: no file is accepted.
    workers: WorkerPool | None = None
    # E-mails that are stored instead of sent, to be read at /dev/mail. None: they are sent.
    dev_mailbox: FolderMailbox | None = None
    # Settings that the log has warned of already, each once.
    warned_of: set[str] = field(default_factory=set)

    @property
    def asks_to_publish(self) -> bool:
        """Whether people can be asked to agree to publish."""
        return self.publishing is not None


def publishing_of(connection: HTTPConnection) -> Publishing:
    """What publishing runs on. Raises NotFound on a site where nobody can agree to publish: it has no such pages."""
    found = services(connection).publishing
    if found is None:
        raise NotFound("There is nothing at this address.")
    return found


def services(connection: HTTPConnection) -> Services:
    """What the site that is asked runs on. Nothing else reads the state of the application; a test checks that."""
    found: Services = connection.app.state.services
    return found
