"""Communities in the settings file: each has its own site, nothing is shared by accident, and errors are explained."""

from pathlib import Path
from typing import Any

import pytest

from groundwork.settings import SettingsRefused
from openmeet.settings import Settings
from openmeet.tenants.configured import VARIABLE, checked, read_tenants

VILLAGE = {"name": "village", "public_url": "https://village.town.net", "site_name": "The village"}
TOWN = {
    "public_url": "https://meet.town.net",
    "site_name": "Town",
    "moderators": ["ana@town.net"],
    "operators": ["ana@town.net"],
    "data_directory": "/srv/town",
    "mail_url": "smtp://mail.town.net:25",
    "mail_from": "Town meets <no-reply@town.net>",
    "plc_url": "https://plc.directory",
    "pds_url": "https://pds.town.net",
    "pds_admin_password": "a-password",
    "pds_rate_limit_bypass_key": "a-key",
    "time_zone": "Europe/Berlin",
}


def read(*tenants: dict[str, object], **changes: object) -> dict[str, Settings]:
    return read_tenants({**TOWN, **changes, "tenants": list(tenants)}, {})


def refusal(*tenants: dict[str, object], **changes: object) -> str:
    with pytest.raises(SettingsRefused) as refused:
        checked(read(*tenants, **changes))
    return str(refused.value)


def test_without_tables_there_is_one_community():
    """An installation that names no communities is read as in earlier versions without communities."""
    found = read_tenants(TOWN, {})
    assert list(found) == ["default"]
    assert found["default"].tenant_database_url == "sqlite:////srv/town/openmeet.db"
    assert found["default"].broker_name == "openmeet"


def test_a_community_inherits_the_installations_settings():
    found = checked(read(VILLAGE, firehose_urls=["wss://pds.town.net"]))
    village = found["village"]
    assert village.site_name == "The village"
    assert village.time_zone == "Europe/Berlin"
    assert village.plc_url == "https://plc.directory"
    assert village.firehose_urls == ("wss://pds.town.net",)
    assert village.installation_database_url == found["default"].installation_database_url


def test_a_community_inherits_nothing_that_grants_access():
    """The community has its own files, queue and users. Operators and moderators of the default site have no rights on
    it.
    """
    village = checked(read(VILLAGE))["village"]
    assert village.data_directory == Path("/srv/town/tenants/village")
    assert village.tenant_database_url == "sqlite:////srv/town/tenants/village/openmeet.db"
    assert village.broker_name == "openmeet-village"
    assert village.moderators == ()
    assert village.operators == ()


def test_a_postgresql_installation_gives_each_community_a_schema():
    found = checked(read({**VILLAGE, "name": "north-side"}, database_url="postgresql://db.town.net/openmeet"))
    assert found["north-side"].database_url == "postgresql://db.town.net/openmeet"
    assert found["north-side"].database_schema == "tenant_north_side"


def test_mail_is_sent_in_the_communitys_name():
    """The community's e-mails come from the installation's address, without the default site's name and reply address."""
    assert read(VILLAGE)["village"].mail_from == "no-reply@town.net"
    own = read({**VILLAGE, "mail_from": "Us <us@village.net>"}, mail_reply_to="town@town.net")["village"]
    assert own.mail_from == "Us <us@village.net>"
    assert own.mail_reply_to == ""


def test_a_password_for_one_server_is_not_shown_to_another():
    elsewhere = read({**VILLAGE, "pds_url": "https://pds.village.net"})["village"]
    assert elsewhere.pds_admin_password.reveal() == ""
    assert elsewhere.pds_rate_limit_bypass_key.reveal() == ""
    assert read(VILLAGE)["village"].pds_admin_password.reveal() == "a-password"


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ({"public_url": "https://MEET.town.net:8443"}, "default and village have the same host name"),
        ({"database_url": "sqlite:////srv/town/x/../openmeet.db"}, "default and village have the same database"),
        ({"database_url": "sqlite:////srv/town/network.db"}, "village has the network database of the installation"),
        ({"data_directory": "/srv/town"}, "default and village have the same data directory"),
        ({"public_url": "http://village.town.net"}, "Community village: OPENMEET_PUBLIC_URL sends passwords"),
        ({"time_zone": "Mars"}, "Community village: OPENMEET_TIME_ZONE must be"),
        ({"port": 80}, "'port', which applies to the whole installation"),
        ({"colour": "red"}, "'colour', which is not a setting here"),
        ({"addresses_kept_days": "few"}, "addresses_kept_days (Community village in the settings) is 'few'"),
        ({"name": "Village"}, "'Village' is not"),
        ({"name": "a_b"}, "'a_b' is not"),
        ({"name": None}, "must have a name"),
        ({"name": "default"}, "Two communities are called 'default'"),
    ],
)
def test_shared_or_meaningless_settings_are_refused_with_an_explanation(own: dict[str, Any], sentence: str):
    assert sentence in refusal({**VILLAGE, **own})


