"""Every operator setting of the events platform, read once at start (``OPENMEET_…``).

Every default suits a laptop. ``dangers`` lists the settings that are dangerous with a public host name, which
``groundwork.startup_checks`` refuses. ``contradictions`` lists the settings that contradict each other.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from at_protocol.failures import Malformed
from at_protocol.lexicon.authority import OWN_AUTHORITY
from at_protocol.syntax.did import parse_did, supported_method
from groundwork.blobstore.open_ import named_in
from groundwork.database.postgres import CONNECTIONS
from groundwork.geo_points import near_in
from groundwork.http.connection_limit import LEAST_CONNECTIONS
from groundwork.settings import Bytes, Seconds, Secret, setting, too_small
from groundwork.startup_checks import Danger, is_own_machine
from groundwork.workers.limits import JobLimits
from groundwork.workers.pool import PoolLimits

PREFIX = "OPENMEET_"
# How much of an upload the pages read.
_LARGEST_PICTURE = 12_000_000
_LEAST_WORKER_MEMORY = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one installation and of its default community. ``tenants.configured`` has those of the other
    communities.
    """

    site_name: str = setting("OpenMeet", what="The name at the top of every page and in mail")
    language: str = setting(
        "en",
        what="The language of pages and e-mails for people who chose none and whose browser asks for none that the site has",
    )
    public_url: str = setting("http://127.0.0.1:8080", what="The address under which people reach the site")
    host: str = setting("127.0.0.1", what="The address to listen on")
    port: int = setting(8080, what="The port to listen on; 0 picks a free one")
    operations_port: int = setting(0, what="The port on which a worker answers /health and /metrics; 0: none")
    trusted_proxy_hops: int = setting(0, what="How many proxies of yours stand in front")
    proxies_name_tenant: bool = setting(
        default=False,
        what="Believes the header x-tenant-id: those proxies name the community that is asked, and let nobody else’s through",
    )
    moderators: tuple[str, ...] = setting(
        (), what="E-mail addresses or DIDs of moderators, in addition to those named by openmeet moderation name"
    )
    time_zone: str = setting("UTC", what="The zone of people who have not chosen one, as an IANA name")

    data_directory: Path = setting(Path("var/openmeet"), what="Where files are kept: databases, keys, mail")
    places_file: Path | None = setting(
        None, what="The list of towns, built when it is first needed; empty: a file of 20 MB below the data directory"
    )
    map_tiles: Path | None = setting(
        None,
        what="A folder of map tiles, as zoom/x/y.png (or jpg, webp), which add streets to the map; empty: the map shows only towns",
    )
    map_credit: str = setting(
        "", what="The attribution shown below maps with these tiles, such as © OpenStreetMap contributors"
    )
    geocoder: Literal["", "photon", "nominatim"] = setting(
        "",
        what="The kind of geocoder that looks up streets and venues; empty: none, so searches are never sent to another server",
    )
    geocoder_url: str = setting("", what="The URL of the geocoder; http and other ports only in your own network")
    geocoder_credit: str = setting(
        "© OpenStreetMap contributors", what="The attribution to show with the geocoder’s results"
    )
    geocoder_while_typing: bool = setting(default=False, what="Queries it while people type; public ones forbid that")
    database_url: str = setting("", what="The database of the site; empty: SQLite below the data directory")
    database_schema: str = setting("", what="The PostgreSQL schema of the site; empty: public")
    network_database_url: str = setting(
        "", what="The installation-wide network database; empty: SQLite below the data directory"
    )
    network_database_schema: str = setting("", what="The PostgreSQL schema of the network database; empty: public")
    database_connections: int = setting(
        CONNECTIONS,
        what="How many connections a process keeps at most to one PostgreSQL database; each community is one, the network another",
        least=1,
    )
    broker_url: str = setting("embedded:", what="The broker between consumer and processor: embedded: or amqp://…")
    broker_name: str = setting("openmeet", what="What exchange and queues are called there; one per installation")
    cache_url: str = setting(
        "embedded:", what="The cache that processes share: embedded: (each its own) or redis://host:port/number"
    )

    blobs: str = setting(
        "",
        what="Where pictures are kept: s3://bucket or s3://bucket/folder; empty: a folder media below the data directory",
    )
    blobs_region: str = setting("", what="The region of that bucket")
    blobs_endpoint: str = setting(
        "", what="The address of the service, without the bucket; empty: Amazon’s of that region"
    )
    blobs_access_key_id: str = setting(
        "", what="The key for it; empty: the machine’s own (AWS_…, the role of an instance)"
    )
    blobs_secret_access_key: Secret = setting(Secret(""), what="The secret of that key")
    blobs_force_path_style: bool = setting(
        default=False,
        what="Names the bucket in the path of addresses, not in the host, as services of one’s own often want",
    )

    sealing_keys: Secret = setting(
        Secret(""), what="base64url keys of 32 bytes, newest first; empty: made at the first start and kept in a file"
    )
    operators: tuple[str, ...] = setting(
        (), what="Who sees /operating: e-mail addresses or DIDs of people with an account on the site"
    )
    run_by: str = setting("", what="Who runs the site, as its pages about it and its privacy say: name and address")
    contact: str = setting("", what="The e-mail address on its help pages, where people ask its operators")
    texts_directory: Path | None = setting(
        None,
        what="A folder with about.md, terms.md, privacy.md and accessibility.md, or terms.de.md in one language; empty: general texts",
    )
    metrics_token: Secret = setting(Secret(""), what="Lets public addresses read /metrics as a bearer token")

    api_requests_per_minute: int = setting(
        600,
        what="How often one token or session may ask the JSON API in a minute, one address four times that; 0: no limit",
    )

    client_connections: int = setting(
        4_000,
        what="How many connections clients of one process may have open, where the system allows so many files; further ones take the"
        " place of clients that keep it waiting longest",
        least=LEAST_CONNECTIONS,
    )
    client_connections_per_address: int = setting(
        0,
        what="How many of these one address (of IPv6 one /64) may have open; 0: a quarter; not counted behind proxies of yours",
        least=0,
    )
    live_streams: int = setting(
        2_000,
        what="How many live streams of chats, and of other pages, one process keeps open; further pages are asked to come back later",
        least=0,
    )

    pages_per_minute: int = setting(
        1800,
        what="How many pages and feeds one address (of IPv6 one /64) may ask for in a minute, and twenty times as many pictures; 0:"
        " no limit",
    )

    addresses_kept_days: int = setting(
        90,
        what="For how many days after the last event they answered, or after their invitation ended, addresses of people without"
        " an account are kept; 0: for ever",
    )
    deleted_kept_days: int = setting(
        30,
        what="For how many days texts, places, links and pictures of deleted events, series and groups are kept, texts of withdrawn"
        " answers, and dead letters; 0: for ever",
    )
    answers_kept_days: int = setting(
        90,
        what="For how many days after an event names of guests, answers to questions and imported lists of people are kept; 0: for"
        " ever",
    )
    chat_kept_days: int = setting(
        0,
        what="For how many days messages in chats are kept at most; hosts can choose less for a chat; 0: for ever",
    )
    chat_messages_per_hour: int = setting(
        300, what="How many messages one person may write in chats in an hour", least=1
    )
    chat_picture_bytes: Bytes = setting(
        _LARGEST_PICTURE, what="The largest picture that a message in a chat can show, at most 12 MB"
    )

    erasure_grace: Seconds = setting(
        14 * 86400.0,
        what="How long somebody who deletes their account can change their mind: signing in keeps it",
    )
    erasure_ledger: Path | None = setting(
        None,
        what="The file that lists deleted accounts, and requests for it, by numbers without names: every role reads it at its start,"
        " so that a restored backup brings nobody back. Keep it outside of everything that is backed up and restored together with the database; default:"
        " `erasures.jsonl` in the data directory, which is right only if that directory is never restored",
    )

    worker_processes: int = setting(
        2, what="How many processes read files, pages and pictures that people send; they start with the first one"
    )
    worker_queue: int = setting(
        24, what="How many files may wait for a worker; further requests get 503 with Retry-After"
    )
    worker_cpu_seconds: Seconds = setting(20.0, what="How much processor time reading one file may take")
    worker_wall_seconds: Seconds = setting(60.0, what="How long reading one file may take")
    worker_memory: Bytes = setting(1024**3, what="How much memory reading one file may take; macOS does not enforce it")
    worker_seconds_per_person: Seconds = setting(
        120.0,
        what="How much processor time reading what one person sends may take within ten minutes; four times that for one address",
    )

    network_shown: Literal["nothing", "familiar", "everything"] = setting(
        "familiar",
        what="What of the network stands on the front page, in its feed, the sitemap and news: nothing, familiar (by people who"
        " signed in here or are followed by a group) or everything; searches show everything anyway",
    )

    network_near: str = setting(
        "",
        what="A point and a distance, like 48.21, 16.37, 50: what takes place within so many kilometres stands there, too",
    )

    dev_mode: bool = setting(default=False, what="Loosens what gets in the way on a laptop")
    dev_limits: bool = setting(default=False, what="Counts what addresses and tokens ask for in development mode, too")
    dev_mailbox: bool = setting(
        default=False, what="Keeps mail in a folder and shows it at /dev/mail, to this machine only"
    )
    mail_url: Secret = setting(Secret(""), what="Where mail goes: smtp://user:password@host:port")
    mail_from: str = setting("OpenMeet <no-reply@openmeet.invalid>", what="The sender of mail")
    mail_reply_to: str = setting("", what="The address that answers to mail go to; empty: the sender’s")

    pds_url: str = setting("http://localhost:3000", what="The PDS on which people get a repository after they said yes")
    pds_admin_password: Secret = setting(Secret(""), what="The password that makes invites on that PDS")
    pds_rate_limit_bypass_key: Secret = setting(
        Secret(""), what="Its PDS_RATE_LIMIT_BYPASS_KEY: many people write through one address here"
    )
    pds_handle_domain: str = setting(
        "", what="The domain of handles made there, like .town.example; empty: what the PDS offers first"
    )
    plc_url: str = setting("http://127.0.0.1:2582", what="The PLC directory that answers for did:plc")
    second_plc_url: str = setting(
        "",
        what="A second PLC directory, asked about a did:plc that the first does not know; for development networks that listen"
        " to others",
    )
    firehose_urls: tuple[str, ...] = setting(
        (),
        what="WebSocket addresses of PDSes to listen to, each believed about its own accounts only;"
        " one that is reached elsewhere than its accounts say as ws://inner=https://public",
    )
    relay_urls: tuple[str, ...] = setting((), what="WebSocket addresses of relays to listen to, for any account")
    relays_from_the_start: bool = setting(
        default=False, what="Reads a relay met for the first time from the beginning of its memory, not from now on"
    )
    relay_checks: Literal["full", "light"] = setting(
        "full",
        what="What is checked of a relay’s commits: full, or light: signatures, but not that nothing was left out",
    )
    jetstream_urls: tuple[str, ...] = setting(
        (),
        what="WebSocket addresses of Jetstream servers to listen to; what they say is unsigned, and gives way to proofs",
    )
    call_hosts: tuple[str, ...] = setting(
        (),
        what="Host names of video calls of your own (Jitsi, BigBlueButton, Nextcloud Talk …): in calendar files that people import,"
        " links to them are links to join, shown to who goes",
    )
    labellers: tuple[str, ...] = setting(
        (),
        what="DIDs of labellers: what they label !hide, !takedown or spam is shown to nobody until a moderator says otherwise",
    )
    lexicon_authority: str = setting(
        OWN_AUTHORITY,
        what="The name, like org.example.events, under which `openmeet lexicon publish` publishes our Lexicons",
    )
    accept_bare_audience: bool = setting(
        default=True,
        what="Takes service tokens made out to the site’s DID alone, as older PDSes write them, not only to did#openmeet",
    )
    matrix_url: str = setting(
        "", what="The Matrix homeserver that chat rooms can be mirrored to, as we reach it; empty: no Matrix bridge"
    )
    matrix_server_name: str = setting(
        "", what="Its server_name: what follows the colon in names of its users, like example.org"
    )
    matrix_as_token: Path | None = setting(
        None,
        what="The file with the bridge’s token, which `openmeet matrix registration` writes; default: `matrix.token` in the data"
        " directory",
    )
    matrix_federate: bool = setting(
        default=False,
        what="Lets people of other homeservers into mirrored rooms; holds for rooms made from then on",
    )
    jetstream_dictionary: Path | None = setting(
        None, what="The zstd dictionary of those servers; none: their streams are deflated"
    )
    allow_private_addresses: bool = setting(
        default=False, what="Lets calls to strangers’ addresses reach the private network, for development networks"
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


def contradictions(settings: Settings, *, sends_mail: bool = True) -> list[str]:
    """Contradictory settings, one sentence each. ``sends_mail``: false for commands that send no mail."""
    found = []
    for name, value in (
        ("PUBLIC_URL", settings.public_url),
        ("PDS_URL", settings.pds_url),
        ("PLC_URL", settings.plc_url),
        *([("SECOND_PLC_URL", settings.second_plc_url)] if settings.second_plc_url else []),
    ):
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query or parts.fragment:
            found.append(f"{PREFIX}{name} must be http(s)://host[:port] without a path or a slash at the end.")
    if settings.map_tiles is not None and not settings.map_credit:
        found.append(f"{PREFIX}MAP_TILES needs {PREFIX}MAP_CREDIT: who made the map, as its licence wants it.")
    found += _geocoder(settings)
    found += [
        f"{PREFIX}{name} must be ws(s)://host[:port] without a path: {url} is not."
        for name, urls in (
            ("FIREHOSE_URLS", settings.firehose_urls),
            ("RELAY_URLS", settings.relay_urls),
            ("JETSTREAM_URLS", settings.jetstream_urls),
        )
        for url in urls
        if not _is_stream(url, may_be_behind_a_proxy=name == "FIREHOSE_URLS")
    ]
    found += [
        f"{PREFIX}LABELLERS must be DIDs of labellers, like did:plc:ar7c4by46qjdydhdevvrndac: {one} is not."
        for one in settings.labellers
        if not _is_did(one)
    ]
    both = sorted({url.partition("=")[0] for url in settings.firehose_urls} & set(settings.relay_urls))
    if both:
        found.append(f"{PREFIX}FIREHOSE_URLS and {PREFIX}RELAY_URLS both name {both[0]}: it is a PDS or a relay.")
    if settings.time_zone not in available_timezones():
        found.append(f"{PREFIX}TIME_ZONE must be an IANA time zone such as Europe/Berlin.")
    found += _near(settings)
    found += _matrix(settings)
    if settings.mail_url and settings.dev_mailbox:
        found.append(f"{PREFIX}MAIL_URL and {PREFIX}DEV_MAILBOX are both set: mail is either sent or shown here.")
    if sends_mail and not settings.mail_url and not settings.dev_mailbox:
        found.append(f"{PREFIX}MAIL_URL is not set: nobody could get a sign-in code. Set it, or {PREFIX}DEV_MAILBOX.")
    found += _blobs(settings)
    if not 0 <= settings.port <= 65_535:
        found.append(f"{PREFIX}PORT must be between 0 and 65535.")
    found += too_small(settings, PREFIX)
    found += [
        f"{PREFIX}{name.upper()} must be more than 0."
        for name in (
            "worker_processes",
            "worker_queue",
            "worker_cpu_seconds",
            "worker_wall_seconds",
            "worker_seconds_per_person",
        )
        if getattr(settings, name) <= 0
    ]
    if settings.worker_memory < _LEAST_WORKER_MEMORY:
        found.append(
            f"{PREFIX}WORKER_MEMORY must be at least 256MiB: that is what the readers themselves and a picture take."
        )
    found += [
        f"{PREFIX}{name.upper()} cannot be negative."
        for name in ("addresses_kept_days", "deleted_kept_days", "answers_kept_days", "chat_kept_days")
        if getattr(settings, name) < 0
    ]
    if not 0 < settings.chat_picture_bytes <= _LARGEST_PICTURE:
        found.append(f"{PREFIX}CHAT_PICTURE_BYTES must be more than 0 and at most {_LARGEST_PICTURE}.")
    if settings.trusted_proxy_hops < 0:
        found.append(f"{PREFIX}TRUSTED_PROXY_HOPS cannot be negative.")
    if settings.proxies_name_tenant and not settings.trusted_proxy_hops:
        found.append(
            f"{PREFIX}PROXIES_NAME_TENANT is set and {PREFIX}TRUSTED_PROXY_HOPS is 0: anybody could name a community."
        )
    return found


def _blobs(settings: Settings) -> list[str]:
    if not settings.blobs:
        return []
    found = []
    try:
        named_in(settings.blobs)
    except ValueError as wrong:
        found.append(f"{PREFIX}BLOBS {wrong}.")
    if settings.blobs_endpoint and not _is_origin(settings.blobs_endpoint, {"http", "https"}):
        found.append(f"{PREFIX}BLOBS_ENDPOINT must be http(s)://host[:port] without a path.")
    if bool(settings.blobs_access_key_id) != bool(settings.blobs_secret_access_key):
        found.append(
            f"{PREFIX}BLOBS_ACCESS_KEY_ID and {PREFIX}BLOBS_SECRET_ACCESS_KEY belong together: set both or none."
        )
    return found


def _is_did(text: str) -> bool:
    try:
        supported_method(parse_did(text))
    except Malformed:
        return False
    return True


def _geocoder(settings: Settings) -> list[str]:
    if not settings.geocoder and not settings.geocoder_url:
        return []
    is_nominatim = settings.geocoder == "nominatim"
    wrong = {
        f"_URL needs {PREFIX}GEOCODER, photon or nominatim": not settings.geocoder,
        "_URL must be http(s)://host[:port] without a path": not _is_origin(settings.geocoder_url, {"http", "https"}),
        "_CREDIT is needed: who made the data, as its licence wants it": not settings.geocoder_credit,
        "_WHILE_TYPING is for Photon: Nominatim forbids it": is_nominatim and settings.geocoder_while_typing,
        f" needs {PREFIX}CONTACT: Nominatim’s operators want to know it": is_nominatim and not settings.contact,
    }
    return [f"{PREFIX}GEOCODER{sentence}." for sentence, is_so in wrong.items() if is_so]


def _matrix(settings: Settings) -> list[str]:
    if not settings.matrix_url and not settings.matrix_server_name:
        return []
    if not settings.matrix_url or not settings.matrix_server_name:
        return [f"{PREFIX}MATRIX_URL and {PREFIX}MATRIX_SERVER_NAME belong together: set both or neither."]
    found = []
    if not _is_origin(settings.matrix_url, {"http", "https"}):
        found.append(f"{PREFIX}MATRIX_URL must be http(s)://host[:port] without a path.")
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,200}(:[0-9]{1,5})?", settings.matrix_server_name):
        found.append(f"{PREFIX}MATRIX_SERVER_NAME must be the name of a server, like example.org.")
    return found


