"""Reads the settings of the PDS, with defaults for an environment that was written for the reference PDS, for instance by
its installer. Refuses those that contradict each other or are dangerous with a public host name.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from at_protocol.crypto.did_key import parse_did_key
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import host_url
from at_protocol.syntax.did import parse_did
from aurora_locus.settings import DEFAULT_ADMIN_PASSWORD, PREFIX, PdsSettings
from groundwork.mail.address import parse_address
from groundwork.mail.smtp import parse_smtp_url
from groundwork.settings import SettingsRefused, read_settings, too_small
from groundwork.startup_checks import UnsafeOption, dangers_of, is_own_machine
from groundwork.ui.colours import colour_problems

MIN_BYPASS_KEY = 16

_FEDERATION = ("firehose_enabled", "crawl_enabled", "auto_stream")
_ROTATION_KEY = "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX"


def read_checked(environment: Mapping[str, str], table: Mapping[str, Any] | None = None) -> PdsSettings:
    """Read the settings from the environment and from their table in the settings file. Raises ``SettingsRefused``."""
    settings = read_settings(PdsSettings, prefix=PREFIX, environment=environment, table=table)
    if is_reference(environment, table):
        defaults = reference_defaults(settings.hostname, environment, table or {})
        settings = replace(settings, **defaults)
    return check_settings(settings)


def check_settings(settings: PdsSettings) -> PdsSettings:
    """Check settings and return them. Raises ``SettingsRefused`` for contradictory or dangerous settings."""
    problems = [
        *_federation_problems(settings),
        *_service_problems(settings),
        *_name_problems(settings),
        *too_small(settings, PREFIX),
        *_mail_problems(settings),
        *_page_problems(settings),
        *_blobstore_problems(settings),
        *_backup_problems(settings),
        *dangers_of([settings.hostname], _dangers(settings)),
    ]
    if problems:
        raise SettingsRefused(problems)
    return settings


def _federation_problems(settings: PdsSettings) -> list[str]:
    if settings.federation_enabled:
        return []
    return [
        f"PDS_FEDERATION_{name.upper()} is on without PDS_FEDERATION_ENABLED; set both or neither."
        for name in _FEDERATION
        if getattr(settings, f"federation_{name}")
    ]


def _name_problems(settings: PdsSettings) -> list[str]:
    """Problems of the names under which this server and its accounts are reached."""
    problems = []
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
    return problems


def _service_problems(settings: PdsSettings) -> list[str]:
    problems = []
    for name in ("bsky_app_view", "mod_service", "report_service"):
        url, did = getattr(settings, f"{name}_url"), getattr(settings, f"{name}_did")
        if bool(url) != bool(did):
            problems.append(f"PDS_{name.upper()}_URL and PDS_{name.upper()}_DID belong together; set both or neither.")
        if url and host_url(url) is None:
            problems.append(f"PDS_{name.upper()}_URL is {url!r}, which is not just https://host.")
        if did and not _is_did(did):
            problems.append(f"PDS_{name.upper()}_DID is {did!r}, which is not a DID.")
    problems += [
        f"PDS_FEDERATION_RELAY_URLS has {relay!r}, which is not just https://host."
        for relay in settings.federation_relay_urls
        if host_url(relay) is None
    ]
    if settings.recovery_did_key and not _is_did_key(settings.recovery_did_key):
        problems.append(f"PDS_RECOVERY_DID_KEY is {settings.recovery_did_key!r}, which is not a did:key.")
    for address in settings.rate_limit_bypass_ips:
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError:
            problems.append(f"PDS_RATE_LIMIT_BYPASS_IPS has {address!r}, which is neither an address nor a network.")
    key = settings.rate_limit_bypass_key.reveal()
    if key and len(key) < MIN_BYPASS_KEY:
        problems.append(f"PDS_RATE_LIMIT_BYPASS_KEY has less than {MIN_BYPASS_KEY} characters, so it could be guessed.")
    pattern = settings.bsky_app_view_cdn_url_pattern
    if pattern and pattern.count("%s") != 3:  # for size, DID and CID
        problems.append("PDS_BSKY_APP_VIEW_CDN_URL_PATTERN must have three %s: for size, DID and CID.")
    return problems


def _is_did_key(text: str) -> bool:
    try:
        parse_did_key(text)
    except Malformed:
        return False
    return True


def _is_did(text: str) -> bool:
    try:
        parse_did(text)
    except Malformed:
        return False
    return True


def _page_problems(settings: PdsSettings) -> list[str]:
    links = {
        "PDS_HOME_URL": settings.home_url,
        "PDS_SUPPORT_URL": settings.support_url,
        "PDS_LOGO_URL": settings.logo_url,
        "PDS_PRIVACY_POLICY_URL": settings.privacy_policy_url,
        "PDS_TERMS_OF_SERVICE_URL": settings.terms_of_service_url,
    }
    problems = [
        f"{name} is {link!r}, which is not a web address."
        for name, link in links.items()
        if link and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", link)
    ]
    return problems + colour_problems("PDS_PRIMARY_COLOR", settings.primary_color)


def _mail_problems(settings: PdsSettings) -> list[str]:
    problems = []
    if settings.confirms_email and not settings.needs_invite and not settings.mail_url:
        problems.append(
            "PDS_INVITE_REQUIRED is off, but PDS_EMAIL_SMTP_URL is not set: people who sign up without an invite must "
            "confirm their address by e-mail. Set both, or leave invites on."
        )
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


def _blobstore_problems(settings: PdsSettings) -> list[str]:
    problems = []
    if settings.blobstore_s3_bucket and settings.blobstore_disk_location:
        problems.append("PDS_BLOBSTORE_S3_BUCKET and PDS_BLOBSTORE_DISK_LOCATION are both set; set only one.")
    if settings.blobstore_disk_tmp_location and not settings.blobstore_disk_location:
        problems.append("PDS_BLOBSTORE_DISK_TMP_LOCATION is set without PDS_BLOBSTORE_DISK_LOCATION.")
    if not settings.blobstore_s3_bucket:
        problems += [
            f"PDS_BLOBSTORE_S3_{name.upper()} is set without PDS_BLOBSTORE_S3_BUCKET."
            for name in ("region", "endpoint", "access_key_id", "secret_access_key")
            if getattr(settings, f"blobstore_s3_{name}")
        ]
    if bool(settings.blobstore_s3_access_key_id) != bool(settings.blobstore_s3_secret_access_key):
        problems.append("PDS_BLOBSTORE_S3_ACCESS_KEY_ID and PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY go together.")
    return problems


# Characters. Anyone who has the backups can guess the passphrase offline, without any limit.
_SHORTEST_PASSPHRASE = 12


def _backup_problems(settings: PdsSettings) -> list[str]:
    problems = []
    passphrase = settings.backup_passphrase.reveal()
    if settings.backup_url and len(passphrase) < _SHORTEST_PASSPHRASE:
        problems.append(
            f"PDS_BACKUP_URL is set without a PDS_BACKUP_PASSPHRASE of at least {_SHORTEST_PASSPHRASE} characters; "
            "backups hold everybody's data and keys."
        )
    if bool(settings.backup_s3_access_key_id) != bool(settings.backup_s3_secret_access_key):
        problems.append("PDS_BACKUP_S3_ACCESS_KEY_ID and PDS_BACKUP_S3_SECRET_ACCESS_KEY go together.")
    return problems


def _dangers(settings: PdsSettings) -> dict[UnsafeOption, str]:
    """The dangerous values, each with the name of its setting."""
    dangers = {}
    if settings.dev_mode:
        dangers[UnsafeOption.DEV_MODE] = "PDS_DEV_MODE"
    if settings.disable_ssrf_protection:
        dangers[UnsafeOption.NO_SSRF_PROTECTION] = "PDS_DISABLE_SSRF_PROTECTION"
    if settings.admin_password.reveal() == DEFAULT_ADMIN_PASSWORD:
        dangers[UnsafeOption.DEFAULT_PASSWORD] = "PDS_ADMIN_PASSWORD"  # the name of the setting, not the password
    if is_own_machine(urlsplit(settings.did_plc_url).hostname or ""):
        dangers[UnsafeOption.BUILT_IN_DIRECTORY] = "PDS_DID_PLC_URL"
    if urlsplit(settings.url).scheme != "https" and settings.dev_mode:  # without dev_mode ``check_settings`` reports it
        dangers[UnsafeOption.PLAIN_HTTP] = "PDS_PUBLIC_URL"
    return dangers


def is_reference(environment: Mapping[str, str], table: Mapping[str, Any] | None = None) -> bool:
    """Whether these settings were written for the reference PDS: they contain the rotation key, which its installer
    sets, or ``PDS_CRAWLERS``, but no ``PDS_FEDERATION_*``.
    """
    names_federation = any(name.startswith("PDS_FEDERATION_") for name in environment) or any(
        name.startswith("federation_") for name in table or {}
    )
    return not names_federation and any(environment.get(name, "").strip() for name in (_ROTATION_KEY, "PDS_CRAWLERS"))


def reference_defaults(hostname: str, environment: Mapping[str, str], table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of the reference PDS, by setting name, for settings that its environment leaves out.

    Federation is on, crawls are requested from relays if any are configured, the host's own name is the handle domain,
    and proxies in private networks are trusted.
    """

    def is_given(name: str) -> bool:
        return bool(environment.get(f"PDS_{name.upper()}", "").strip()) or name in table

    defaults: dict[str, Any] = {
        "federation_enabled": True,
        "federation_firehose_enabled": True,
        "federation_crawl_enabled": True,
        "federation_auto_stream": is_given("crawlers"),
    }
    if not is_given("service_handle_domains"):
        defaults["service_handle_domains"] = (".test" if hostname == "localhost" else f".{hostname}",)
    if not is_given("did_plc_url"):
        defaults["did_plc_url"] = "https://plc.directory"
    if not is_given("trusted_proxy_hops") and not is_given("trusted_private_proxies"):
        defaults["trusted_private_proxies"] = True
    return defaults
