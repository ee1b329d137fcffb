"""Signed operations for a PLC directory."""

from hashlib import sha256

from at_protocol.crypto import k256
from at_protocol.identity import plc_operation
from at_protocol.identity.plc_operation import PlcOperation
from at_protocol.syntax.handle import Handle


def key_named(name: str) -> k256.K256PrivateKey:
    return k256.K256PrivateKey(sha256(name.encode()).digest())


def genesis_operation(handle: str = "ana.test", *, rotation: tuple[str, ...] = ("high", "low")) -> PlcOperation:
    unsigned = plc_operation.account_operation(
        rotation_keys=tuple(key_named(name).public for name in rotation),
        signing_key=key_named("signing").public,
        handle=Handle(handle),
        pds="https://pds.test",
    )
    return plc_operation.sign(unsigned, key_named(rotation[-1]))