def _near(settings: Settings) -> list[str]:
    try:
        near = near_in(settings.network_near)
    except ValueError:
        return [f"{PREFIX}NETWORK_NEAR must be latitude, longitude and kilometres, like 48.21, 16.37, 50."]
    if near is not None and settings.network_shown != "familiar":
        return [f"{PREFIX}NETWORK_NEAR adds to what is familiar: {PREFIX}NETWORK_SHOWN is {settings.network_shown}."]
    return []


def _is_stream(text: str, *, may_be_behind_a_proxy: bool) -> bool:
    url, mark, public = text.partition("=")
    if mark and not (may_be_behind_a_proxy and _is_origin(public, {"http", "https"})):
        return False
    return _is_origin(url, {"ws", "wss", "http", "https"})


def _is_origin(url: str, schemes: set[str]) -> bool:
    parts = urlsplit(url)
    return parts.scheme in schemes and bool(parts.hostname) and not (parts.path.strip("/") or parts.query or "@" in url)


def dangers(settings: Settings) -> dict[Danger, str]:
    """Dangerous options that are on, each with the setting that causes it."""
    found = {}
    if settings.dev_mode:
        found[Danger.DEV_MODE] = f"{PREFIX}DEV_MODE"
    if settings.dev_mailbox:
        found[Danger.DEVELOPMENT_MAILBOX] = f"{PREFIX}DEV_MAILBOX"
    if settings.allow_private_addresses:
        found[Danger.NO_SSRF_PROTECTION] = f"{PREFIX}ALLOW_PRIVATE_ADDRESSES"
    if is_own_machine(urlsplit(settings.plc_url).hostname or ""):
        found[Danger.BUILT_IN_DIRECTORY] = f"{PREFIX}PLC_URL"
    if not settings.is_https:
        found[Danger.PLAIN_HTTP] = f"{PREFIX}PUBLIC_URL"
    return found
