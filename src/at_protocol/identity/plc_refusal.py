"""The reasons for which a directory rejects an operation, named as in the reference implementation."""

from enum import StrEnum

from at_protocol.failures import Malformed


class PlcRefusal(StrEnum):
    """The kinds of refusal."""

    IMPROPER_OPERATION = "ImproperOperation"
    MISORDERED_OPERATION = "MisorderedOperation"
    LATE_RECOVERY = "LateRecovery"
    GENESIS_HASH = "GenesisHash"
    INVALID_SIGNATURE = "InvalidSignature"
    UNSUPPORTED_KEY = "UnsupportedKey"


class OperationRefused(Malformed):
    """A did:plc operation that breaks a rule; ``kind`` is a :class:`PlcRefusal`."""
