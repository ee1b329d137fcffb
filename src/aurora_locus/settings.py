"""The PDS's settings: one frozen value, read once. Names are the reference PDS's where the meaning is the same.

The federation variables are the design's (section 4.10). What contradicts itself, or is dangerous under a public host
name, is refused with a sentence that names the setting.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from groundwork.dangerous_starts import Danger, dangers_of, is_own_machine
from groundwork.mail.address import parse_address
from groundwork.mail.open_ import FOLDER
from groundwork.mail.smtp import parse_smtp_url
from groundwork.settings import Bytes, Seconds, Secret, SettingsRefused, read_settings, setting

PREFIX = "PDS_"

# RFC 2606: mail to it goes nowhere.
NOBODYS_ADDRESS = "no-reply@pds.invalid"

# Everybody can read it in the README; refused under a public host name.
DEFAULT_ADMIN_PASSWORD = "admin-of-a-laptop"  # noqa: S105  # that is the point


def did_web_of(url: str) -> str:
    """The did:web of a server's address."""
    return "did:web:" + urlsplit(url).netloc.replace(":", "%3A")


@dataclass(frozen=True)
class Settings:
    """Made by :func:`read`, or directly by whoever assembles a network in one process."""

    hostname: str = setting("localhost", what="Host name of this server; its did:web is the service DID.")
    port: int = setting(3000, what="Port to listen on; 0 picks a free one.")
    bind_address: str = setting("127.0.0.1", what="Address to listen on.")
    public_url: str = setting("", what="Address under which others reach this server; https outside of dev mode.")
    data_directory: Path = setting(Path("./data/pds"), what="Folder for the SQLite file, blobs and keys.")
    database_url: str = setting("", what="postgresql://… or sqlite:///…; empty: pds.db in the data directory.")
    service_did: str = setting("", what="DID of this server; empty: did:web of the host name.")
    service_handle_domains: tuple[str, ...] = setting(
        (".test",), what="Domains (beginning with a dot) under which people get handles."
    )
    did_plc_url: str = setting("http://127.0.0.1:2582", what="PLC directory.")
    invite_required: bool = setting(default=False, what="Whether creating an account takes an invite code.")
    admin_password: Secret = setting(Secret(DEFAULT_ADMIN_PASSWORD), what="Password of the administration endpoints.")
    jwt_secret: Secret = setting(Secret(""), what="Key of session tokens; empty: made at the first start, kept sealed.")
    plc_rotation_key_k256_private_key_hex: Secret = setting(
        Secret(""), what="The server's PLC rotation key; empty: made at the first start, kept sealed."
    )
    sealing_keys: Secret = setting(
        Secret(""),
        what="Keys (base64url, newest first) that seal secrets at rest; empty: sealing.key in the data directory.",
    )
    dev_mode: bool = setting(
        default=False, what="Development: plain http, .test handles, everything served on loopback."
    )
    blob_upload_limit: Bytes = setting(5 * 1024 * 1024, what="Largest blob.")
    blob_quota: Bytes = setting(5 * 1024 * 1024 * 1024, what="All blobs of one account together.")
    blob_grace: Seconds = setting(6 * 3600.0, what="How long an upload waits for a record; at least an hour.")
    import_limit: Bytes = setting(
        100_000_000, what="Largest repository file that is taken in.", names=("PDS_MAX_REPO_IMPORT_SIZE",)
    )
    accepting_repo_imports: bool = setting(default=True, what="Whether accounts may bring a repository in.")
    firehose_retention: Seconds = setting(3 * 86400.0, what="How long firehose events can be replayed.")
    node_cache: Bytes = setting(32 * 1024 * 1024, what="Memory for tree nodes.")
    firehose_buffer: Bytes = setting(64 * 1024 * 1024, what="Memory for the newest frames of the firehose.")
    firehose_buffer_frames: int = setting(10_000, what="How far, in frames, a live subscriber may fall behind.")
    contact_email_address: str = setting("", what="Address of the operator, shown by describeServer.")
    email_smtp_url: Secret = setting(
        Secret(""), what="Where mail goes: smtp://user:password@host:port; empty: nowhere, in dev mode a folder."
    )
    email_from_address: str = setting("", what="The sender of mail.")
    privacy_policy_url: str = setting("", what="Shown by describeServer.")
    terms_of_service_url: str = setting("", what="Shown by describeServer.")
    trusted_proxy_hops: int = setting(0, what="Reverse proxies in front whose X-Forwarded-For is believed.")
    federation_enabled: bool = setting(default=False, what="Master switch of the four that follow.")
    federation_relay_urls: tuple[str, ...] = setting(
        ("https://bsky.network",), what="Relays that are asked to read this server.", names=("PDS_CRAWLERS",)
    )
    federation_firehose_enabled: bool = setting(default=False, what="Serve subscribeRepos.")
    federation_crawl_enabled: bool = setting(
        default=False, what="Strangers may list the repositories; requestCrawl is sent when an operator asks."
    )
    federation_auto_stream: bool = setting(default=False, what="Send requestCrawl without being asked.")

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
        """The database's URL."""
        return self.database_url or f"sqlite://{(self.data_directory / 'pds.db').absolute()}"

    @property
    def mail_url(self) -> str:
        """Where mail goes; empty: nowhere."""
        given = self.email_smtp_url.reveal()
        return given or (f"{FOLDER}{(self.data_directory / 'mail').absolute()}" if self.dev_mode else "")

    @property
    def mail_from(self) -> str:
        """The sender of mail; in development there is always one."""
        return self.email_from_address or (NOBODYS_ADDRESS if self.dev_mode else "")

    @property
    def serves_firehose(self) -> bool:
        return self.dev_mode or (self.federation_enabled and self.federation_firehose_enabled)

    @property
    def announces_when_asked(self) -> bool:
        """Whether an operator may have the relays asked to read this host."""
        return self.federation_enabled and self.federation_crawl_enabled

    @property
    def announces_itself(self) -> bool:
        """Whether relays are asked without anybody wanting it at that moment."""
        return self.federation_enabled and self.federation_auto_stream

    @property
    def can_be_enumerated(self) -> bool:
        """Whether strangers may list the repositories of this host."""
        return self.dev_mode or (self.federation_enabled and self.federation_crawl_enabled)


