"""Backup and restore parameters from the settings."""

import hashlib
import hmac

from aurora_locus.blobs.place import open_store
from aurora_locus.keys import server_keys
from aurora_locus.maintenance.backup import BackupSource
from aurora_locus.maintenance.manifest import ROTATION_KEY, SEALING_KEYS, SESSION_SECRET
from aurora_locus.maintenance.restore import RestoreTarget
from aurora_locus.maintenance.vault import Vault, open_backup_store, open_vault
from aurora_locus.settings import PdsSettings
from groundwork.blobstore.contract import BlobStore
from groundwork.blobstore.open_ import Bucket
from groundwork.sealed_stream import SALT_BYTES
from groundwork.sealing import parse_keys
from groundwork.settings import SettingsRefused


def source(settings: PdsSettings, store: BlobStore, *, version: str) -> BackupSource:
    """Return the backup source for a server with these settings, including their secrets."""
    secrets = {SEALING_KEYS: _sealing_keys(settings), **_given_secrets(settings)}
    return BackupSource(
        url=settings.database,
        store=store,
        secrets=secrets,
        host=settings.hostname,
        version=version,
        scratch=settings.data_directory / "scratch",
    )


def target(settings: PdsSettings) -> RestoreTarget:
    """Return the restore target for a server with these settings."""
    key_file = settings.data_directory / "sealing.key"
    sealing_keys = settings.sealing_keys.reveal() or (key_file.read_text(encoding="ascii") if key_file.exists() else "")
    keys = tuple(parse_keys(sealing_keys)) if sealing_keys else ()
    return RestoreTarget(settings.database, open_store(settings), keys, _given_secrets(settings))


async def vault(settings: PdsSettings, *, url: str = "", make: bool = False) -> Vault:
    """Open the configured vault; with ``make``, an empty place becomes one. Raises SettingsRefused if none is
    configured, and what ``open_vault`` raises.
    """
    url = url or settings.backup_url
    if not url:
        raise SettingsRefused(["PDS_BACKUP_URL is not set. Set it to a folder, or to s3://bucket/folder."])
    passphrase = settings.backup_passphrase.reveal()
    if not passphrase:
        raise SettingsRefused(["PDS_BACKUP_PASSPHRASE is not set: backups hold everybody's data and keys."])
    bucket = Bucket(
        "",
        settings.backup_s3_region,
        settings.backup_s3_endpoint,
        settings.backup_s3_access_key_id,
        settings.backup_s3_secret_access_key,
        settings.backup_s3_force_path_style,
        upload_timeout_seconds=600,
    )
    return await open_vault(open_backup_store(url, bucket), passphrase, new_salt=_salt(settings) if make else None)


def _salt(settings: PdsSettings) -> bytes:
    # Several processes of a server may start at once with an empty place. They share only the settings, so the salt
    # comes from the key that they share. Nobody else can know it in advance.
    newest = parse_keys(_sealing_keys(settings))[0]
    return hmac.digest(newest, b"aurora_locus vault of backups", hashlib.sha256)[:SALT_BYTES]


def _sealing_keys(settings: PdsSettings) -> str:
    text = settings.sealing_keys.reveal()
    if not text:
        # Create the key file if it is missing, as the server does at its first start.
        server_keys.sealing_keys("", settings.data_directory)
        text = (settings.data_directory / "sealing.key").read_text(encoding="ascii")
    return text.strip()


def _given_secrets(settings: PdsSettings) -> dict[str, str]:
    secrets_by_name = {
        ROTATION_KEY: settings.plc_rotation_key_k256_private_key_hex.reveal(),
        SESSION_SECRET: settings.jwt_secret.reveal(),
    }
    return {name: secret for name, secret in secrets_by_name.items() if secret}
