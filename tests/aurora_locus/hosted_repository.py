"""A repository under test. Tests write to it as its owner would, and read it as a careful firehose consumer would."""

import hashlib
from base64 import b32encode
from dataclasses import dataclass

from at_protocol.crypto.did_key import PublicKey
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.lexicon.catalog import Catalog
from at_protocol.sync import events, verify
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from aurora_locus.repository import hosting
from aurora_locus.repository.commit import commit
from aurora_locus.repository.model import DurableCommit, HostingStatus, NoSwapRecord, PreparedWrite, WriteAction
from aurora_locus.repository.prepare import check_blobs, prepare_deletion, prepare_record
from aurora_locus.repository.repositories import Repositories
from aurora_locus.sequencer import queries
from groundwork.database.transaction import Database, Writer

NOTE = Nsid("org.example.note")
CATALOG = Catalog()


@dataclass(frozen=True)
class HostedRepository:
    """One repository."""

    repositories: Repositories
    did: Did
    key: K256PrivateKey

    @classmethod
    def named(cls, repositories: Repositories, name: str) -> "HostedRepository":
        """Derive DID and key from the name."""
        secret = hashlib.sha256(name.encode()).digest()
        did = Did("did:plc:" + b32encode(secret)[:24].decode().lower())
        return cls(repositories, did, K256PrivateKey.from_random(secret + secret))

    @classmethod
    async def make(
        cls, repositories: Repositories, name: str, status: HostingStatus = HostingStatus.ACTIVE
    ) -> "HostedRepository":
        made = cls.named(repositories, name)
        did, key = made.did, made.key
        beginning = hosting.begin(repositories, did, key)

        def work(w: Writer) -> None:
            hosting.create(w, beginning, status)
            repositories.keys.make_current(w, did, key)
            if status is HostingStatus.ACTIVE:
                hosting.announce_creation(w, repositories, Handle(f"{name}.test"), beginning)

        await repositories.db.write(work)
        return made

    def prepare(
        self,
        rkey: str | None,
        value: Value,
        action: WriteAction = WriteAction.CREATE,
        *,
        collection: Nsid = NOTE,
        validate: bool | None = None,
        swap: Cid | NoSwapRecord | None = NoSwapRecord.ANYTHING,
    ) -> PreparedWrite:
        return prepare_record(
            CATALOG,
            action,
            collection,
            None if rkey is None else RecordKey(rkey),
            value,
            validate=validate,
            fresh_key=self.repositories.fresh_record_key(),
            swap=swap,
        )

    async def write(self, *writes: PreparedWrite, swap_commit: Cid | None = None) -> DurableCommit | None:
        await check_blobs(self.repositories.db, self.did, writes)
        return await commit(self.repositories, self.did, writes, swap_commit=swap_commit)

    async def create(self, rkey: str | None, text: str = "hello", **more: Value) -> PreparedWrite:
        write = self.prepare(rkey, {"text": text, **more})
        await self.write(write)
        return write

    async def put(self, rkey: str, text: str, **more: Value) -> DurableCommit | None:
        return await self.write(self.prepare(rkey, {"text": text, **more}, WriteAction.PUT))

    async def delete(self, rkey: str, swap: Cid | NoSwapRecord | None = NoSwapRecord.ANYTHING) -> DurableCommit | None:
        return await self.write(prepare_deletion(NOTE, RecordKey(rkey), swap=swap))


async def frames_after(db: Database, position: int = 0) -> list[tuple[int, bytes]]:
    """The whole log after a sequence number."""
    found: list[tuple[int, bytes]] = []
    while page := await queries.page(db, found[-1][0] if found else position, 1000):
        found += page
    return found


async def messages(db: Database, did: Did | None = None) -> list[events.Sequenced]:
    """The announced messages of everybody or of one account."""
    read = [events.read(frame) for _, frame in await frames_after(db)]
    return [
        message
        for message in read
        if isinstance(message, events.Sequenced)
        and did in (None, message.repo if isinstance(message, events.CommitMessage) else message.did)
    ]


async def verify_log(db: Database, did: Did, key: PublicKey, now: int) -> dict[str, Value]:
    """Check every commit of an account as a careful consumer does, each against the previous one, and return the final
    records.

    Raises verify.Refused if a commit is invalid.
    """
    known: verify.RepoHead | None = None
    records: dict[str, Value] = {}
    for message in await messages(db, did):
        if isinstance(message, events.CommitMessage):
            seen = _first(message, key, now) if message.prev_data is None else _verified(message, key, now, known)
            for operation in seen.operations:
                if operation.record is None:
                    del records[operation.path]
                else:
                    records[operation.path] = cbor.decode(operation.record)
            known = seen.head
    return records


def _verified(
    message: events.CommitMessage, key: PublicKey, now: int, known: verify.RepoHead | None
) -> verify.VerifiedCommit:
    return verify.verify_commit_message(message, key, now_us=now, last_head=known)


def _first(message: events.CommitMessage, key: PublicKey, now: int) -> verify.VerifiedCommit:
    return verify.verify_commit_message(message, key, now_us=now, verification=verify.LENIENT)
