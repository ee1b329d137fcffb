"""Environment variables of each process of ``openmeet cluster``, as a deployment would set them."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from openmeet.tenants.configured import VARIABLE
from programs.dev_accounts import DevAccounts

HOST = "127.0.0.1"
# The platform's database. The PDS has its own, aurora_locus.
OPENMEET_SCHEMA = "openmeet"
NETWORK_SCHEMA = "openmeet_network"
# A dozen processes share one server on one machine, which by default allows a hundred connections.
FEW_CONNECTIONS = "3"
# Each additional community adds a pool to each of eight processes. Each pool then has one connection less, so that all
# of them stay within that limit.
FEWER_CONNECTIONS = "2"


# Whoever signs up with this address runs the site. Everyone on this machine can read its e-mail in the development
# mailbox.
OPERATOR = "operator@example.test"


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Options of a cluster. ``name`` keeps several clusters on one broker apart; each has its own database.

    ``communities``: names of the communities in addition to the default one. ``environment``: overrides variables in
    every process.
    """

    folder: Path
    database: str
    broker: str
    cache: str
    name: str
    pds_port: int
    web_port: int
    communities: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def address_of(self, community: str) -> str:
        """The URL of a server. All names under ``localhost`` resolve to this machine, in browsers and in curl."""
        return f"http://{community}.localhost:{self.web_port}"


def environment_of(
    kind: str, options: ClusterOptions, home: DevAccounts, *, port: int, plc_url: str, keys: str
) -> dict[str, str]:
    """The environment of a process of this kind that listens on this port. ``keys``: the shared sealing keys."""
    match kind:
        case "plc":
            variables = _directory(options, port)
        case "pds":
            variables = _pds_environment(options, home, port, plc_url, keys)
        case _:
            listens = "OPENMEET_PORT" if kind == "web" else "OPENMEET_OPERATIONS_PORT"
            variables = {**_platform_environment(options, home, plc_url, keys), listens: str(port)}
    return variables | options.environment


def _directory(options: ClusterOptions, port: int) -> dict[str, str]:
    limits = {f"PLC_{span}_LIMIT": "0" for span in ("HOURLY", "DAILY", "WEEKLY")}
    return {"PLC_PORT": str(port), "PLC_DATA_DIRECTORY": str(options.folder / "plc"), **limits}


def _pds_environment(options: ClusterOptions, home: DevAccounts, port: int, plc_url: str, keys: str) -> dict[str, str]:
    redis = urlsplit(options.cache)
    return {
        "PDS_HOSTNAME": "localhost",
        "PDS_PORT": str(port),
        "PDS_PUBLIC_URL": _pds_url(options),
        "PDS_DATA_DIRECTORY": str(options.folder / "pds"),
        "PDS_DATABASE_URL": options.database,
        "PDS_DATABASE_CONNECTIONS": FEW_CONNECTIONS,
        "PDS_SEALING_KEYS": keys,
        "PDS_DID_PLC_URL": plc_url,
        "PDS_DEV_MODE": "true",
        "PDS_ADMIN_PASSWORD": home.admin_password,
        "PDS_REDIS_SCRATCH_ADDRESS": f"{redis.hostname}:{redis.port or 6379}",
    }


def _platform_environment(options: ClusterOptions, home: DevAccounts, plc_url: str, keys: str) -> dict[str, str]:
    return {
        "OPENMEET_PUBLIC_URL": f"http://{HOST}:{options.web_port}",
        "OPENMEET_DATA_DIRECTORY": str(options.folder / "openmeet"),
        "OPENMEET_DATABASE_URL": options.database,
        "OPENMEET_DATABASE_SCHEMA": OPENMEET_SCHEMA,
        "OPENMEET_DATABASE_CONNECTIONS": FEWER_CONNECTIONS if options.communities else FEW_CONNECTIONS,
        "OPENMEET_NETWORK_DATABASE_URL": options.database,
        "OPENMEET_NETWORK_DATABASE_SCHEMA": NETWORK_SCHEMA,
        "OPENMEET_BROKER_URL": options.broker,
        "OPENMEET_BROKER_NAME": options.name,
        "OPENMEET_CACHE_URL": options.cache,
        "OPENMEET_SEALING_KEYS": keys,
        "OPENMEET_OPERATORS": OPERATOR,
        "OPENMEET_MODERATORS": OPERATOR,
        "OPENMEET_DEV_MODE": "true",
        "OPENMEET_DEV_MAILBOX": "true",
        "OPENMEET_ALLOW_PRIVATE_ADDRESSES": "true",
        "OPENMEET_PDS_URL": _pds_url(options),
        "OPENMEET_PDS_ADMIN_PASSWORD": home.admin_password,
        "OPENMEET_PDS_HANDLE_DOMAIN": ".test",
        "OPENMEET_PLC_URL": plc_url,
        "OPENMEET_FIREHOSE_URLS": _pds_url(options).replace("http", "ws", 1),
        VARIABLE: f"[{', '.join(_community_table(options, name) for name in options.communities)}]",
    }


def _community_table(options: ClusterOptions, name: str) -> str:
    """A community's settings as an inline TOML table. JSON strings are valid TOML strings."""
    values = {"name": name, "public_url": options.address_of(name), "site_name": name.replace("-", " ").capitalize()}
    return "{ " + ", ".join(f"{key} = {msgspec.json.encode(text).decode()}" for key, text in values.items()) + " }"


def _pds_url(options: ClusterOptions) -> str:
    return f"http://localhost:{options.pds_port}"
