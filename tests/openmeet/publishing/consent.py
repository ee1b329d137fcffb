"""What people in the small network let the site publish."""

from dataclasses import replace

from openmeet.domain.events.model import RecordSettings
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.series import record_settings
from openmeet.domain.users.model import Caller
from tests.openmeet.deployment import Deployment


async def withdraw_consent(deployment: Deployment, person: Caller) -> None:
    async with deployment.db.transaction() as tx:
        await identities.withdraw(tx, person.user_id)


async def renew_cleos_consent(deployment: Deployment, person: Caller) -> None:
    """Let Cleo agree again, with the handle of her own account."""
    async with deployment.db.transaction() as tx:
        await identities.grant_consent(tx, person.user_id, handle="cleo.town.test")


async def change_preferences(deployment: Deployment, who: Caller, **wanted: object) -> None:
    async with deployment.db.transaction() as tx:
        before = await publishing_preferences.of_user(tx, who.user_id)
        await publishing_preferences.change(tx, who.user_id, replace(before, **wanted))


async def choose_record_settings(deployment: Deployment, host: Caller, slug: str, settings: RecordSettings) -> None:
    async with deployment.db.transaction() as tx:
        await record_settings.change_event(tx, host, slug, settings)
