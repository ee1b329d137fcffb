"""The rows of the dispatcher's table for ``com.atproto.admin.*``."""

from functools import partial

from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.authentication import Need
from aurora_locus.xrpc.com_atproto_admin import (
    disable_invite_codes,
    get_account_info,
    get_account_infos,
    get_subject_status,
    update_subject_status,
)
from aurora_locus.xrpc.method import Method, procedure, query


def methods(registry: Registry) -> list[Method]:
    """Every method of the administration, over the running server's registry."""
    admin = "com.atproto.admin"
    return [
        procedure(f"{admin}.disableInviteCodes", partial(disable_invite_codes.run, registry), Need.ADMIN),
        query(f"{admin}.getAccountInfo", partial(get_account_info.run, registry), Need.ADMIN),
        query(f"{admin}.getAccountInfos", partial(get_account_infos.run, registry), Need.ADMIN),
        query(f"{admin}.getSubjectStatus", partial(get_subject_status.run, registry), Need.ADMIN),
        procedure(f"{admin}.updateSubjectStatus", partial(update_subject_status.run, registry), Need.ADMIN),
    ]
