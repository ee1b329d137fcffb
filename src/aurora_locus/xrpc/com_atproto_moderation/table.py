"""Method table of ``com.atproto.moderation.*``."""

from functools import partial

from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.authentication import Need
from aurora_locus.xrpc.com_atproto_moderation import create_report
from aurora_locus.xrpc.limits import per_account, with_limits
from aurora_locus.xrpc.method import Method, procedure
from groundwork.rate_limit.contract import Limit

# Frequent reporters are useful, but moderators must look at each report.
CREATE_REPORT = (Limit("create_report", 60, 3600), Limit("create_report_daily", 300, 86400))


def methods(registry: Registry) -> list[Method]:
    """The methods of ``com.atproto.moderation``: createReport."""
    run = with_limits(registry, per_account(*CREATE_REPORT), partial(create_report.run, registry))
    return [procedure("com.atproto.moderation.createReport", run, Need.ACCESS)]
