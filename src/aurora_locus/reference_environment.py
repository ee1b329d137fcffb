"""Defaults for an environment that was written for the reference PDS, for instance by its installer."""

from collections.abc import Mapping
from typing import Any

_ROTATION_KEY = "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX"


def is_reference(environment: Mapping[str, str], table: Mapping[str, Any] | None = None) -> bool:
    """Whether these settings were written for the reference PDS: they contain the rotation key, which its installer
    sets, or ``PDS_CRAWLERS``, but no ``PDS_FEDERATION_*``.
    """
    names_federation = any(name.startswith("PDS_FEDERATION_") for name in environment) or any(
        name.startswith("federation_") for name in table or {}
    )
    return not names_federation and any(environment.get(name, "").strip() for name in (_ROTATION_KEY, "PDS_CRAWLERS"))


def reference_defaults(hostname: str, environment: Mapping[str, str], table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of the reference PDS, by setting name, for settings that its environment leaves out.

    Federation is on, crawls are requested from relays if any are configured, the host's own name is the handle domain,
    and proxies in private networks are trusted.
    """

    def is_given(name: str) -> bool:
        return bool(environment.get(f"PDS_{name.upper()}", "").strip()) or name in table

    defaults: dict[str, Any] = {
        "federation_enabled": True,
        "federation_firehose_enabled": True,
        "federation_crawl_enabled": True,
        "federation_auto_stream": is_given("crawlers"),
    }
    if not is_given("service_handle_domains"):
        defaults["service_handle_domains"] = (".test" if hostname == "localhost" else f".{hostname}",)
    if not is_given("did_plc_url"):
        defaults["did_plc_url"] = "https://plc.directory"
    if not is_given("trusted_proxy_hops") and not is_given("trusted_private_proxies"):
        defaults["trusted_private_proxies"] = True
    return defaults
