"""Every operator setting of the events platform, read once at start (``OPENMEET_…``).

All defaults suit a laptop. ``settings_checks`` says which settings contradict each other.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from at_protocol.lexicon.authority import OWN_AUTHORITY
from groundwork.database.postgres import CONNECTIONS
from groundwork.http.connection_limit import LEAST_CONNECTIONS
from groundwork.settings import Bytes, Seconds, Secret, setting
from groundwork.workers.limits import JobLimits
from groundwork.workers.pool import PoolLimits

PREFIX = "OPENMEET_"
# Pages read no larger part of an upload.
LARGEST_CHAT_PICTURE = 12_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one installation and of its default community. ``tenants.configured`` has those of the other
    communities.
    """

    site_name: str = setting("OpenMeet", doc="The name at the top of every page and in e-mails")
    accent_color: str = setting(
        "",
        doc=(
            "The colour of buttons and links, as #rrggbb; it is adjusted to be readable in the light "
            "and the dark scheme; empty: green"
        ),
    )
    language: str = setting(
        "en",
        doc=(
            "The language of pages and e-mails for people who chose no language "
            "and whose browser accepts no language of the site"
        ),
    )
    public_url: str = setting("http://127.0.0.1:8080", doc="The URL at which people reach the site")
    host: str = setting("127.0.0.1", doc="The address to listen on")
    port: int = setting(8080, doc="The port to listen on; 0 picks a free one")
    operations_port: int = setting(0, doc="The port on which a worker answers /health and /metrics; 0: none")
    trusted_proxy_hops: int = setting(0, doc="The number of your reverse proxies in front of the program")
    proxies_name_tenant: bool = setting(
        default=False,
        doc=(
            "Trusts the header x-tenant-id: your proxies set it to the community of the request, and remove it "
            "from client requests"
        ),
    )
    moderators: tuple[str, ...] = setting(
        (), doc="E-mail addresses or DIDs of moderators, in addition to those named by openmeet moderation name"
    )
    time_zone: str = setting("UTC", doc="The time zone of people who have not chosen one, as an IANA name")

    data_directory: Path = setting(Path("var/openmeet"), doc="The folder for files: databases, keys, e-mails")
    places_file: Path | None = setting(
        None,
        doc=(
            "The file with the list of towns (20 MB), created when it is first needed; empty: a file in the data "
            "directory"
        ),
    )
    map_tiles: Path | None = setting(
        None,
        doc=(
            "A folder of map tiles, as zoom/x/y.png (or jpg, webp), which add streets to the map; empty: the map "
            "shows only towns"
        ),
    )
    map_credit: str = setting(
        "", doc="The attribution shown below maps with these tiles, such as © OpenStreetMap contributors"
    )
    geocoder: Literal["", "photon", "nominatim"] = setting(
        "",
        doc=(
            "The kind of geocoder that looks up streets and venues; empty: none, so searches are never sent to "
            "another server"
        ),
    )
    geocoder_url: str = setting("", doc="The URL of the geocoder; http and other ports only in your own network")
    geocoder_credit: str = setting(
        "© OpenStreetMap contributors", doc="The attribution to show with the geocoder’s results"
    )
    geocoder_while_typing: bool = setting(
        default=False, doc="Queries the geocoder while people type; public geocoders forbid that"
    )
    database_url: str = setting("", doc="The database of the site; empty: SQLite in the data directory")
    database_schema: str = setting("", doc="The PostgreSQL schema of the site; empty: public")
    network_database_url: str = setting(
        "", doc="The network database of the installation; empty: SQLite in the data directory"
    )
    network_database_schema: str = setting("", doc="The PostgreSQL schema of the network database; empty: public")
    database_connections: int = setting(
        CONNECTIONS,
        doc=(
            "The maximum number of connections per process and PostgreSQL database; each community has one database, "
            "and the network another"
        ),
        minimum=1,
    )
    broker_url: str = setting("embedded:", doc="The broker between consumer and processor: embedded: or amqp://…")
    broker_name: str = setting(
        "openmeet", doc="The name of the exchange and prefix of the queues on the broker; one per installation"
    )
    cache_url: str = setting(
        "embedded:", doc="The cache: embedded: (each process has its own) or redis://host:port/number (shared)"
    )

    blobs: str = setting(
        "",
        doc="Where pictures are stored: s3://bucket or s3://bucket/folder; empty: the folder media in the data directory",
    )
    blobs_region: str = setting("", doc="The region of that bucket")
    blobs_endpoint: str = setting(
        "", doc="The URL of the S3 service, without the bucket; empty: Amazon’s in that region"
    )
    blobs_access_key_id: str = setting(
        "", doc="The access key; empty: the machine’s own (AWS_…, the role of an instance)"
    )
    blobs_secret_access_key: Secret = setting(Secret(""), doc="The secret of that access key")
    blobs_force_path_style: bool = setting(
        default=False,
        doc="Puts the bucket in the path of URLs instead of the host name, as self-hosted services often require",
    )

    sealing_keys: Secret = setting(
        Secret(""),
        doc="Keys of 32 bytes as base64url, newest first; empty: generated at the first start and stored in a file",
    )
    operators: tuple[str, ...] = setting(
        (), doc="E-mail addresses or DIDs of the people who can see /operating; they need an account on the site"
    )
    run_by: str = setting(
        "",
        doc=(
            "The name and address of the organisation or person that runs the site, for the pages about the site "
            "and privacy"
        ),
    )
    contact: str = setting("", doc="The e-mail address on the help pages, for questions to the operators")
    texts_directory: Path | None = setting(
        None,
        doc=(
            "A folder with about.md, terms.md, privacy.md and accessibility.md, "
            "or terms.de.md in one language; empty: general texts"
        ),
    )
    metrics_token: Secret = setting(Secret(""), doc="A bearer token with which public addresses can read /metrics")

    api_requests_per_minute: int = setting(
        600,
        doc=(
            "How many requests one token or session may send to the JSON API in a minute; one address may send four "
            "times as many; 0: no limit"
        ),
    )

    client_connections: int = setting(
        4_000,
        doc=(
            "The maximum number of client connections per process, if the system allows that many open files; beyond "
            "it, a new connection replaces one that keeps the process waiting"
        ),
        minimum=LEAST_CONNECTIONS,
    )
    client_connections_per_address: int = setting(
        0,
        doc=(
            "The maximum number of these connections per address (an IPv6 /64); 0: a quarter; does not apply behind "
            "your proxies"
        ),
        minimum=0,
    )
    live_streams: int = setting(
        2_000,
        doc=(
            "The maximum number of live streams per process, for chats "
            "and again for other pages; further pages try again later"
        ),
        minimum=0,
    )

    pages_per_minute: int = setting(
        1800,
        doc=(
            "How many pages and feeds one address (an IPv6 /64) may request in a minute, "
            "and twenty times as many pictures; 0: no limit"
        ),
    )

    addresses_kept_days: int = setting(
        90,
        doc=(
            "How many days e-mail addresses of people without an account are stored after the last event that they "
            "answered, or after their invitation ended; 0: no limit"
        ),
    )
    deleted_kept_days: int = setting(
        30,
        doc=(
            "How many days texts, places, links and pictures of deleted events, series "
            "and groups, texts of withdrawn answers, and dead letters are stored; 0: no limit"
        ),
    )
    answers_kept_days: int = setting(
        90,
        doc=(
            "How many days after an event the names of guests, answers to questions "
            "and imported lists of people are stored; 0: no limit"
        ),
    )
    chat_kept_days: int = setting(
        0, doc="The maximum number of days that chat messages are stored; hosts can choose fewer; 0: no limit"
    )
    chat_messages_per_hour: int = setting(
        300, doc="How many messages one person may write in chats in an hour", minimum=1
    )
    chat_picture_bytes: Bytes = setting(
        LARGEST_CHAT_PICTURE, doc="The largest picture in a chat message, at most 12 MB"
    )

    erasure_grace: Seconds = setting(
        14 * 86400.0,
        doc="How long people who delete their account can change their mind; if they sign in, the account is kept",
    )
    erasure_ledger: Path | None = setting(
        None,
        doc=(
            "The file that lists deleted accounts and requests for deletion by id, without names. Every role reads it "
            "at its start, so that deleted accounts do not reappear when a backup is restored. Keep it outside of "
            "everything that is backed up and restored together with the database. Default: `erasures.jsonl` in the "
            "data directory, which is suitable only if that directory is never restored"
        ),
    )

    worker_processes: int = setting(
        2, doc="How many processes parse files, pages and pictures that people send; they start with the first file"
    )
    worker_queue: int = setting(
        24, doc="How many files can wait for a worker; further requests get 503 with Retry-After"
    )
    worker_cpu_seconds: Seconds = setting(20.0, doc="How many seconds of processor time parsing one file may take")
    worker_wall_seconds: Seconds = setting(60.0, doc="How many seconds parsing one file may take")
    worker_memory: Bytes = setting(
        1024**3, doc="How much memory parsing one file may take; macOS does not enforce this"
    )
    worker_seconds_per_person: Seconds = setting(
        120.0,
        doc=(
            "How many seconds of processor time parsing one person’s files may take within ten minutes; one address "
            "may use four times as much"
        ),
    )

    network_shown: Literal["nothing", "familiar", "everything"] = setting(
        "familiar",
        doc=(
            "Which events from the network are on the front page, in its feed, in the sitemap "
            "and in notifications: nothing, familiar (by people who signed in here or are followed by a group) "
            "or everything; searches always show everything"
        ),
    )

    network_near: str = setting(
        "",
        doc=(
            "Latitude, longitude and distance, such as 48.21, 16.37, 50: events within this many kilometres of the "
            "point are also shown on these pages"
        ),
    )

    dev_mode: bool = setting(default=False, doc="Development mode: relaxes rules that are meant for public servers")
    dev_limits: bool = setting(default=False, doc="Applies rate limits in development mode, too")
    dev_mailbox: bool = setting(
        default=False, doc="Stores e-mails in a folder and shows them at /dev/mail, on this machine only"
    )
    mail_url: Secret = setting(
        Secret(""),
        doc=(
            "The mail server: smtp://user:password@host:port; with folder:/path, e-mails become files there "
            "and are not sent"
        ),
    )
    mail_from: str = setting("OpenMeet <no-reply@openmeet.invalid>", doc="The sender of e-mails")
    mail_reply_to: str = setting("", doc="The address for replies to e-mails; empty: the sender’s")

    pds_url: str = setting(
        "http://localhost:3000",
        doc="The PDS on which people without a repository get one, after they have agreed to publish",
    )
    pds_admin_password: Secret = setting(
        Secret(""), doc="The administrator’s password for creating invites on that PDS"
    )
    pds_rate_limit_bypass_key: Secret = setting(
        Secret(""),
        doc="The PDS_RATE_LIMIT_BYPASS_KEY of that PDS, needed because many people write through the site’s address",
    )
    pds_handle_domain: str = setting(
        "", doc="The domain of handles on that PDS, such as .town.example; empty: the first one that the PDS offers"
    )
    plc_url: str = setting("http://127.0.0.1:2582", doc="The PLC directory for did:plc")
    second_plc_url: str = setting(
        "",
        doc=(
            "A second PLC directory for a did:plc that the first does not know; for development networks that follow "
            "other networks"
        ),
    )
    firehose_urls: tuple[str, ...] = setting(
        (),
        doc=(
            "WebSocket URLs of PDSes to follow, each trusted only for its own accounts; as ws://inner=https://public "
            "if the URL differs from the one that its accounts name"
        ),
    )
    relay_urls: tuple[str, ...] = setting((), doc="WebSocket URLs of relays to follow, for any account")
    relays_from_the_start: bool = setting(
        default=False, doc="Reads a new relay from the start of its stored events instead of only new events"
    )
    relay_checks: Literal["full", "light"] = setting(
        "full",
        doc=(
            "How a relay’s commits are checked: full, or light, which checks signatures but not whether operations "
            "were left out"
        ),
    )
    jetstream_urls: tuple[str, ...] = setting(
        (),
        doc="WebSocket URLs of Jetstream servers to follow; their data is unsigned, and signed data overrides it",
    )
    call_hosts: tuple[str, ...] = setting(
        (),
        doc=(
            "Host names of your own video call servers (Jitsi, BigBlueButton, Nextcloud Talk …): in imported calendar "
            "files, links to them become join links, which only attendees see"
        ),
    )
    labelers: tuple[str, ...] = setting(
        (),
        doc=(
            "DIDs of labelers: content that they label !hide, !takedown or spam is not shown until a moderator "
            "decides otherwise"
        ),
    )
    lexicon_authority: str = setting(
        OWN_AUTHORITY,
        doc="The name, such as org.example.events, under which `openmeet lexicon publish` publishes our Lexicons",
    )
    accept_bare_audience: bool = setting(
        default=True,
        doc=(
            "Accepts service tokens whose audience is only the site’s DID, as from older PDSes, in addition to "
            "did#openmeet"
        ),
    )
    matrix_url: str = setting(
        "", doc="The URL of the Matrix homeserver that chat rooms can be mirrored to; empty: no Matrix bridge"
    )
    matrix_server_name: str = setting(
        "", doc="The homeserver’s server_name, the part after the colon in its user names, such as example.org"
    )
    matrix_as_token: Path | None = setting(
        None,
        doc="The file with the bridge’s token, which `openmeet matrix registration` writes; default: `matrix.token` "
        "in the data"
        " directory",
    )
    matrix_federate: bool = setting(
        default=False,
        doc="Lets people of other homeservers join mirrored rooms; applies to rooms created after the change",
    )
    jetstream_dictionary: Path | None = setting(
        None,
        doc="The file with the zstd dictionary of the Jetstream servers; empty: their streams are compressed with deflate",
    )
    allow_private_addresses: bool = setting(
        default=False, doc="Allows requests to untrusted URLs to reach the private network; for development networks"
    )

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https:")

    @property
    def worker_limits(self) -> PoolLimits:
        """Limits of the worker processes that parse people's input."""
        return PoolLimits(
            processes=self.worker_processes,
            queue=self.worker_queue,
            cpu_seconds_per_person=self.worker_seconds_per_person,
            job=JobLimits(
                cpu_seconds=self.worker_cpu_seconds,
                wall_seconds=self.worker_wall_seconds,
                memory_bytes=self.worker_memory,
            ),
        )

    @property
    def is_unlimited(self) -> bool:
        """Whether rate limits are off. They are in development, where all requests come from one machine."""
        return self.dev_mode and not self.dev_limits

    @property
    def tenant_database_url(self) -> str:
        """The URL of this community's database."""
        return self.database_url or f"sqlite:///{(self.data_directory / 'openmeet.db').absolute()}"

    @property
    def installation_database_url(self) -> str:
        """The URL of the ``network`` database, which all tenants share: sources, cursors, dead letters."""
        return self.network_database_url or f"sqlite:///{(self.data_directory / 'network.db').absolute()}"

    @property
    def matrix_token_file(self) -> Path:
        return self.matrix_as_token or self.data_directory / "matrix.token"

    @property
    def public_host(self) -> str:
        """The host name in lower case, as in ``Host`` headers."""
        return urlsplit(self.public_url).hostname or ""
