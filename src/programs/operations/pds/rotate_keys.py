"""Rotate an account's signing key, the server's rotation key, or the sealing key (``openmeet pds rotate-keys …``)."""

from functools import partial
from pathlib import Path

from at_network.plc_client import PlcClient
from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from aurora_locus.keys.server_keys import ROTATION_KEY, find_or_make
from aurora_locus.maintenance import rotation
from aurora_locus.maintenance.rotation import reseal
from aurora_locus.settings import PdsSettings
from groundwork.database.transaction import Database
from groundwork.errors import Refused
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from programs.command_line import print_json, say, with_count
from programs.operations.pds.repository_access import did_of, sealer_of
from programs.operations.pds.server_access import AdministrationClient, require_stopped, run_on_database, run_on_server
from programs.progress_bars import progress_bars
from programs.running import VERSION


def signing_key(did: str, url: str, settings_file: Path | None, *, as_json: bool) -> None:
    """Replace an account's signing key in the directory and here, and announce the change. The server must be running."""
    whose = did_of(did)

    async def run(server: AdministrationClient) -> None:
        reserved = await server.procedure("com.atproto.server.reserveSigningKey", {})
        key = str(reserved["signingKey"])
        await server.procedure("com.atproto.admin.updateAccountSigningKey", {"did": whose, "signingKey": key})
        if as_json:
            print_json({"did": whose, "key": key})
        else:
            say(f"{whose} now signs with {key}.")

    run_on_server(settings_file, url, run)


def sealing(settings_file: Path | None, *, as_json: bool) -> None:
    """Re-encrypt stored secrets that use an older key with the first of PDS_SEALING_KEYS (or of sealing.key).

    First put the new key first in the list and restart every server. Afterwards, remove the old keys.
    """

    async def run(db: Database, settings: PdsSettings) -> None:
        seen, stale = await reseal(db, sealer_of(settings))
        if as_json:
            print_json({"sealed_values": seen, "resealed": stale})
        else:
            say(f"{stale:,} of {with_count(seen, 'sealed value')} had an older key; now none has.")

    run_on_database(settings_file, run)


def server(settings_file: Path | None, *, as_json: bool) -> None:
    """Replace the server's rotation key in every identity here. Stop the server first, and start it again afterwards.

    The command can be interrupted and run again. The recovery keys of account owners keep their position.
    """

    async def run(db: Database, settings: PdsSettings) -> None:
        if settings.plc_rotation_key_k256_private_key_hex:
            raise Refused(
                "The rotation key comes from PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX. This command"
                " rotates keys that the server made and keeps itself."
            )
        http = HttpClient(DEVELOPMENT, user_agent=f"openmeet/{VERSION}")
        try:
            # A running server would give its old key, which is deleted below, to every new account.
            await require_stopped(http, settings)
            sealer = sealer_of(settings)
            old = K256PrivateKey.from_bytes(await find_or_make(db, sealer, ROTATION_KEY))
            new = await rotation.next_key(db, sealer)
            directory = PlcClient(http, settings.did_plc_url)
            with progress_bars(is_shown=not as_json) as on_progress:
                rotated = await rotation.rotate(db, directory, old, new, partial(on_progress, "identities"))
        finally:
            await http.close()
        await rotation.replace_key(db, sealer, new)
        key = format_did_key(new.public)
        if as_json:
            print_json({"key": key, "changed": rotated.changed, "already": rotated.already, "others": rotated.others})
        else:
            say(
                f"{with_count(rotated.changed + rotated.already, 'identity', 'identities')} now name {key}; "
                f"{rotated.others:,} did not name the old key."
            )

    run_on_database(settings_file, run)
