"""Settings of every community of an installation, from the environment and one file."""

import os
from collections.abc import Mapping
from pathlib import Path

from groundwork.database.open_ import SQLITE, sqlite_path
from groundwork.errors import NotFound, Refused
from groundwork.settings import misspelt
from groundwork.telemetry.logs import log
from openmeet.settings import PREFIX, Settings
from openmeet.tenants.configured import TABLE, checked, read_tenants
from programs.settings_file import read_table


def read_installation_settings(
    file: Path | None = None, environment: Mapping[str, str] = os.environ, *, sends_mail: bool = True
) -> Mapping[str, Settings]:
    """Settings by community name, the default one first. Contradictory and dangerous settings and shared resources are
    refused.

    ``sends_mail``: false for an operator's command, which needs no mail server.
    """
    return checked(read_tenants(read_table(file, TABLE), environment), sends_mail=sends_mail)


def read_settings_of_installation(
    file: Path | None, tenant: str, environment: Mapping[str, str] = os.environ
) -> Settings:
    """One community's settings, for operators' commands that serve and send nothing: only the settings that say where
    the data is.

    Raises Refused if there is no data yet, and NotFound for an unknown community.
    """
    settings = community_named(read_tenants(read_table(file, TABLE), environment), tenant)
    url = settings.tenant_database_url
    if url.startswith(SQLITE):
        file_path = sqlite_path(url, settings.database_schema)
        if not file_path.exists():
            why = f"There is no installation at {file_path}."
            raise Refused(
                f"{why} Give its settings file: --settings FILE (`openmeet up` keeps settings.toml in its folder)."
            )
    return settings


def log_misspelt_names(environment: Mapping[str, str] = os.environ) -> None:
    """Log variables that look like misspelt settings, because a misspelt limit must not silently mean the default."""
    misspelt_names = misspelt((name for name, value in environment.items() if value), Settings, PREFIX)
    if misspelt_names:
        log.warning("settings.not_used", names=misspelt_names)


def community_named(settings_by_tenant: Mapping[str, Settings], tenant: str) -> Settings:
    """The settings of a community. Raises NotFound, naming those that exist."""
    if tenant not in settings_by_tenant:
        raise NotFound(f"There is no community {tenant!r} in the settings. There are: {', '.join(settings_by_tenant)}.")
    return settings_by_tenant[tenant]
