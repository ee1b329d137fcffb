"""Switch a feature flag, record the reason and apply the effects. Used by the page, the API and the command."""

from typing import Final

from groundwork.database.transaction import Database
from groundwork.errors import InvalidInput, NotFound
from openmeet.feature_flags.flags import Flag
from openmeet.i18n.markdown import one_line
from openmeet.network.firehose import sources
from openmeet.network.ingestion.flag_effects import switch
from openmeet.network.ingestion.reasons import IngestionReason

MAX_WHY: Final = 200


def flag_named(name: str) -> Flag:
    """Return the feature flag with this name. Raises NotFound."""
    try:
        return Flag(name)
    except ValueError:
        raise NotFound(IngestionReason.NO_SUCH_FLAG, flags=", ".join(flag.value for flag in Flag)) from None


async def switch_flag(
    db: Database, installation: Database, flag: Flag, *, is_on: bool, changed_by: str, why: str
) -> bool:
    """Switch the flag. Returns False and stores nothing if it already had this value.

    ``changed_by`` and ``why`` are stored for the record. Raises InvalidInput if no reason is given.
    """
    why = one_line(why)
    if not why or len(why) > MAX_WHY:
        raise InvalidInput("why", IngestionReason.WHY_NEEDED, most=MAX_WHY)
    async with installation.reader() as reader:
        followed = (await sources.load(reader)).followed
    async with db.transaction() as tx:
        return await switch(tx, flag, is_on=is_on, changed_by=changed_by, why=why, followed=followed)
