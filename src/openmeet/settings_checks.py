"""Checks of all settings together: contradictions, and dangerous values with a public host name."""

import re
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from at_protocol.failures import Malformed
from at_protocol.syntax.did import parse_did, supported_method
from groundwork.blobstore.open_ import named_in
from groundwork.geo_points import parse_near
from groundwork.settings import is_readable_url, too_small
from groundwork.startup_checks import UnsafeOption, is_own_machine
from groundwork.ui.colours import colour_problems
from openmeet.settings import LARGEST_CHAT_PICTURE, PREFIX, Settings

_LEAST_WORKER_MEMORY: Final = 256 * 1024**2


def contradictions(settings: Settings, *, sends_mail: bool = True) -> list[str]:
    """Contradictory settings, one sentence each. ``sends_mail``: false for commands that send no mail."""
    sentences = _server_url_contradictions(settings)
    if settings.map_tiles is not None and not settings.map_credit:
        sentences.append(
            f"{PREFIX}MAP_TILES needs {PREFIX}MAP_CREDIT: name the source of the map, as its licence requires."
        )
    sentences += _geocoder_contradictions(settings)
    sentences += _source_contradictions(settings)
    if settings.time_zone not in available_timezones():
        sentences.append(f"{PREFIX}TIME_ZONE must be an IANA time zone such as Europe/Berlin.")
    sentences += _near_contradictions(settings)
    sentences += _matrix_contradictions(settings)
    sentences += _mail_contradictions(settings, sends_mail=sends_mail)
    sentences += _blob_contradictions(settings)
    if not 0 <= settings.port <= 65_535:
        sentences.append(f"{PREFIX}PORT must be between 0 and 65535.")
    sentences += too_small(settings, PREFIX)
    sentences += _worker_contradictions(settings)
    sentences += [
        f"{PREFIX}{name.upper()} cannot be negative."
        for name in ("addresses_kept_days", "deleted_kept_days", "answers_kept_days", "chat_kept_days")
        if getattr(settings, name) < 0
    ]
    if not 0 < settings.chat_picture_bytes <= LARGEST_CHAT_PICTURE:
        sentences.append(f"{PREFIX}CHAT_PICTURE_BYTES must be more than 0 and at most {LARGEST_CHAT_PICTURE}.")
    sentences += colour_problems(f"{PREFIX}ACCENT_COLOR", settings.accent_color)
    sentences += _proxy_contradictions(settings)
    return sentences


def _server_url_contradictions(settings: Settings) -> list[str]:
    sentences = []
    for name, value in (
        ("PUBLIC_URL", settings.public_url),
        ("PDS_URL", settings.pds_url),
        ("PLC_URL", settings.plc_url),
        *([("SECOND_PLC_URL", settings.second_plc_url)] if settings.second_plc_url else []),
    ):
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query or parts.fragment:
            sentences.append(f"{PREFIX}{name} must be http(s)://host[:port] without a path or a slash at the end.")
    return sentences


def _source_contradictions(settings: Settings) -> list[str]:
    sentences = [
        f"{PREFIX}{name} must be ws(s)://host[:port] without a path: {url} is not."
        for name, urls in (
            ("FIREHOSE_URLS", settings.firehose_urls),
            ("RELAY_URLS", settings.relay_urls),
            ("JETSTREAM_URLS", settings.jetstream_urls),
        )
        for url in urls
        if not _is_stream(url, may_be_behind_a_proxy=name == "FIREHOSE_URLS")
    ]
    sentences += [
        f"{PREFIX}LABELERS must be DIDs of labelers, like did:plc:ar7c4by46qjdydhdevvrndac: {one} is not."
        for one in settings.labelers
        if not _is_did(one)
    ]
    both = sorted({url.partition("=")[0] for url in settings.firehose_urls} & set(settings.relay_urls))
    if both:
        sentences.append(f"{PREFIX}FIREHOSE_URLS and {PREFIX}RELAY_URLS both name {both[0]}: it is a PDS or a relay.")
    return sentences


def _mail_contradictions(settings: Settings, *, sends_mail: bool) -> list[str]:
    sentences = []
    if settings.mail_url and settings.dev_mailbox:
        sentences.append(f"{PREFIX}MAIL_URL and {PREFIX}DEV_MAILBOX are both set: mail is either sent or shown here.")
    if sends_mail and not settings.mail_url and not settings.dev_mailbox:
        sentences.append(
            f"{PREFIX}MAIL_URL is not set: nobody could get a sign-in code. Set it, or {PREFIX}DEV_MAILBOX."
        )
    return sentences


