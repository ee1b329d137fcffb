"""List and revoke the keys that sign proofs of attendance (``openmeet proofs …``)."""

from pathlib import Path

from groundwork.clock import Instant, to_datetime
from groundwork.errors import NotFound
from openmeet.domain.attendance import proof_keys
from openmeet.domain.attendance.proof_keys import ProofKey
from programs.command_line import print_json, say
from programs.platform import Platform, run_on_platform


def show_keys(tenant: str, settings_file: Path | None, *, as_json: bool) -> None:
    """Print every key that ever signed proofs."""

    async def act(platform: Platform) -> None:
        async with platform.db.reader() as reader:
            keys = await proof_keys.all_keys(reader)
        if as_json:
            print_json(
                [
                    {
                        "key": one.key_id,
                        "signsSince": _day(one.created_at),
                        "replacedOn": _day(one.replaced_at),
                        "revokedOn": _day(one.revoked_at),
                    }
                    for one in keys
                ]
            )
            return
        for one in keys:
            say(f"{one.key_id}  since {_day(one.created_at)}  {_state(one)}")
        if not keys:
            say("There is no key yet. It is made with the first proof.")

    run_on_platform(settings_file, tenant, act)


def revoke_key(key_id: str, tenant: str, settings_file: Path | None) -> None:
    """Revoke a key. Raises NotFound."""

    async def act(platform: Platform) -> None:
        async with platform.db.transaction() as tx:
            key = next((one for one in await proof_keys.all_keys(tx) if one.key_id == key_id), None)
            if key is None:
                raise NotFound(f"There is no key {key_id}. List the keys with: openmeet proofs keys")
            if key.revoked_at is None:
                await proof_keys.revoke(tx, platform.code_key, key)
        say(f"{key_id} was already revoked." if key.revoked_at else f"{key_id} is revoked.")

    run_on_platform(settings_file, tenant, act)


def _day(at: Instant | None) -> str | None:
    return None if at is None else to_datetime(at).date().isoformat()


def _state(key: ProofKey) -> str:
    if key.revoked_at is not None:
        return f"revoked on {_day(key.revoked_at)}"
    return "signs" if key.replaced_at is None else f"signed until {_day(key.replaced_at)}"