_FEDERATION = ("firehose_enabled", "crawl_enabled", "auto_stream")


def read(environment: Mapping[str, str], table: Mapping[str, Any] | None = None) -> Settings:
    """Settings from the environment and their table of the settings file. Raises ``SettingsRefused``."""
    settings = read_settings(Settings, prefix=PREFIX, environment=environment, table=table)
    says_federation = any(name.startswith("PDS_FEDERATION_") for name in environment) or any(
        name.startswith("federation_") for name in table or {}
    )
    if environment.get("PDS_CRAWLERS", "").strip() and not says_federation:
        # An environment written for the reference PDS means what it meant there.
        settings = replace(
            settings,
            federation_enabled=True,
            federation_firehose_enabled=True,
            federation_crawl_enabled=True,
            federation_auto_stream=True,
        )
    return checked(settings)


def checked(settings: Settings) -> Settings:
    """The same settings. Raises ``SettingsRefused`` where they contradict themselves or are dangerous in public."""
    problems = []
    if not settings.federation_enabled:
        problems += [
            f"PDS_FEDERATION_{name.upper()} is on without PDS_FEDERATION_ENABLED; set both or neither."
            for name in _FEDERATION
            if getattr(settings, f"federation_{name}")
        ]
    url = urlsplit(settings.url)
    if settings.public_url and url.hostname != settings.hostname:
        problems.append(f"PDS_PUBLIC_URL is {settings.public_url}, but PDS_HOSTNAME is {settings.hostname}.")
    if url.scheme != "https" and not settings.dev_mode:
        problems.append("PDS_PUBLIC_URL must be https, unless PDS_DEV_MODE is on.")
    problems += [
        f"PDS_SERVICE_HANDLE_DOMAINS has {domain!r}, which does not begin with a dot."
        for domain in settings.service_handle_domains
        if not domain.startswith(".")
    ]
    problems += _mail_problems(settings)
    dangers = {}
    if settings.dev_mode:
        dangers[Danger.DEV_MODE] = "PDS_DEV_MODE"
    if settings.admin_password.reveal() == DEFAULT_ADMIN_PASSWORD:
        dangers[Danger.DEFAULT_PASSWORD] = "PDS_ADMIN_PASSWORD"  # the setting's name
    if is_own_machine(urlsplit(settings.did_plc_url).hostname or ""):
        dangers[Danger.BUILT_IN_DIRECTORY] = "PDS_DID_PLC_URL"
    if url.scheme != "https" and settings.dev_mode:  # without it: a problem everywhere, told above
        dangers[Danger.PLAIN_HTTP] = "PDS_PUBLIC_URL"
    problems += dangers_of([settings.hostname], dangers)
    if problems:
        raise SettingsRefused(problems)
    return settings


def _mail_problems(settings: Settings) -> list[str]:
    problems = []
    if settings.email_smtp_url:
        try:
            parse_smtp_url(settings.email_smtp_url.reveal())
        except ValueError as error:
            problems.append(f"PDS_EMAIL_SMTP_URL: {error}")
        if not settings.mail_from:
            problems.append("PDS_EMAIL_SMTP_URL is set without PDS_EMAIL_FROM_ADDRESS; mail needs a sender.")
    if settings.mail_from:
        try:
            parse_address(settings.mail_from)
        except ValueError as error:
            problems.append(f"PDS_EMAIL_FROM_ADDRESS: {error}")
    return problems
