"""Who may do what: the whole table, and that every act asks for it."""

import pytest

from aurora_locus.moderation.roles import ADMINISTRATION, LEAST, Act, Operator, Role
from groundwork.errors import Forbidden

# Written out, so that a change of the table is a change of this one.
MAY = {
    Act.SEE: "moderator admin superadmin",
    Act.TAKE_DOWN: "moderator admin superadmin",
    Act.RESTORE: "moderator admin superadmin",
    Act.ANNOUNCE: "moderator admin superadmin",
    Act.SUSPEND: "moderator admin superadmin",
    Act.END_SUSPENSION: "moderator admin superadmin",
    Act.DEACTIVATE: "moderator admin superadmin",
    Act.REACTIVATE: "moderator admin superadmin",
    Act.DISABLE_INVITES: "moderator admin superadmin",
    Act.ENABLE_INVITES: "moderator admin superadmin",
    Act.DISABLE_CODES: "moderator admin superadmin",
    Act.SEND_EMAIL: "moderator admin superadmin",
    Act.WORK_ON_REPORT: "moderator admin superadmin",
    Act.LABEL: "moderator admin superadmin",
    Act.CREATE_CODES: "admin superadmin",
    Act.CREATE_ACCOUNT: "admin superadmin",
    Act.SEND_RESET: "admin superadmin",
    Act.CHANGE_EMAIL: "superadmin",
    Act.CHANGE_HANDLE: "admin superadmin",
    Act.RELEASE_HANDLE: "admin superadmin",
    Act.SET_QUOTA: "admin superadmin",
    Act.DELETE: "admin superadmin",
    Act.REQUEST_CRAWL: "admin superadmin",
    Act.SWEEP_BLOBS: "admin superadmin",
    Act.SET_PASSWORD: "superadmin",
    Act.CHANGE_SIGNING_KEY: "superadmin",
    Act.MANAGE_OPERATORS: "superadmin",
}


@pytest.mark.parametrize("role", Role, ids=str)
@pytest.mark.parametrize("act", Act, ids=str)
def test_every_role_with_every_act(role: Role, act: Act) -> None:
    operator = Operator("somebody", role)
    if role.value in MAY[act].split():
        operator.require(act)
    else:
        with pytest.raises(Forbidden, match=f"needs the role {LEAST[act]}"):
            operator.require(act)


def test_password_of_the_settings_is_a_superadmins() -> None:
    assert all(ADMINISTRATION.may(act) for act in Act)
