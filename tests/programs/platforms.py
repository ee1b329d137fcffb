"""Opens the platform of the default community as the programs do."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from groundwork.clock import Clock
from openmeet.settings import Settings
from openmeet.tenants.names import DEFAULT_TENANT
from programs.platform import Platform, open_installation
from programs.platform_settings import read_installation_settings


@asynccontextmanager
async def open_platform(settings: Settings, clock: Clock) -> AsyncIterator[Platform]:
    """Like ``open_installation``, for one community."""
    async with open_installation({DEFAULT_TENANT: settings}, clock) as installation:
        yield installation.default


def read_platform_settings(
    file: Path | None = None, environment: Mapping[str, str] = os.environ, *, sends_mail: bool = True
) -> Settings:
    """The settings of the default community."""
    return read_installation_settings(file, environment, sends_mail=sends_mail)[DEFAULT_TENANT]
