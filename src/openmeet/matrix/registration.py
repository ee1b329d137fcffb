"""Registration of our bridge at a homeserver (Application Service API, Registration), and a check that it works."""

import secrets
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from groundwork import private_file
from groundwork.clock import Clock
from groundwork.errors import Failure, Refused, RemoteFailed, RemoteSlow
from groundwork.http.client import HttpClient
from groundwork.settings import Secret
from openmeet.matrix.calls import Homeserver
from openmeet.matrix.names import PREFIX, SENDER, bot_localpart

_ID: Final = "openmeet"
_MAX_TOKEN_BYTES: Final = 1024
# Every character that is special in a regular expression and can occur in a server's name.
_SPECIAL: Final = str.maketrans({".": r"\.", "[": r"\[", "]": r"\]"})


def registration(server_name: str, token: str, homeserver_token: str) -> bytes:
    """Return the file that the homeserver reads when it starts. It is JSON, which is also valid YAML.

    ``url`` is null: the homeserver does not push events to us, because we read with /sync. The namespaces are
    exclusive, so that nobody else can register a name in them. They end in the server's name, so that no user of
    another server matches.
    """
    own_domain = server_name.translate(_SPECIAL)
    value = {
        "id": _ID,
        "url": None,
        "as_token": token,
        "hs_token": homeserver_token,
        "sender_localpart": SENDER,
        "rate_limited": False,
        "namespaces": {
            "users": [{"exclusive": True, "regex": f"^@{PREFIX}.*:{own_domain}$"}],
            "aliases": [{"exclusive": True, "regex": f"^#{PREFIX}.*:{own_domain}$"}],
            "rooms": [],
        },
    }
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def write_registration(file: Path, token_file: Path, server_name: str, *, renew: bool) -> None:
    """Write the registration and our token, with freshly generated tokens; only the owner can read either file.

    Raises Refused if a file exists, unless ``renew`` is set: after a renewal, the homeserver must be restarted.
    """
    for path in (file, token_file):
        if path.exists() and not renew:
            raise Refused(f"{path} exists already. Use --renew for new tokens; then restart the homeserver.")
    token, homeserver_token = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
    private_file.write(token_file, token.encode() + b"\n")
    private_file.write(file, registration(server_name, token, homeserver_token))


def read_token(token_file: Path) -> Secret:
    """Return the token that we send. Raises Refused with a sentence for the operator."""
    try:
        with token_file.open("rb") as file:
            text = file.read(_MAX_TOKEN_BYTES + 1).decode("ascii").strip()
    except FileNotFoundError:
        raise Refused(f"There is no token in {token_file}. Run `openmeet matrix registration` first.") from None
    except (OSError, UnicodeDecodeError):
        raise Refused(f"The token in {token_file} cannot be read.") from None
    if not text or len(text) > _MAX_TOKEN_BYTES or not text.isprintable():
        raise Refused(f"{token_file} does not contain a token. Run `openmeet matrix registration --renew`.")
    return Secret(text)


def open_homeserver(http: HttpClient, clock: Clock, url: str, server_name: str, token_file: Path) -> Homeserver:
    """Return the homeserver of the settings. Raises Refused if the bridge is not configured or has no token."""
    if not url:
        raise Refused("The Matrix bridge is off: OPENMEET_MATRIX_URL is not set.")
    return Homeserver(http, clock, url, server_name, read_token(token_file))


async def find_problem(homeserver: Homeserver, tenant: str, url: str) -> str | None:
    """Return a sentence for the operator that says why the bridge does not work; None if it works.

    Creates the community's bot if it does not exist.
    """
    where = urlsplit(url).netloc
    try:
        versions = await homeserver.versions()
    except RemoteSlow:
        return f"The homeserver at {where} did not answer in time."
    except Failure as failure:
        return f"There is no homeserver at {where}: {failure.why}"
    if not isinstance(versions.get("versions"), list):
        return f"The server at {where} is not a Matrix homeserver."
    user = homeserver.user(bot_localpart(tenant))
    try:
        await user.prepare()
        await user.sync("", wait_seconds=0, timeline=1)
    except RemoteFailed as failed:
        return _refusal(failed)
    except Failure as failure:
        return f"The homeserver responds, but cannot be used now: {failure.why}"
    return None


def _refusal(failed: RemoteFailed) -> str:
    match failed.name:
        case "M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN":
            return (
                "The homeserver does not know our token. List the registration file in its app_service_config_files,"
                " then restart it."
            )
        case "M_EXCLUSIVE" | "M_FORBIDDEN" | "M_INVALID_USERNAME":
            return (
                "The homeserver does not let us use our user names: OPENMEET_MATRIX_SERVER_NAME is not its "
                "server_name, or it has the registration file of another name. Correct the setting, run `openmeet "
                "matrix registration --renew` and restart the homeserver."
            )
        case "M_UNRECOGNIZED" | "M_UNKNOWN_DEVICE":
            return "This homeserver does not support calls that the bridge needs. Synapse 1.141 and later do."
        case _:
            return f"The homeserver refused a call of the bridge: {failed.why}"
