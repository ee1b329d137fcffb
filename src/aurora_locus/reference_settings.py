"""Environment variables of the reference PDS that this server does not support, and what to do instead.

Variables with the same meaning are settings of this server under the same name, and are not in this table. The table is
used to report unknown variables at start. It also shows the differences to operators who migrate.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from aurora_locus.settings import PREFIX, PdsSettings
from groundwork.settings import names_of

_LOOKS: Final = "the colours of pages are derived from PDS_PRIMARY_COLOR"
_ONE_DATABASE: Final = "there is one database: PDS_DATABASE_URL, or pds.db in PDS_DATA_DIRECTORY"
_ENTRYWAY: Final = "there is no entryway: accounts sign in on this server"
_PROXY: Final = "the limits of proxied calls are fixed"

# Known but not needed on this server: handled in another way, or derived from another setting.
NEEDLESS: Final[Mapping[str, str]] = {
    "PDS_VERSION": "the version is that of this program",
    "PDS_ERROR_COLOR": _LOOKS,
    "PDS_WARNING_COLOR": _LOOKS,
    "PDS_INFO_COLOR": _LOOKS,
    "PDS_SUCCESS_COLOR": _LOOKS,
    "PDS_SQLITE_DISABLE_WAL_AUTO_CHECKPOINT": "the server limits the size of the write-ahead log itself",
    "PDS_ACCOUNT_DB_LOCATION": _ONE_DATABASE,
    "PDS_SEQUENCER_DB_LOCATION": _ONE_DATABASE,
    "PDS_DID_CACHE_DB_LOCATION": "DID documents are cached in memory",
    "PDS_ACTOR_STORE_DIRECTORY": _ONE_DATABASE,
    "PDS_ACTOR_STORE_CACHE_SIZE": _ONE_DATABASE,
    "PDS_DID_CACHE_STALE_TTL": "the lifetime of cached DID documents is fixed",
    "PDS_DID_CACHE_MAX_TTL": "the lifetime of cached DID documents is fixed",
    "PDS_MAX_SUBSCRIPTION_BUFFER": "PDS_FIREHOSE_BUFFER_FRAMES sets how far a subscriber may fall behind",
    "PDS_DPOP_SECRET": "OAuth nonces are derived from a key of this server",
    "PDS_FETCH_MAX_RESPONSE_SIZE": "each kind of download has its own limit",
    "PDS_PROXY_ALLOW_HTTP2": _PROXY,
    "PDS_PROXY_HEADERS_TIMEOUT": _PROXY,
    "PDS_PROXY_BODY_TIMEOUT": _PROXY,
    "PDS_PROXY_MAX_RESPONSE_SIZE": _PROXY,
    "PDS_PROXY_MAX_RETRIES": _PROXY,
    "PDS_PROXY_PREFER_COMPRESSED": _PROXY,
    "PDS_BLOBSTORE_S3_REQUEST_TIMEOUT_MS": "PDS_BLOBSTORE_S3_UPLOAD_TIMEOUT_MS is the time limit of each request",
    "PDS_ID_RESOLVER_TIMEOUT": "the time limits for resolving identities are fixed",
    "PDS_HANDLE_BACKUP_NAMESERVERS": "handles are resolved with the machine's DNS resolver",
    "PDS_LEXICON_AUTHORITY_DID": "Lexicons are resolved through the DNS record of their authority",
    "PDS_EMAIL_DISABLE_CONFIRMATION_LINK": "e-mails contain only the code, without a link to an app",
}

# Features of the reference that this server does not have.
MISSING: Final[Mapping[str, str]] = {
    "PDS_HCAPTCHA_SITE_KEY": "there is no captcha at sign-up; require invites instead",
    "PDS_HCAPTCHA_SECRET_KEY": "there is no captcha at sign-up; require invites instead",
    "PDS_HCAPTCHA_TOKEN_SALT": "there is no captcha at sign-up; require invites instead",
    "PDS_BACKGROUND_LIGHT_URL": "pages have no background picture",
    "PDS_BACKGROUND_DARK_URL": "pages have no background picture",
    "PDS_ENTRYWAY_URL": _ENTRYWAY,
    "PDS_ENTRYWAY_DID": _ENTRYWAY,
    "PDS_ENTRYWAY_JWT_VERIFY_KEY_K256_PUBLIC_KEY_HEX": _ENTRYWAY,
    "PDS_ENTRYWAY_PLC_ROTATION_KEY": _ENTRYWAY,
    "PDS_ENTRYWAY_ADMIN_TOKEN": _ENTRYWAY,
    "PDS_MODERATION_EMAIL_SMTP_URL": "e-mails of the host are sent through PDS_EMAIL_SMTP_URL",
    "PDS_MODERATION_EMAIL_ADDRESS": "e-mails of the host are sent from PDS_EMAIL_FROM_ADDRESS",
    "PDS_PLC_ROTATION_KEY_KMS_KEY_ID": "the rotation key is stored encrypted on this server, or given in hexadecimal",
}


def own_names() -> frozenset[str]:
    """Every setting name of this server, including old names."""
    return names_of(PdsSettings, PREFIX)


def unknown(environment: Iterable[str]) -> list[str]:
    """Return names with the prefix of this server's settings that are neither settings nor variables that can be
    ignored.
    """
    setting_names = own_names()
    return sorted(
        name for name in environment if name.startswith(PREFIX) and name not in setting_names and name not in NEEDLESS
    )


def advice_on(name: str) -> str:
    """Return a sentence that tells an operator about a setting name that ``unknown`` found."""
    return f"{name} is not supported: {MISSING[name]}" if name in MISSING else f"{name} is not a setting of this server"