def test_two_schemas_are_separate_and_one_cannot_be_shared():
    url = "postgresql://me:secret@db.town.net/openmeet"
    hamlet = {"name": "hamlet", "public_url": "https://hamlet.town.net"}
    same = {**hamlet, "database_url": "postgresql://db.town.net:5432/openmeet", "database_schema": "tenant_village"}
    checked(read(VILLAGE, hamlet, database_url=url))
    assert "village and hamlet have the same database" in refusal(VILLAGE, same, database_url=url)


def test_all_problems_are_reported_at_once():
    said = refusal({**VILLAGE, "colour": "red"}, {"name": "hamlet"})
    assert "colour" in said
    assert "Community hamlet in the settings has no public_url" in said


def test_names_are_unique():
    assert "Two communities are called 'village'" in refusal(VILLAGE, {**VILLAGE, "public_url": "https://b.net"})


def test_proxies_that_select_communities_must_be_configured_as_proxies():
    assert "OPENMEET_PROXIES_NAME_TENANT is set and" in refusal(VILLAGE, proxies_name_tenant=True)
    checked(read(VILLAGE, proxies_name_tenant=True, trusted_proxy_hops=1))


def test_invalid_tables_are_refused():
    with pytest.raises(SettingsRefused, match=r"\[\[openmeet.tenants\]\]"):
        read_tenants({**TOWN, "tenants": {"village": VILLAGE}}, {})


LISTED = '[{ name = "village", public_url = "https://village.town.net", site_name = "The village" }]'


def test_the_environment_can_list_the_same_communities():
    """Containers have no settings file: the same tables in the environment give the same settings."""
    assert repr(read_tenants(TOWN, {VARIABLE: LISTED})) == repr(read(VILLAGE))
    assert list(read_tenants(TOWN, {VARIABLE: " "})) == ["default"]


def test_a_list_can_have_lines_and_a_community_its_own_secrets():
    text = """[
      { name = "village", public_url = "https://village.net", mail_url = "smtp://v:secret@mail.village.net" },
      { name = "hamlet", public_url = "https://hamlet.net", operators = ["mayor@hamlet.net"] },
    ]"""
    found = checked(read_tenants(TOWN, {VARIABLE: text}))
    assert list(found) == ["default", "village", "hamlet"]
    assert found["village"].mail_url.reveal() == "smtp://v:secret@mail.village.net"
    assert found["hamlet"].operators == ("mayor@hamlet.net",)


@pytest.mark.parametrize(
    "text",
    [
        "village",
        '{ name = "village" }',
        '["village"]',
        '[{ name = "village" ',
        f'{LISTED}\nsite_name = "more than a list"',
    ],
)
def test_an_invalid_list_of_tables_is_refused_with_an_example(text: str):
    with pytest.raises(SettingsRefused, match=r"OPENMEET_TENANTS must be a TOML list of tables, like \[\{ name"):
        read_tenants(TOWN, {VARIABLE: text})


def test_file_and_environment_must_not_list_different_communities():
    """A community that is named only in the ignored source would be missing for the consumer."""
    hamlet = {"name": "hamlet", "public_url": "https://hamlet.town.net"}
    with pytest.raises(SettingsRefused, match="both name communities, but different ones"):
        read_tenants({**TOWN, "tenants": [hamlet]}, {VARIABLE: LISTED})
    assert list(read_tenants({**TOWN, "tenants": [VILLAGE]}, {VARIABLE: LISTED})) == ["default", "village"]
