"""Settings of the PDS: one frozen value, read once. Settings that the reference PDS also has keep their names.

Federation variables are those of the design (section 4.10). ``settings_checks`` reads them and says which contradict
each other.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from groundwork.database.postgres import CONNECTIONS
from groundwork.http.client_addresses import is_private
from groundwork.http.reach import DEVELOPMENT, PUBLIC, AllowedTargets
from groundwork.mail.open_ import FOLDER
from groundwork.settings import Bytes, Seconds, Secret, setting

PREFIX = "PDS_"

# The package with the migrations, and the schema of its tables in a PostgreSQL database.
PACKAGE = "aurora_locus"
SCHEMA = "aurora_locus"

# RFC 2606: e-mail to this domain is never delivered.
NOBODYS_ADDRESS = "no-reply@pds.invalid"

# This password is published in the README, so it is refused with a public host name.
DEFAULT_ADMIN_PASSWORD = "admin-of-a-laptop"  # noqa: S105  # that is the point


def did_web_of(url: str) -> str:
    """Return the did:web of a server's URL."""
    return "did:web:" + urlsplit(url).netloc.replace(":", "%3A")


@dataclass(frozen=True)
class PdsSettings:
    """The settings. Created by ``settings_checks.read_checked``, or directly by tests that run a network in one
    process.
    """

    hostname: str = setting("localhost", doc="Host name of this server. Its did:web is the service DID.")
    port: int = setting(3000, doc="Port to listen on. 0: a free one.")
    bind_address: str = setting("127.0.0.1", doc="Address to listen on.")
    client_connections: int = setting(
        4_000, doc="Maximum number of client connections. Beyond it, idle ones are closed first.", minimum=16
    )
    client_connections_per_address: int = setting(
        0, doc="Maximum number of connections per address. 0: a quarter of all. Trusted proxies are exempt.", minimum=0
    )
    public_url: str = setting("", doc="Public URL of this server. It is https outside of dev mode.")
    data_directory: Path = setting(Path("./data/pds"), doc="Folder for the SQLite file, blobs and keys.")
    database_url: str = setting("", doc="A postgresql://… or sqlite:///… URL. Empty: pds.db in the data directory.")
    database_connections: int = setting(
        CONNECTIONS,
        doc=(
            "Maximum number of PostgreSQL connections per process, and 4 more while other processes write the same "
            "repositories."
        ),
        minimum=1,
    )
    service_did: str = setting("", doc="DID of this server. Empty: did:web of the host name.")
    service_handle_domains: tuple[str, ...] = setting(
        (".test",),
        doc=(
            "Domains (beginning with a dot) for handles. Default in an environment of the reference PDS: a dot and "
            "the host name."
        ),
    )
    reserved_names: tuple[str, ...] = setting(
        (),
        doc="Names that nobody can register as handles, besides the built-in ones (admin, mail, www …).",
    )
    did_plc_url: str = setting("http://127.0.0.1:2582", doc="PLC directory.")
    invite_required: bool | None = setting(
        None, doc="Whether creating an account requires an invite code. Unset: yes, except in dev mode."
    )
    invite_interval: int = setting(
        0, doc="Time, in milliseconds, in which an account earns one invite code. 0: no codes."
    )
    invite_epoch: int = setting(
        0, doc="Time from which codes are earned, in milliseconds since 1970. 0: creation of the account."
    )
    did_web_accounts: bool = setting(
        default=False,
        doc="Whether people may sign up with the did:web of their handle, whose document this server then serves.",
    )
    admin_password: Secret = setting(Secret(DEFAULT_ADMIN_PASSWORD), doc="Password of the administration endpoints.")
    jwt_secret: Secret = setting(
        Secret(""), doc="Key that signs session tokens. Empty: generated at first start, stored encrypted."
    )
    jwt_secret_previous: Secret = setting(
        Secret(""), doc="The previous key. Its tokens stay valid. Remove it 90 days after the change."
    )
    plc_rotation_key_k256_private_key_hex: Secret = setting(
        Secret(""), doc="The server's PLC rotation key. Empty: generated at first start, stored encrypted."
    )
    recovery_did_key: str = setting(
        "",
        doc="did:key of the operator's offline key. New identities list it before the server's rotation key.",
    )
    sealing_keys: Secret = setting(
        Secret(""),
        doc="Keys (base64url, newest first) that encrypt secrets at rest. Empty: sealing.key in the data directory.",
    )
    dev_mode: bool = setting(
        default=False, doc="Development: plain http, .test handles, everything served on loopback."
    )
    blobstore_disk_location: str = setting("", doc="Folder for blobs. Empty: blobs in the data directory.")
    blobstore_disk_tmp_location: str = setting(
        "", doc="Folder for unfinished uploads, on the same disk. Empty: .incoming in the folder for blobs."
    )
    blobstore_s3_bucket: str = setting("", doc="Bucket for blobs on an S3-compatible service. Empty: a folder.")
    blobstore_s3_region: str = setting("", doc="The bucket's region.")
    blobstore_s3_endpoint: str = setting("", doc="URL of the S3 service. Empty: Amazon's for that region.")
    blobstore_s3_access_key_id: str = setting("", doc="Access key id for the bucket. Empty: the machine's own role.")
    blobstore_s3_secret_access_key: Secret = setting(Secret(""), doc="Secret access key for that id.")
    blobstore_s3_force_path_style: bool = setting(
        default=False, doc="Whether the bucket's name is in the path of URLs, not in the host name."
    )
    blobstore_s3_upload_timeout_ms: int = setting(
        20_000, doc="Time limit for sending one blob, in milliseconds.", minimum=1
    )
    backup_url: str = setting("", doc="Place for backups: a folder, or s3://bucket/folder. Empty: no backups.")
    backup_passphrase: Secret = setting(Secret(""), doc="Passphrase that encrypts backups. Keep it off this server.")
    backup_interval: Seconds = setting(86400.0, doc="How often a backup is made.", minimum=60)
    backup_retention: Seconds = setting(30 * 86400.0, doc="How long backups are stored. The newest is never deleted.")
    backup_s3_region: str = setting("", doc="Region of the bucket for backups.")
    backup_s3_endpoint: str = setting("", doc="URL of its S3 service. Empty: Amazon's for that region.")
    backup_s3_access_key_id: str = setting("", doc="Access key id for that bucket. Empty: the machine's own role.")
    backup_s3_secret_access_key: Secret = setting(Secret(""), doc="Secret access key for that id.")
    backup_s3_force_path_style: bool = setting(
        default=False, doc="Whether that bucket's name is in the path of URLs, not in the host name."
    )
    migrate_without_backup: bool = setting(
        default=False,
        doc="Migrate a PostgreSQL database even if PDS_BACKUP_URL is not set. Make a backup by hand first.",
    )
    blob_upload_limit: Bytes = setting(5 * 1024 * 1024, doc="Maximum size of a blob.")
    blob_quota: Bytes = setting(5 * 1024 * 1024 * 1024, doc="Maximum size of all blobs of one account.")
    blob_grace: Seconds = setting(6 * 3600.0, doc="How long an upload waits for a record, at least an hour.")
    import_limit: Bytes = setting(
        100_000_000, doc="Maximum size of a repository file for an import.", older_names=("PDS_MAX_REPO_IMPORT_SIZE",)
    )
    handle_quarantine: Seconds = setting(
        30 * 86400.0, doc="How long a released handle is reserved for its last owner. 0: anyone can take it at once."
    )
    accepting_repo_imports: bool = setting(default=True, doc="Whether accounts can import a repository.")
    disable_ssrf_protection: bool = setting(
        default=False,
        doc="Fetch URLs that others supply even from private networks and over plain http. Only for tests.",
    )
    repo_backfill_limit_ms: int = setting(
        0, doc="How old a firehose cursor can be, in milliseconds. 0: PDS_FIREHOSE_RETENTION."
    )
    firehose_retention: Seconds = setting(3 * 86400.0, doc="How long firehose events can be replayed.")
    oauth_trusted_clients: tuple[str, ...] = setting(
        (), doc="Apps (client_id) whose name and logo are shown when they ask for access. Others are shown by URL."
    )
    node_cache: Bytes = setting(32 * 1024 * 1024, doc="Memory for tree nodes.")
    record_cache: Bytes = setting(8 * 1024 * 1024, doc="Memory for records encoded as JSON.")
    firehose_buffer: Bytes = setting(64 * 1024 * 1024, doc="Memory for the newest frames of the firehose.")
    firehose_buffer_frames: int = setting(10_000, doc="How far, in frames, a live subscriber may fall behind.")
    contact_email_address: str = setting("", doc="Address of the operator, shown at /, sign-in and describeServer.")
    email_smtp_url: Secret = setting(
        Secret(""), doc="Mail server: smtp://user:password@host:port. Empty: none, or a folder in dev mode."
    )
    email_from_address: str = setting("", doc="Sender address of e-mails.")
    privacy_policy_url: str = setting("", doc="Privacy policy, linked from pages and in describeServer.")
    terms_of_service_url: str = setting("", doc="Terms of service, linked from pages and in describeServer.")
    service_name: str = setting("", doc="Name of this server on its pages. Empty: its host name.")
    home_url: str = setting("", doc="Link of the name at the top of pages. Empty: the front page.")
    support_url: str = setting("", doc="Where people find help. Linked at the foot of pages.")
    logo_url: str = setting("", doc="https URL of the picture next to the name.")
    primary_color: str = setting("", doc="Colour of buttons and links, as #rrggbb. It is adjusted to be readable.")
    trusted_proxy_hops: int = setting(0, doc="Number of reverse proxies whose X-Forwarded-For is trusted.")
    trusted_private_proxies: bool = setting(
        default=False,
        doc=(
            "If PDS_TRUSTED_PROXY_HOPS is not set, trust X-Forwarded-For from private networks. Default in an "
            "environment of the reference PDS: yes."
        ),
    )
    enable_did_doc_with_session: bool = setting(
        default=False, doc="Add the DID document to responses of createSession, refreshSession and getSession."
    )
    lexicon_resolution_enabled: bool = setting(
        default=False, doc="Resolve Lexicons of unknown record types when one is written, for at most a second."
    )
    rate_limits_enabled: bool | None = setting(
        default=None,
        doc="Whether requests are rate-limited. Unset: yes, with limits 1,000 times higher in dev mode. "
        "Wrong passwords are always counted.",
    )
    rate_limit_bypass_key: Secret = setting(
        Secret(""),
        doc="Requests with this key in x-ratelimit-bypass are not limited, except where a password is checked. A caller "
        "that signs x-client-address with the key can give the address of the visitor for whom it calls.",
    )
    rate_limit_bypass_ips: tuple[str, ...] = setting(
        (), doc="Addresses and networks whose requests are not limited, except where a password is checked."
    )
    redis_scratch_address: str = setting(
        "",
        doc="host:port of a Redis in which processes share rate limits, used DPoP proofs and used service tokens. Empty: "
        "each has its own.",
    )
    redis_scratch_password: Secret = setting(Secret(""), doc="Password of that Redis.")
    bsky_app_view_url: str = setting("", doc="App view for app.bsky methods. Empty: the one that a caller names.")
    bsky_app_view_did: str = setting("", doc="DID of the app view.")
    bsky_app_view_cdn_url_pattern: str = setting(
        "", doc="The app view's image URLs, with %s for size, DID and CID. Empty: URLs of blobs on this server."
    )
    mod_service_url: str = setting("", doc="Moderation service for tools.ozone methods.")
    mod_service_did: str = setting("", doc="DID of the moderation service.")
    report_service_url: str = setting("", doc="Service that receives reports. Empty: the moderation service.")
    report_service_did: str = setting("", doc="DID of the service for reports.")
    proxy_full_audiences: tuple[str, ...] = setting(
        (),
        doc="Services (#name or did#name) whose tokens have the audience did#name. For others it is only the DID.",
    )
    federation_enabled: bool = setting(default=False, doc="Master switch for the next four settings.")
    federation_relay_urls: tuple[str, ...] = setting(
        ("https://bsky.network",), doc="Relays that are asked to crawl this server.", older_names=("PDS_CRAWLERS",)
    )
    federation_firehose_enabled: bool = setting(default=False, doc="Serve subscribeRepos.")
    federation_crawl_enabled: bool = setting(
        default=False, doc="Lets anybody list the repositories, and operators send requestCrawl."
    )
    federation_auto_stream: bool = setting(default=False, doc="Send requestCrawl automatically.")

    @property
    def url(self) -> str:
        """The public address, without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        return f"http://{self.hostname}:{self.port}" if self.dev_mode else f"https://{self.hostname}"

    @property
    def did(self) -> str:
        """The service DID."""
        return self.service_did or did_web_of(self.url)

    @property
    def database(self) -> str:
        """The URL of the database."""
        return self.database_url or f"sqlite://{(self.data_directory / 'pds.db').absolute()}"

    @property
    def mail_url(self) -> str:
        """The SMTP URL; empty if no e-mail is sent."""
        configured = self.email_smtp_url.reveal()
        return configured or (f"{FOLDER}{(self.data_directory / 'mail').absolute()}" if self.dev_mode else "")

    @property
    def mail_from(self) -> str:
        """The sender of e-mails. In development there is always one."""
        return self.email_from_address or (NOBODYS_ADDRESS if self.dev_mode else "")

    def is_proxy(self, address: str) -> bool:
        """Whether the peer is a proxy: any peer if proxy hops are configured, otherwise a trusted private address."""
        return self.trusted_proxy_hops > 0 or (self.trusted_private_proxies and is_private(address))

    @property
    def shares_private_addresses(self) -> bool:
        """Whether a private address may be that of an unknown proxy, and so be shared by many clients."""
        return self.trusted_proxy_hops == 0

    @property
    def client_address_rule(self) -> str:
        """How client addresses are determined behind a proxy, as a sentence for operators."""
        if self.trusted_proxy_hops:
            hops = self.trusted_proxy_hops
            trusted = "its last entry is" if hops == 1 else f"its last {hops} entries are"
            return f"Clients are identified by X-Forwarded-For; {trusted} trusted."
        if self.trusted_private_proxies:
            return "Clients are identified by X-Forwarded-For from proxies in private networks."
        return "Clients are identified by the address that connects. If that is a proxy, set PDS_TRUSTED_PROXY_HOPS."

    @property
    def counts_requests(self) -> bool:
        """Whether requests are counted and rate-limited."""
        return self.rate_limits_enabled is not False

    @property
    def has_wide_limits(self) -> bool:
        """Whether the limits only stop runaway programs: in development, unless the operator sets normal limits."""
        return self.dev_mode and self.rate_limits_enabled is None

    @property
    def needs_invite(self) -> bool:
        """Whether sign-up requires an invite: on a public server, unless the operator decided otherwise."""
        return not self.dev_mode if self.invite_required is None else self.invite_required

    @property
    def confirms_email(self) -> bool:
        """Whether an account without an invite must confirm its e-mail address before it becomes public."""
        return not self.dev_mode

    @property
    def replay_seconds(self) -> float:
        """How long firehose events can be replayed, in seconds."""
        return self.repo_backfill_limit_ms / 1000 or self.firehose_retention

    @property
    def reach(self) -> AllowedTargets:
        """Which addresses this server may call when a client or a remote document supplies them."""
        return DEVELOPMENT if self.dev_mode or self.disable_ssrf_protection else PUBLIC

    @property
    def scratch_url(self) -> str:
        """The URL of a cache shared by several processes, whose content can be lost at any time. Can be empty."""
        password = quote(self.redis_scratch_password.reveal(), safe="")
        credentials = f":{password}@" if password else ""
        return f"redis://{credentials}{self.redis_scratch_address}" if self.redis_scratch_address else ""

    @property
    def serves_firehose(self) -> bool:
        return self.dev_mode or (self.federation_enabled and self.federation_firehose_enabled)

    @property
    def announces_when_asked(self) -> bool:
        """Whether an operator may request a crawl from the relays."""
        return self.federation_enabled and self.federation_crawl_enabled

    @property
    def announces_itself(self) -> bool:
        """Whether crawls are requested automatically."""
        return self.federation_enabled and self.federation_auto_stream

    @property
    def can_be_enumerated(self) -> bool:
        """Whether anybody may list the repositories of this host."""
        return self.dev_mode or (self.federation_enabled and self.federation_crawl_enabled)
