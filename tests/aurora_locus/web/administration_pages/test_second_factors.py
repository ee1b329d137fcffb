"""Operators help people who lost every second factor."""

import pytest

from aurora_locus.accounts.second_factors import queries as factors
from aurora_locus.moderation.roles import OperatorRole
from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.moderation.operators import acts
from tests.aurora_locus.web.administration_pages.operator_browser import PASSWORD, act, add_operator, signed_in_operator


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_lost_second_factors_can_be_removed_by_a_superadmin(deployment: Deployment) -> None:
    """A superadmin removes the second factors of somebody who lost them all, who then gets in with the password.
    Without second factors the action is not offered.
    """
    ana = await deployment.sign_up("ana")
    registry = deployment.pds.registry
    await registry.db.write(lambda w: factors.set_mail(w, ana.did, is_on=True))
    await add_operator(deployment, "mod", OperatorRole.ADMIN)
    async with signed_in_operator(deployment, "mod", PASSWORD) as mod:
        assert (await mod.get(f"/admin/accounts/{ana.did}/remove-second-factors")).status_code == 403
    async with signed_in_operator(deployment) as admin:
        assert (await act(admin, ana.did, "remove-second-factors")).status_code == 303
        again = await act(admin, ana.did, "remove-second-factors")
        assert (again.status_code, "already signs in with its password alone" in again.text) == (422, True)
    async with registry.db.reader() as reader:
        assert not (await factors.find(reader, ana.did)).are_set
    assert (await acts(deployment)).count("account.remove_second_factors") == 1
