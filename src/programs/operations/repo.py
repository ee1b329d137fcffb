"""Verify a repository (CAR) or an account archive (ZIP), down to every hash (``openmeet repo verify``)."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import msgspec
import typer

from at_protocol.crypto.did_key import format_did_key
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import parse_did_document
from at_protocol.repo import car
from at_protocol.repo.commit import Commit, verify_commit
from at_protocol.repo.snapshot import Snapshot, read_snapshot
from programs.account_file import AccountFile, check_blobs, check_repository, is_archive, open_account_file
from programs.command_line import print_json, say, with_count


@dataclass(slots=True)
class RepositoryCheck:
    """Findings in the order of the checks. ``wrong``: the first error."""

    found: dict[str, object] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    wrong: str | None = None

    def note(self, line: str, **found: object) -> None:
        self.lines.append(line)
        self.found.update(found)


def verify(file: Path, did_doc: Path | None, *, as_json: bool) -> None:
    """Check the header, the hash of every block, the shape of the tree, every record and the commit's signature.

    Exits with 1 and the reason if anything is wrong.
    """
    document = None if did_doc is None else did_doc.read_bytes()
    report = examine_archive(file, document) if is_archive(file) else examine(file.read_bytes(), document)
    if as_json:
        print_json({"file": str(file), "ok": report.wrong is None, "wrong": report.wrong, **report.found})
    else:
        for line in report.lines:
            say(line)
        say(f"{file}: {'good' if report.wrong is None else 'WRONG: ' + report.wrong}")
    if report.wrong is not None:
        raise typer.Exit(1)


def examine(data: bytes, did_document: bytes | None) -> RepositoryCheck:
    """Check the bytes of a file up to the first error, using the author's DID document if there is one."""
    report = RepositoryCheck()
    try:
        file = car.read(data)
        note_file(report, file)
        snapshot = read_snapshot(file)
        note_snapshot(report, file, snapshot)
        note_signature(report, snapshot.commit, did_document)
    except Malformed as wrong:
        report.wrong = str(wrong)
    return report


def examine_archive(path: Path, did_document: bytes | None) -> RepositoryCheck:
    """Check an account archive up to the first error.

    Without a DID document, the signature is checked with the key that the archive itself names. That detects damage,
    but not forgery.
    """
    report = RepositoryCheck()
    try:
        with open_account_file(path) as file:
            owner = file.owner
            report.note(
                f"account    {owner.handle}, {file.did}, exported {owner.exported_at} from {owner.server}",
                handle=owner.handle,
                exported_at=owner.exported_at,
                server=owner.server,
            )
            blocks, snapshot = check_repository(file)
            note_file(report, blocks)
            note_snapshot(report, blocks, snapshot)
            if did_document is None:
                verify_commit(snapshot.commit, did=file.did, key=file.signing_key)
                key = format_did_key(file.signing_key)
                how = "according to the archive; --did-doc checks with another source"
                report.note(f"signature  by {key} ({how})", signature="good by the archive's own key", key=key)
            else:
                note_signature(report, snapshot.commit, did_document)
            note_blobs_and_preferences(report, file, snapshot)
    except Malformed as wrong:
        report.wrong = str(wrong)
    except (BadZipFile, OSError) as damaged:  # a wrong checksum in the ZIP file, or a disk error
        report.wrong = str(damaged)
    return report


def note_blobs_and_preferences(report: RepositoryCheck, file: AccountFile, snapshot: Snapshot) -> None:
    """Add the findings about blobs, whose hashes are checked here, and preferences."""
    size = check_blobs(file, snapshot)
    missing, withheld = len(file.summary.missing), len(file.summary.withheld)
    gaps = f"; {missing} already missing there" if missing else ""
    gaps += f"; {withheld} withheld by the host" if withheld else ""
    report.note(
        f"blobs      {len(file.blobs):,} with {with_count(size, 'byte')}, all hashes are correct{gaps}",
        blobs=len(file.blobs),
        blob_bytes=size,
        missing_blobs=missing,
        withheld_blobs=withheld,
    )
    report.note(f"private    {len(file.preferences)} preferences", preferences=len(file.preferences))


def note_file(report: RepositoryCheck, file: car.Car) -> None:
    """Add the findings about the header and the blocks. Their hashes were checked while reading."""
    repeated = file.section_count - len(file.blocks)
    roots = ", ".join(map(str, file.roots)) or "none"
    report.note(f"header     CAR version 1, root {roots}", roots=[str(root) for root in file.roots])
    report.note(
        f"blocks     {len(file.blocks)}, all hashes are correct{f', {repeated} repeated' if repeated else ''}",
        blocks=len(file.blocks),
        repeated_blocks=repeated,
    )


def note_snapshot(report: RepositoryCheck, file: car.Car, snapshot: Snapshot) -> None:
    """Add the findings about the commit, the tree and the records. Their form was checked while reading."""
    commit = snapshot.commit
    report.note(
        f"commit     {commit.did}, revision {commit.rev or 'none'}, version {commit.version}",
        did=commit.did,
        rev=commit.rev,
        version=commit.version,
        commit=str(commit.cid),
    )
    unlinked = len(file.blocks) - len({commit.cid, *snapshot.nodes, *snapshot.records})
    report.note(
        f"tree       {len(snapshot.nodes)} nodes, canonical{f'; {unlinked} blocks unreachable' if unlinked else ''}",
        data=str(commit.data),
        nodes=len(snapshot.nodes),
        unlinked_blocks=unlinked,
    )
    collections = Counter(path.partition("/")[0] for path in snapshot.entries)
    report.note(
        f"records    {len(snapshot.entries):,} in {with_count(len(collections), 'collection')}",
        records=len(snapshot.entries),
        collections=dict(collections),
    )
    report.lines += [f"           {count:6} {name}" for name, count in sorted(collections.items())]
    if snapshot.flaws:
        report.note(
            f"odd        {with_count(len(snapshot.flaws), 'record')} that a server would refuse to write",
            flaws=snapshot.flaws,
        )
        report.lines += [f"           {path}: {why}" for path, why in snapshot.flaws.items()]
    if snapshot.odd_paths:
        raise Malformed("record path", next(iter(snapshot.odd_paths)), next(iter(snapshot.odd_paths.values())))


def note_signature(report: RepositoryCheck, commit: Commit, did_document: bytes | None) -> None:
    """Check the commit's signature with the key in the account's DID document. Raises Malformed."""
    if did_document is None:
        report.note("signature  not checked: give the account's DID document with --did-doc", signature="not checked")
        return
    report.found["signature"] = "wrong"
    try:
        parsed = msgspec.json.decode(did_document)
    except msgspec.DecodeError as error:
        raise Malformed("did document", did_document[:50], "not JSON") from error
    key = parse_did_document(parsed, commit.did).signing_key
    if key is None:
        raise Malformed("did document", commit.did, "has no readable #atproto key")
    verify_commit(commit, did=commit.did, key=key)
    report.note(f"signature  by {format_did_key(key)}", signature="good", key=format_did_key(key))
