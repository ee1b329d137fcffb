"""What happens by the clock: groups whose owner is not there pass on. One transaction per group."""

from groundwork.database.transaction import Database
from openmeet.domain.groups import ownership, succession


async def pass_on(db: Database) -> int:
    """Begin the successions whose time has come, and let those that run go on; how many groups it concerned."""
    async with db.reader() as reader:
        alone = await ownership.left_alone(reader)
        running = await ownership.in_succession(reader)
    moved = 0
    for group_id in alone:
        async with db.transaction() as tx:
            moved += await succession.begin_by_clock(tx, group_id)
    for group_id in running:
        async with db.transaction() as tx:
            moved += await succession.go_on_by_clock(tx, group_id) is not None
    return moved
