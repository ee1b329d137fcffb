"""Permissions: the whole table, and that every action checks it."""

import pytest

from aurora_locus.i18n.catalogue import speaking
from aurora_locus.i18n.sentences import explain
from aurora_locus.moderation.roles import ADMINISTRATION, LEAST_ROLE, OperatorAction, OperatorRole, PdsOperator
from groundwork.errors import Forbidden

# Written out, so that a change of the code's table requires a change here.
MAY = {
    OperatorAction.SEE: "moderator admin superadmin",
    OperatorAction.TAKE_DOWN: "moderator admin superadmin",
    OperatorAction.RESTORE: "moderator admin superadmin",
    OperatorAction.ANNOUNCE: "moderator admin superadmin",
    OperatorAction.SUSPEND: "moderator admin superadmin",
    OperatorAction.END_SUSPENSION: "moderator admin superadmin",
    OperatorAction.DEACTIVATE: "moderator admin superadmin",
    OperatorAction.REACTIVATE: "moderator admin superadmin",
    OperatorAction.DISABLE_INVITES: "moderator admin superadmin",
    OperatorAction.ENABLE_INVITES: "moderator admin superadmin",
    OperatorAction.DISABLE_CODES: "moderator admin superadmin",
    OperatorAction.SEND_EMAIL: "moderator admin superadmin",
    OperatorAction.WORK_ON_REPORT: "moderator admin superadmin",
    OperatorAction.LABEL: "moderator admin superadmin",
    OperatorAction.CREATE_CODES: "admin superadmin",
    OperatorAction.CREATE_ACCOUNT: "admin superadmin",
    OperatorAction.SEND_RESET: "admin superadmin",
    OperatorAction.REMOVE_SECOND_FACTORS: "superadmin",
    OperatorAction.CHANGE_EMAIL: "superadmin",
    OperatorAction.CHANGE_HANDLE: "admin superadmin",
    OperatorAction.RELEASE_HANDLE: "admin superadmin",
    OperatorAction.SET_QUOTA: "admin superadmin",
    OperatorAction.DELETE: "admin superadmin",
    OperatorAction.REQUEST_CRAWL: "admin superadmin",
    OperatorAction.SWEEP_BLOBS: "admin superadmin",
    OperatorAction.SET_PASSWORD: "superadmin",
    OperatorAction.CHANGE_SIGNING_KEY: "superadmin",
    OperatorAction.MANAGE_OPERATORS: "superadmin",
}


@pytest.mark.parametrize("role", OperatorRole, ids=str)
@pytest.mark.parametrize("act", OperatorAction, ids=str)
def test_every_role_may_do_exactly_its_actions(role: OperatorRole, act: OperatorAction) -> None:
    operator = PdsOperator("somebody", role)
    if role.value in MAY[act].split():
        operator.require(act)
    else:
        with pytest.raises(Forbidden) as refused:
            operator.require(act)
        assert f"needs the role {LEAST_ROLE[act]}." in explain(refused.value.why)
        with speaking("de"):
            assert f"die Rolle {LEAST_ROLE[act]}." in explain(refused.value.why)


def test_password_of_the_settings_belongs_to_a_superadmin() -> None:
    assert all(ADMINISTRATION.may(act) for act in OperatorAction)
