"""A new rotation key of the server reaches every identity that it hosts, despite interruptions."""

from dataclasses import replace

import pytest

from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.identity import plc_operation
from aurora_locus.keys import server_keys
from aurora_locus.maintenance import rotation
from groundwork.errors import Failure
from groundwork.sealing import Sealer
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import Deployment

SEALER = Sealer([bytes(32)])
RECOVERY = K256PrivateKey.from_random(b"r" * 64)


def silent(_done: int, _of: int) -> None:
    return


async def rotation_keys(deployment: Deployment, did: str) -> list[str]:
    return list((await deployment.directory.log(did))[-1]["rotationKeys"])


async def test_new_key_replaces_the_old_one_in_every_identity(make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment()
    registry = deployment.pds.registry
    old, new = registry.rotation_key, await rotation.next_key(deployment.db, SEALER)
    ana = await deployment.sign_up("ana", recoveryKey=format_did_key(RECOVERY.public))
    ben = await deployment.sign_up("ben")
    cleo = await deployment.sign_up("cleo")
    # Cleo removed the server's key: she has moved or is about to.
    newest = await registry.directory.last(cleo.did)
    own = replace(
        plc_operation.normalised(newest),
        rotation_keys=(format_did_key(RECOVERY.public),),
        prev=str(plc_operation.cid_of(newest)),
        sig=None,
    )
    await registry.directory.submit(cleo.did, plc_operation.sign(own, old))

    done = await rotation.rotate(deployment.db, registry.directory, old, new, silent)
    assert (done.changed, done.already, done.others) == (2, 0, 1)
    follows = format_did_key(new.public)
    assert await rotation_keys(deployment, ana.did) == [format_did_key(RECOVERY.public), follows]
    assert await rotation_keys(deployment, ben.did) == [follows]

    await rotation.replace_key(deployment.db, SEALER, new)
    assert await server_keys.find_or_make(deployment.db, SEALER, server_keys.ROTATION_KEY) == new.to_bytes()
    assert (await rotation.next_key(deployment.db, SEALER)).to_bytes() != new.to_bytes(), (
        "the next rotation makes another key"
    )


async def test_interrupted_rotation_continues_with_the_same_key(make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment()
    registry = deployment.pds.registry
    for name in ("ana", "ben", "cleo"):
        await deployment.sign_up(name)

    def break_off(done: int, _of: int) -> None:
        deployment.directory.is_down = done == 2

    new = await rotation.next_key(deployment.db, SEALER)
    with pytest.raises(Failure):
        await rotation.rotate(deployment.db, registry.directory, registry.rotation_key, new, break_off)
    deployment.directory.is_down = False
    again = await rotation.next_key(deployment.db, SEALER)
    assert again.to_bytes() == new.to_bytes()
    done = await rotation.rotate(deployment.db, registry.directory, registry.rotation_key, again, silent)
    assert (done.changed, done.already, done.others) == (1, 2, 0)
