"""Tenants: the communities of an installation, and their settings."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parseaddr
from typing import Any, Final
from urllib.parse import urlsplit

from groundwork.database.open_ import POSTGRES, SQLITE, sqlite_path
from groundwork.database.transaction import Database
from groundwork.settings import Secret, SettingsRefused, override, read_settings
from groundwork.startup_checks import dangers_of
from openmeet.feature_flags.flags import Switchboard
from openmeet.settings import PREFIX, Settings
from openmeet.settings_checks import contradictions, dangers
from openmeet.tenants.names import DEFAULT_TENANT, NAME


@dataclass(frozen=True, slots=True)
class Tenant:
    """One community: its name (used in metrics and file names), its database, and its flags."""

    name: str
    database: Database
    flags: Switchboard = field(default_factory=Switchboard)


# The table of the settings file, and the key in it that holds the tables of the communities.
TABLE: Final = "openmeet"
KEY: Final = "tenants"
# The same as an environment variable: [{ name = "village", public_url = "https://meet.village.net" }]
VARIABLE: Final = f"{PREFIX}{KEY.upper()}"

# Settings that a community's table can override. All others are shared: sources, broker, cache, keys, listening
# addresses.
OWN: Final = frozenset(
    {
        "site_name",
        "accent_color",
        "language",
        "public_url",
        "moderators",
        "operators",
        "run_by",
        "contact",
        "texts_directory",
        "time_zone",
        "data_directory",
        "database_url",
        "database_schema",
        "addresses_kept_days",
        "deleted_kept_days",
        "answers_kept_days",
        "chat_kept_days",
        "chat_messages_per_hour",
        "chat_picture_bytes",
        "api_requests_per_minute",
        "pages_per_minute",
        "network_near",
        "network_shown",
        "labelers",
        "mail_url",
        "mail_from",
        "mail_reply_to",
        "pds_url",
        "pds_admin_password",
        "pds_rate_limit_bypass_key",
        "pds_handle_domain",
    }
)


def read_tenants(table: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Settings]:
    """The settings of every community by name, the default one first. Raises ``SettingsRefused`` with every problem."""
    own_tables = _own_tables(table, environment)
    base = read_settings(
        Settings, prefix=PREFIX, environment=environment, table={key: table[key] for key in table if key != KEY}
    )
    settings_by_tenant = {DEFAULT_TENANT: base}
    problems: list[str] = []
    for own in own_tables:
        try:
            name = _name_of(own, settings_by_tenant)
            settings_by_tenant[name] = _settings_of(base, name, {key: own[key] for key in own if key != "name"})
        except SettingsRefused as refused:
            problems += refused.sentences
    if problems:
        raise SettingsRefused(problems)
    return settings_by_tenant


def checked(settings_by_tenant: Mapping[str, Settings], *, sends_mail: bool = True) -> Mapping[str, Settings]:
    """Return the settings unchanged. Raises ``SettingsRefused`` with one sentence per problem: contradictions, dangers,
    shared resources.

    ``sends_mail``: false for an operator's command, which needs no mail server.
    """
    problems = [
        sentence if name == DEFAULT_TENANT else f"Community {name}: {sentence}"
        for name, settings in settings_by_tenant.items()
        for sentence in (
            *contradictions(settings, sends_mail=sends_mail),
            *dangers_of([settings.public_host], dangers(settings)),
        )
    ]
    problems += _shared(settings_by_tenant)
    if problems:
        raise SettingsRefused(problems)
    return settings_by_tenant


def _own_tables(table: Mapping[str, Any], environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """The tables of all communities except the default one, from the file or from the environment.

    For other settings the environment overrides the file. Here, each could list some of the communities, and the
    consumer would forget a community that is left out. So all of them must be in one place.
    """
    in_file = table.get(KEY, [])
    if not _are_tables(in_file):
        raise SettingsRefused([f"The settings file must name communities as tables [[{TABLE}.{KEY}]]."])
    text = environment.get(VARIABLE, "").strip()
    if not text:
        return list(in_file)
    try:
        read = tomllib.loads(f"{KEY} = {text}\n")
    except tomllib.TOMLDecodeError as error:
        raise SettingsRefused([_NO_LIST.format(why=f": {error}")]) from None
    if set(read) != {KEY} or not _are_tables(read[KEY]):
        raise SettingsRefused([_NO_LIST.format(why="")])
    if in_file and in_file != read[KEY]:
        why = f"{VARIABLE} and the settings file both name communities, but different ones"
        raise SettingsRefused([f"{why}: name all of them in one of the two."])
    return list(read[KEY])


_NO_LIST: Final = (
    f"{VARIABLE} must be a TOML list of tables, like"
    ' [{{ name = "village", public_url = "https://meet.village.net" }}]{why}.'
)


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _name_of(own: Mapping[str, Any], taken: Mapping[str, Settings]) -> str:
    name = own.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        why = 'a name of small letters, digits and single hyphens, at most 31, like  name = "north-side"'
        raise SettingsRefused([f"Each community ([[{TABLE}.{KEY}]]) must have {why}; {name!r} is not."])
    if name in taken:
        raise SettingsRefused([f"Two communities are called {name!r}: names must be unique."])
    return name


def _settings_of(base: Settings, name: str, own: Mapping[str, Any]) -> Settings:
    where = f"Community {name} in the settings"
    if "public_url" not in own:
        raise SettingsRefused([f"{where} has no public_url: it is found by its host name."])
    kept_apart = replace(
        base,
        moderators=(),
        operators=(),
        data_directory=base.data_directory / "tenants" / name,
        # All communities share this database. It is set explicitly, because its default location is in the data
        # directory, which differs by community.
        network_database_url=base.installation_database_url,
        broker_name=f"{base.broker_name}-{name}",
    )
    if base.database_url.startswith(POSTGRES):
        kept_apart = replace(kept_apart, database_schema=f"tenant_{name.replace('-', '_')}")
    else:
        kept_apart = replace(kept_apart, database_url="", database_schema="")
    # Only if the community sets it, because a database on another server has no schema with this name.
    if "database_url" in own:
        kept_apart = replace(kept_apart, database_schema="")
    if "mail_from" in own:
        kept_apart = replace(kept_apart, mail_reply_to="")
    else:
        # The installation's e-mail address with this community's name.
        kept_apart = replace(kept_apart, mail_from=parseaddr(base.mail_from)[1])
    if "pds_url" in own:
        # A password for one server must not be sent to another.
        kept_apart = replace(
            kept_apart, pds_admin_password=Secret(""), pds_rate_limit_bypass_key=Secret(""), pds_handle_domain=""
        )
    return override(kept_apart, own, allowed=OWN, table_name=where)


def _shared(settings_by_tenant: Mapping[str, Settings]) -> list[str]:
    """One sentence for each resource that two communities would share."""
    kinds: tuple[tuple[str, Callable[[Settings], object]], ...] = (
        ("the same host name", lambda one: one.public_host.lower().rstrip(".")),
        ("the same database", lambda one: _place(one.tenant_database_url, one.database_schema)),
        ("the same data directory", lambda one: one.data_directory.absolute()),
    )
    sentences = []
    for what, of in kinds:
        first: dict[object, str] = {}
        for name, settings in settings_by_tenant.items():
            other = first.setdefault(of(settings), name)
            if other != name:
                sentences.append(f"The communities {other} and {name} have {what}: give {name} one of its own.")
    base = settings_by_tenant[DEFAULT_TENANT]
    network = _place(base.installation_database_url, base.network_database_schema)
    sentences += [
        f"Community {name} has the network database of the installation: give it one of its own."
        for name, settings in settings_by_tenant.items()
        if name != DEFAULT_TENANT and _place(settings.tenant_database_url, settings.database_schema) == network
    ]
    return sentences


def _place(url: str, schema: str) -> tuple[object, ...]:
    """The location of a database, independent of how its URL is written."""
    if url.startswith(SQLITE):
        return (SQLITE, sqlite_path(url, schema).resolve())
    parts = urlsplit(url)
    return (parts.hostname or "", parts.port or 5432, parts.path.strip("/"), schema or "public")
