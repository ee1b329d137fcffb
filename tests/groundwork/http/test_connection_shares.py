"""The part of a host name that the connections of its site are counted by."""

import pytest

from groundwork.http.connection_shares import site_of

SITES = {
    "example.org": "example.org",
    "a.b.Example.ORG.": "example.org",
    "morel.us-east.host.bsky.network": "bsky.network",
    "pds.example.co.uk": "example.co.uk",
    "example.co.uk": "example.co.uk",
    "pds.example.com.au": "example.com.au",
    "pds.berlin.de": "berlin.de",
    "n1.abc.de": "abc.de",
    "n2.abc.cc": "abc.cc",
    "localhost": "localhost",
}


def test_names_below_a_registered_name_are_one_site(subtests: pytest.Subtests):
    for host, site in SITES.items():
        with subtests.test(host):
            assert site_of(host) == site
