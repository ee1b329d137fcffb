"""Survey of the old folder: contents, damage, and data that would be lost. It is made before anything is written."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from at_protocol.failures import Malformed
from aurora_locus import reference_settings
from aurora_locus.reference_import import apps, events, files, repositories
from aurora_locus.reference_import.old_folder import OldFolder, open_read_only
from aurora_locus.reference_import.people import ReferenceAccount, people

# Called with the number done, the total, and the current subject.
Progress = Callable[[int, int, str], None]

_COUNTS = {
    # Rows left behind by deleted accounts are ignored.
    "app passwords": "select count(*) from app_password where did in (select did from actor)",
    "sessions": "select count(*) from refresh_token where did in (select did from actor)",
    "invite codes": "select count(*) from invite_code",
}
_DEVICES = "select count(*) from account_device"


@dataclass(slots=True)
class Survey:
    """Result of the survey. ``counts`` has a number for each noun. ``damaged`` has sentences about accounts and blobs
    that cannot be imported as they are, ``lost`` about data that this server cannot store, ``odd`` about records that
    are kept although a new write of them would be refused.

    ``seconds`` is the estimated duration, if it was measured. ``last_number`` is the last sequence number of the old
    firehose; ``next_after`` is the new server's last number after the import, which may be higher.
    """

    people: list[ReferenceAccount] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    last_number: int = 0
    next_after: int = 0
    seconds: float | None = None
    damaged: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    def count(self, noun: str, more: int) -> None:
        self.counts[noun] = self.counts.get(noun, 0) + more


def survey(folder: OldFolder, environment: Mapping[str, str], scratch: Path, progress: Progress) -> Survey:
    """Read everything: each block of each repository, each row of a blob. Damage is reported, not raised."""
    findings = Survey()
    with open_read_only(folder.accounts, scratch) as accounts:
        findings.people = list(people(accounts))
        findings.count("accounts", len(findings.people))
        for noun, statement in _COUNTS.items():
            findings.count(noun, accounts.execute(statement).fetchone()[0])
        _survey_apps(findings, accounts)
    with open_read_only(folder.sequencer, scratch) as sequencer:
        findings.last_number = events.last_number(sequencer)
    for done, person in enumerate(findings.people):
        progress(done, len(findings.people), person.new_handle)
        _survey_account(findings, folder, scratch, person)
    progress(len(findings.people), len(findings.people), "")
    _survey_environment(findings, environment)
    return findings


def _survey_account(findings: Survey, folder: OldFolder, scratch: Path, person: ReferenceAccount) -> None:
    if person.handle is None:
        findings.lost.append(
            f"{person.did} has no handle; it is called {person.new_handle} until its owner chooses one."
        )
    if not folder.store(person.did).is_file():
        findings.damaged.append(f"{person.did} ({person.new_handle}) has no store {folder.store(person.did)}.")
        return
    with open_read_only(folder.store(person.did), scratch) as store:
        try:
            repository = repositories.read(store, person, folder.actor(person.did) / "key")
            if person.commit is not None and person.commit != str(repository.plan.commit.cid):
                # The old server writes this value after the repository itself, and to another database.
                findings.lost.append(f"{person.did}: account.sqlite has an older head; that of the repository counts.")
            for path, why in repository.plan.flaws.items():
                findings.odd.append(f"at://{person.did}/{path}: {why}.")
            for path, why in repository.plan.refused.items():
                findings.lost.append(f"{person.did}: the path {path!r} is left out: {why}.")
            if repository.is_foreign:
                findings.lost.append(
                    f"{person.did}: its head was signed with another key, as after a migration without writes since; "
                    "it is signed again with its key here, and announced with #sync."
                )
            findings.count("records", len(repository.plan.changes))
            findings.count("blocks", repository.blocks)
            for blob in files.blobs(folder, store, person.did):
                findings.count("blobs", 1)
                findings.count("bytes of blobs", blob.size)
                if blob.file is None and folder.blobs is not None:
                    findings.lost.append(f"{person.did}: the file of blob {blob.cid} is gone; its record stays.")
        except Malformed as error:
            findings.damaged.append(f"{person.did} ({person.new_handle}): {error.kind} {error.value}: {error.why}.")


def _survey_apps(findings: Survey, accounts: sqlite3.Connection) -> None:
    active_count, ending_count = apps.count(accounts)
    findings.count("sessions of apps (OAuth)", active_count)
    if ending_count:
        findings.lost.append(
            f"{ending_count} OAuth sessions cannot be refreshed; their users must authorize the apps again, once."
        )
    devices = accounts.execute(_DEVICES).fetchone()[0]
    if devices:
        findings.lost.append(f"{devices} browsers are signed in on the server's own pages; they must sign in again.")


def _survey_environment(findings: Survey, environment: Mapping[str, str]) -> None:
    for name in reference_settings.unknown(name for name, value in environment.items() if value):
        findings.lost.append(f"{reference_settings.advice_on(name)}.")
    if environment.get("PDS_BLOBSTORE_S3_BUCKET"):
        findings.damaged.append(
            "Blobs are in a bucket: copy it to a folder (blocks/ and quarantine/ of it), and name that folder as "
            "PDS_BLOBSTORE_DISK_LOCATION in a copy of the environment file, without PDS_BLOBSTORE_S3_…."
        )
    if environment.get("PDS_PLC_ROTATION_KEY_KMS_KEY_ID"):
        findings.damaged.append(
            "The rotation key is in a key service, so this server could not change identities: put a key into "
            "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX that each account's operations name."
        )
