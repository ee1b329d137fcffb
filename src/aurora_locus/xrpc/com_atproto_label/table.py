"""Method table of ``com.atproto.label.*``."""

from collections.abc import Mapping
from functools import partial

from aurora_locus.moderation.labels import Labels
from aurora_locus.xrpc.com_atproto_label import query_labels, subscribe_labels
from aurora_locus.xrpc.dispatch import Subscription
from aurora_locus.xrpc.method import Method, query


def methods(own: Labels) -> list[Method]:
    """The methods of ``com.atproto.label``: queryLabels."""
    return [query("com.atproto.label.queryLabels", partial(query_labels.run, own))]


def streams(own: Labels) -> Mapping[str, Subscription]:
    """The streams of ``com.atproto.label``: subscribeLabels."""
    return {subscribe_labels.NSID: subscribe_labels.subscribe_labels(own)}