def _worker_contradictions(settings: Settings) -> list[str]:
    sentences = [
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
        sentences.append(
            f"{PREFIX}WORKER_MEMORY must be at least 256MiB: that is what the readers themselves and a picture take."
        )
    return sentences


def _proxy_contradictions(settings: Settings) -> list[str]:
    sentences = []
    if settings.trusted_proxy_hops < 0:
        sentences.append(f"{PREFIX}TRUSTED_PROXY_HOPS cannot be negative.")
    if settings.proxies_name_tenant and not settings.trusted_proxy_hops:
        sentences.append(
            f"{PREFIX}PROXIES_NAME_TENANT is set and {PREFIX}TRUSTED_PROXY_HOPS is 0: anybody could name a community."
        )
    return sentences


def _blob_contradictions(settings: Settings) -> list[str]:
    if not settings.blobs:
        return []
    sentences = []
    try:
        named_in(settings.blobs)
    except ValueError as wrong:
        sentences.append(f"{PREFIX}BLOBS {wrong}.")
    if settings.blobs_endpoint and not _is_origin(settings.blobs_endpoint, {"http", "https"}):
        sentences.append(f"{PREFIX}BLOBS_ENDPOINT must be http(s)://host[:port] without a path.")
    if bool(settings.blobs_access_key_id) != bool(settings.blobs_secret_access_key):
        sentences.append(
            f"{PREFIX}BLOBS_ACCESS_KEY_ID and {PREFIX}BLOBS_SECRET_ACCESS_KEY belong together: set both or none."
        )
    return sentences


def _is_did(text: str) -> bool:
    try:
        supported_method(parse_did(text))
    except Malformed:
        return False
    return True


def _geocoder_contradictions(settings: Settings) -> list[str]:
    if not settings.geocoder and not settings.geocoder_url:
        return []
    is_nominatim = settings.geocoder == "nominatim"
    wrong = {
        f"_URL needs {PREFIX}GEOCODER, photon or nominatim": not settings.geocoder,
        "_URL must be http(s)://host[:port] without a path": not _is_origin(settings.geocoder_url, {"http", "https"}),
        "_CREDIT is needed: name the source of the data, as its licence requires": not settings.geocoder_credit,
        "_WHILE_TYPING works with Photon only: Nominatim forbids searches while people type": is_nominatim
        and settings.geocoder_while_typing,
        f" needs {PREFIX}CONTACT: Nominatim requires a contact address": is_nominatim and not settings.contact,
    }
    return [f"{PREFIX}GEOCODER{sentence}." for sentence, is_so in wrong.items() if is_so]


def _matrix_contradictions(settings: Settings) -> list[str]:
    if not settings.matrix_url and not settings.matrix_server_name:
        return []
    if not settings.matrix_url or not settings.matrix_server_name:
        return [f"{PREFIX}MATRIX_URL and {PREFIX}MATRIX_SERVER_NAME belong together: set both or neither."]
    sentences = []
    if not _is_origin(settings.matrix_url, {"http", "https"}):
        sentences.append(f"{PREFIX}MATRIX_URL must be http(s)://host[:port] without a path.")
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,200}(:[0-9]{1,5})?", settings.matrix_server_name):
        sentences.append(f"{PREFIX}MATRIX_SERVER_NAME must be the name of a server, like example.org.")
    return sentences


def _near_contradictions(settings: Settings) -> list[str]:
    try:
        near = parse_near(settings.network_near)
    except ValueError:
        return [f"{PREFIX}NETWORK_NEAR must be latitude, longitude and kilometres, like 48.21, 16.37, 50."]
    if near is not None and settings.network_shown != "familiar":
        return [f"{PREFIX}NETWORK_NEAR adds to what is familiar: {PREFIX}NETWORK_SHOWN is {settings.network_shown}."]
    return []


def _is_stream(text: str, *, may_be_behind_a_proxy: bool) -> bool:
    url, separator, public = text.partition("=")
    if separator and not (may_be_behind_a_proxy and _is_origin(public, {"http", "https"})):
        return False
    return _is_origin(url, {"ws", "wss", "http", "https"})


def _is_origin(url: str, schemes: set[str]) -> bool:
    if not is_readable_url(url):
        return False
    parts = urlsplit(url)
    return parts.scheme in schemes and bool(parts.hostname) and not (parts.path.strip("/") or parts.query or "@" in url)


def dangers(settings: Settings) -> dict[UnsafeOption, str]:
    """Dangerous options that are on, each with the setting that causes it."""
    settings_by_danger = {}
    if settings.dev_mode:
        settings_by_danger[UnsafeOption.DEV_MODE] = f"{PREFIX}DEV_MODE"
    if settings.dev_mailbox:
        settings_by_danger[UnsafeOption.DEVELOPMENT_MAILBOX] = f"{PREFIX}DEV_MAILBOX"
    if settings.allow_private_addresses:
        settings_by_danger[UnsafeOption.NO_SSRF_PROTECTION] = f"{PREFIX}ALLOW_PRIVATE_ADDRESSES"
    if is_own_machine(urlsplit(settings.plc_url).hostname or ""):
        settings_by_danger[UnsafeOption.BUILT_IN_DIRECTORY] = f"{PREFIX}PLC_URL"
    if not settings.is_https:
        settings_by_danger[UnsafeOption.PLAIN_HTTP] = f"{PREFIX}PUBLIC_URL"
    return settings_by_danger
