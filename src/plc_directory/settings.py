"""Settings of the directory: ``PLC_…`` in the environment, ``[plc]`` in the file."""

from dataclasses import dataclass
from pathlib import Path

from groundwork.settings import setting

PREFIX = "PLC_"


@dataclass(frozen=True, slots=True)
class PlcSettings:
    """Settings of ``openmeet plc``."""

    port: int = setting(2582, doc="The port to listen on; 0 picks a free one")
    host: str = setting("127.0.0.1", doc="The address to listen on")
    database_url: str = setting("", doc="The database URL for the operations; empty: a file in the data folder")
    data_directory: Path = setting(Path("var/plc"), doc="The folder of the SQLite file")
    hourly_limit: int = setting(10, doc="How many operations of one DID are accepted in an hour; 0: no limit")
    daily_limit: int = setting(30, doc="How many operations of one DID are accepted in a day; 0: no limit")
    weekly_limit: int = setting(100, doc="How many operations of one DID are accepted in a week; 0: no limit")

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite://{(self.data_directory / 'plc.db').absolute()}"
