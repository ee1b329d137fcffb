"""A group or series is taken off the network and published again, another app deletes and restores its record, and the
database is restored from a backup, in any order. The last decision counts, wherever it was made.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from groundwork.clock import MINUTE, HandClock, Instant
from openmeet.feature_flags.flags import Flag
from openmeet.outbox.publications import PublicationKind, retry_now
from tests.databases import MakeDatabase
from tests.openmeet.backups import back_up_deployment
from tests.openmeet.deployment import open_deployment
from tests.openmeet.publishing.test_groups import records, switch_flag
from tests.openmeet.publishing.test_groups_and_series_restored_elsewhere import delete_elsewhere
from tests.openmeet.publishing.test_restored_groups_and_series import (
    collection_of,
    only_record,
    published,
    rows,
    settle,
    show,
    write,
)

START = Instant(1_772_000_000_000_000)
WITHDRAW, PUBLISH, DELETE, RESTORE = "withdraw", "publish", "delete elsewhere", "restore elsewhere"
BACK_UP, RESTORE_DATABASE = "back up", "restore the database"
moves = st.lists(
    st.sampled_from((WITHDRAW, PUBLISH, DELETE, RESTORE, BACK_UP, RESTORE_DATABASE)), min_size=3, max_size=8
)


@pytest.mark.parametrize("kind", [PublicationKind.GROUP, PublicationKind.SERIES])
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=moves)
@example(history=[WITHDRAW, BACK_UP, PUBLISH, RESTORE_DATABASE, WITHDRAW])
@example(history=[DELETE, RESTORE, BACK_UP, DELETE, PUBLISH, RESTORE_DATABASE])
@example(history=[DELETE, BACK_UP, RESTORE, RESTORE_DATABASE, WITHDRAW, RESTORE])
async def test_the_last_decision_counts_after_any_history(
    make_sqlite: MakeDatabase, tmp_path_factory: Any, kind: PublicationKind, history: list[str]
):
    clock = HandClock(START)
    db = await make_sqlite("openmeet", clock=clock)
    async with open_deployment(db, make_sqlite, clock, tmp_path_factory.mktemp("deployment")) as deployment:
        await switch_flag(deployment, Flag.GROUPS, Flag.SERIES_LEXICON)
        ana, subject = await published(deployment, kind)
        await settle(deployment, ana)
        uri, record = await only_record(deployment, ana, subject)
        # Whether it is public, and if it is not, whether another app deleted the record.
        is_there, is_lost = True, False
        restore_database, before = await back_up_deployment(deployment), (is_there, is_lost)
        for move in history:
            clock.turn(MINUTE)  # sessions at the PDS outlast the history
            match move:
                case "withdraw":
                    await show(deployment, ana, subject, is_public=False)
                    is_there, is_lost = False, False
                case "publish":
                    await show(deployment, ana, subject, is_public=True)
                    async with db.transaction() as tx:
                        await tx.execute("update groups set sync_enabled = 1 where id = :id", id=subject.id)
                        await retry_now(tx, kind=kind, subject_id=subject.id)
                    is_there, is_lost = True, False
                case "delete elsewhere" if is_there:
                    await delete_elsewhere(deployment, ana, uri)
                    is_there, is_lost = False, True
                case "restore elsewhere" if not is_there:
                    await write(deployment, ana, uri, record)
                    is_there, is_lost = is_lost, False
                case "back up":
                    restore_database, before = await back_up_deployment(deployment), (is_there, is_lost)
                case "restore the database":
                    await restore_database()
                    # A deletion that the backup does not know looks like one by another app.
                    is_lost = not is_there and any(before)
            await settle(deployment, ana)
            own = await records(deployment, ana, collection_of(subject))
            assert list(own) == ([uri] if is_there else []), move
            assert await rows(deployment, subject) == [(subject.id, uri if is_there else None)], move
