"""Set-up of accounts from settings and secrets: the dependencies of their actions, and keys from the database where the
settings have none.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from at_network.identity_resolver import IdentityResolver
from at_protocol.crypto.did_key import PrivateKey, parse_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.failures import Malformed
from aurora_locus.accounts.email_tokens import EmailTokens
from aurora_locus.accounts.invites import EarningRule
from aurora_locus.accounts.passwords import Passwords
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.second_factors.model import FactorKeys
from aurora_locus.accounts.session_tokens import MIN_SECRET_BYTES, SessionTokenSigner
from aurora_locus.blobs.place import open_store
from aurora_locus.blobs.uploads import BlobService, UploadLimits
from aurora_locus.identity.plc_updates import Directory
from aurora_locus.keys import server_keys
from aurora_locus.keys.signing_keys import SigningKeys
from aurora_locus.repository.repositories import Repositories, open_repositories
from aurora_locus.sequencer.live_events import open_live
from aurora_locus.settings import PdsSettings
from groundwork.clock import SECOND, Clock, Instant
from groundwork.database.transaction import Database
from groundwork.rate_limit.contract import Counters
from groundwork.sealing import Sealer
from groundwork.settings import SettingsRefused
from groundwork.telemetry.logs import log

_ANY_ACCOUNT = "select 1 from accounts limit 1"


@asynccontextmanager
async def open_registry(
    settings: PdsSettings,
    db: Database,
    clock: Clock,
    sealer: Sealer,
    counters: Counters,
    *,
    directory: Directory,
    network: IdentityResolver,
) -> AsyncIterator[Registry]:
    """Open the repositories, blobs and the firehose together with the accounts, and close them in reverse order.

    Raises ``SettingsRefused`` for an invalid key, and for a session secret that is too short for a new installation.
    """
    async with AsyncExitStack() as stack:
        repositories = await _open_repositories(settings, db, clock, sealer, stack)
        passwords = Passwords()
        stack.callback(passwords.close)
        yield Registry(
            db=db,
            clock=clock,
            repositories=repositories,
            passwords=passwords,
            tokens=SessionTokenSigner(
                await _session_secret(settings, db, sealer),
                settings.did,
                settings.jwt_secret_previous.reveal().encode(),
            ),
            email_tokens=EmailTokens(await server_keys.find_or_make(db, sealer, server_keys.EMAIL_TOKENS)),
            factor_keys=FactorKeys(sealer, await server_keys.find_or_make(db, sealer, server_keys.SECOND_FACTORS)),
            sends_mail=bool(settings.mail_url),
            directory=directory,
            network=network,
            counters=counters,
            rotation_key=await _rotation_key(settings, db, sealer),
            url=settings.url,
            handle_domains=settings.service_handle_domains,
            is_development=settings.dev_mode,
            has_wide_limits=settings.has_wide_limits,
            shares_private_addresses=settings.shares_private_addresses,
            counts_requests=settings.counts_requests,
            needs_invite=settings.needs_invite,
            confirms_email=settings.confirms_email,
            operators_key=parse_did_key(settings.recovery_did_key) if settings.recovery_did_key else None,
            hosts_did_web=settings.did_web_accounts,
            handle_quarantine=round(settings.handle_quarantine * SECOND),
            reserved_names=frozenset(name.strip().lower() for name in settings.reserved_names),
            earning=EarningRule(settings.invite_interval * 1000, Instant(settings.invite_epoch * 1000)),
        )


async def _open_repositories(
    settings: PdsSettings, db: Database, clock: Clock, sealer: Sealer, stack: AsyncExitStack
) -> Repositories:
    live = await open_live(db, max_frames=settings.firehose_buffer_frames, max_bytes=settings.firehose_buffer)
    stack.push_async_callback(live.close)
    blobs = BlobService(db, open_store(settings), UploadLimits(settings.blob_upload_limit, settings.blob_quota))
    stack.push_async_callback(blobs.wait_for_removals)
    return await open_repositories(
        db,
        live,
        SigningKeys(db, sealer),
        blobs,
        clock,
        # Random, so that two processes do not generate the same TID in the same microsecond.
        clock_id=secrets.randbelow(1024),
        node_cache_bytes=settings.node_cache,
        json_cache_bytes=settings.record_cache,
    )


async def _session_secret(settings: PdsSettings, db: Database, sealer: Sealer) -> bytes:
    configured = settings.jwt_secret.reveal().encode()
    secret = configured or await server_keys.find_or_make(db, sealer, server_keys.SESSION_SECRET)
    if len(secret) < MIN_SECRET_BYTES:
        why = (
            "PDS_JWT_SECRET is too short: anyone who guesses it can sign in as anyone. Set one of at least "
            f"{MIN_SECRET_BYTES} characters"
        )
        async with db.reader() as reader:
            if await reader.fetch_one(_ANY_ACCOUNT) is None:
                raise SettingsRefused([f"{why}."])
        # This is an existing installation, possibly imported from the reference PDS. Its sessions must stay valid.
        log.warning(
            "session_secret.too_short", advice=f"{why}, and the old one as PDS_JWT_SECRET_PREVIOUS for 90 days."
        )
    return secret


async def _rotation_key(settings: PdsSettings, db: Database, sealer: Sealer) -> PrivateKey:
    configured = settings.plc_rotation_key_k256_private_key_hex.reveal()
    try:
        if configured:
            return K256PrivateKey.from_bytes(bytes.fromhex(configured))
    except (Malformed, ValueError):
        why = "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX is not a private key of 32 bytes in hexadecimal."
        raise SettingsRefused([why]) from None
    return K256PrivateKey.from_bytes(await server_keys.find_or_make(db, sealer, server_keys.ROTATION_KEY))
