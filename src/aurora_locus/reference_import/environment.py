"""The environment file of a reference PDS, and the settings derived from it."""

import re
from collections.abc import Mapping
from pathlib import Path

from aurora_locus.accounts.session_tokens import MIN_SECRET_BYTES
from aurora_locus.settings import PREFIX, PdsSettings
from aurora_locus.settings_checks import read_checked
from groundwork.errors import Refused

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")

# Settings for the place of the old server's data. They are ignored, because the new server's data goes to the new
# folder.
_PLACES = (
    "PDS_DATA_DIRECTORY",
    "PDS_ACCOUNT_DB_LOCATION",
    "PDS_SEQUENCER_DB_LOCATION",
    "PDS_DID_CACHE_DB_LOCATION",
    "PDS_ACTOR_STORE_DIRECTORY",
    "PDS_BLOBSTORE_DISK_LOCATION",
    "PDS_BLOBSTORE_DISK_TMP_LOCATION",
)


def read_environment(path: Path) -> dict[str, str]:
    """Read the variables of an environment file: ``NAME=value`` on each line, with quotes as in a shell. Raises
    Refused.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Refused(f"The environment file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Refused(f"The environment file {path} is not text.") from None
    values = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise Refused(f"Line {number} of {path} is not NAME=value.")
        values[match[1]] = _unquoted(match[2])
    return values


def settings_for(environment: Mapping[str, str], overriding: Mapping[str, str], folder: Path) -> PdsSettings:
    """Return the settings of the new server in its new folder: the old settings except for paths, overridden by the
    operator's current settings.

    Raises SettingsRefused.
    """
    reference_values = {name: value for name, value in environment.items() if name not in _PLACES and value}
    own_values = {name: value for name, value in overriding.items() if name.startswith(PREFIX)}
    return read_checked({**reference_values, **own_values, "PDS_DATA_DIRECTORY": str(folder)})


def unexpected_effects(settings: PdsSettings) -> list[str]:
    """Return effects of these settings that an operator may not expect, one sentence each."""
    relays = ", ".join(settings.federation_relay_urls) if settings.announces_itself else ""
    notes = [
        settings.client_address_rule,
        f"New handles end in {' or '.join(settings.service_handle_domains)}.",
        f"Relays that are asked to crawl it: {relays}."
        if relays
        else "No relay is asked to crawl it: PDS_CRAWLERS is empty.",
        "Requests are counted and limited." if settings.counts_requests else "Requests are not limited.",
    ]
    if not settings.mail_url:
        notes.append("No e-mail is sent: PDS_EMAIL_SMTP_URL is not set.")
    if 0 < len(settings.jwt_secret.reveal().encode()) < MIN_SECRET_BYTES:
        notes.append(
            "PDS_JWT_SECRET is short enough to be guessed. It is kept, so that nobody has to sign in again; after "
            f"the move set a new one of at least {MIN_SECRET_BYTES} characters, and the old one as "
            "PDS_JWT_SECRET_PREVIOUS for 90 days."
        )
    return notes


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text.partition(" #")[0].rstrip()
