"""Settings of the installation that ingestion needs, assembled once by ``programs/``."""

from dataclasses import dataclass, field

from openmeet.feature_flags.flags import Switchboard


@dataclass(frozen=True, slots=True)
class IngestionContext:
    """Settings that ingestion needs. ``instance``: the address of the installation, as written in our records.

    ``erasure_keys``: see ``records.erased_records``; without any keys, nothing can have been erased.
    ``trusted_origins``: see ``intake.receive``.
    """

    instance: str
    erasure_keys: tuple[bytes, ...] = ()
    flags: Switchboard = field(default_factory=Switchboard)
    trusted_origins: frozenset[str] = frozenset()
