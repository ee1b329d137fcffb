"""No row of the PDS contains an English sentence about a failure. It contains a code and parameters, which pages explain
in any language.
"""

import importlib
import pkgutil
import re
from typing import Final

import pytest

import aurora_locus
from aurora_locus.account_migration.moves import MoveReason
from aurora_locus.i18n.sentences import MESSAGES, explain
from aurora_locus.maintenance import history
from groundwork.clock import HandClock
from groundwork.errors import FailureReason, Reason, Refused, RemoteSlow, reason_of
from tests.aurora_locus.account_migration.leaving_account import store_failed_move
from tests.aurora_locus.deployment import Deployment
from tests.databases import MakeDatabase
from tests.stored_reasons import columns_about_failures, texts_with, unexplained

# Columns with a reason as ``encode_explanation`` stores it.
PACKED: Final = {("backups", "reason"), ("moves", "problem")}
# Columns with a text that operators or reporters typed.
OTHERS: Final = {("audit_log", "reason"), ("reports", "reason")}
# Messages without parameters that are too long to be typed by chance.
SENTENCES: Final = {one for one in MESSAGES.values() if "%(" not in one and one.count(" ") > 3}


def test_every_code_has_a_message_and_every_message_a_code() -> None:
    for module in pkgutil.walk_packages(aurora_locus.__path__, "aurora_locus."):
        if ".migrations." not in module.name:
            importlib.import_module(module.name)
    # Tests of OpenMeet in the same process may have imported its reasons.
    ours = [kind for kind in Reason.__subclasses__() if kind.__module__.startswith("aurora_locus.")]
    codes = [*map(str, FailureReason), *(member.value for kind in ours for member in kind)]
    assert sorted(codes) == sorted(MESSAGES)
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", code)] == []


async def test_every_column_about_failures_is_listed(make_sqlite: MakeDatabase) -> None:
    """A new column contains encoded reasons, or is listed in this file with its content."""
    assert await columns_about_failures(await make_sqlite("aurora_locus")) == PACKED | OTHERS


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_failures_are_stored_as_codes(deployment: Deployment, clock: HandClock) -> None:
    """The test stores the problem of a move, and backups that failed, were interrupted, and had been running when the
    database was restored from them.
    """
    db, ada = deployment.db, await deployment.sign_up("ada")
    failure = RemoteSlow(MoveReason.NOT_ACTIVE_YET, problem=reason_of(Refused("The document is outdated.")))
    await store_failed_move(db, ada.did, reason_of(failure))
    await history.begin(db, "failed")
    await history.end(db, "failed", reason=reason_of(Refused("The backup's database is incomplete.")))
    await history.begin(db, "interrupted")
    clock.turn(history.SILENCE)
    await history.begin(db, "restored")
    await db.write(history.fail_running)
    assert await unexplained(db, PACKED, explain) == []
    assert await texts_with(db, SENTENCES) == []
    async with db.reader() as reader:
        assert len(await reader.fetch("select 1 from backups where reason <> ''")) == 3
        assert len(await reader.fetch("select 1 from moves where problem <> ''")) == 1


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_stored_sentence_is_found(deployment: Deployment) -> None:
    said = '{"code":"We can’t read what was sent.","params":{}}'
    async with deployment.db.transaction() as tx:
        await tx.execute(
            "insert into backups (id, state, started_at, heartbeat_at, reason) values ('x', 'failed', 0, 0, :said)",
            said=said,
        )
    assert await unexplained(deployment.db, PACKED, explain) == [f"backups.reason: {said}"]
    assert await texts_with(deployment.db, SENTENCES) == [f"backups: {said}"]
