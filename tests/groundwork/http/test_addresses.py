"""Spellings of an internal address, and some addresses that are public."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.http.addresses import is_loopback, is_public, network_of

INSIDE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "100.100.100.200", "100.127.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1"),
    *("192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1"),
    *("240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:53aa:64c:0:0:80ff:fffe"),
    *("2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1"),
    *("fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "feff::1", "ff02::1", "ff0e::1"),
    *("4000::1", "e000::1"),
]

OUTSIDE = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2a00:1450::1"]

UNREADABLE = ["", "localhost", "127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "[::1]", "8.8.8.8 ", "1.2.3", "::1::"]


@pytest.mark.parametrize("text", INSIDE + UNREADABLE)
def test_private_addresses_are_recognized(text):
    assert not is_public(text)


@pytest.mark.parametrize("text", OUTSIDE)
def test_public_addresses_are_recognized(text):
    assert is_public(text)


@given(st.ip_addresses(v=4))
def test_embedded_ipv4_addresses_are_never_public(address):
    """No address in v4-mapped, v4-compatible, NAT64 or 6to4 form is public, even if it contains a public one."""
    number = int(address)
    for wrapped in (0xFFFF << 32 | number, number, (0x64FF9B << 96) | number, (0x2002 << 112) | (number << 80)):
        assert not is_public(str(ipaddress.IPv6Address(wrapped)))


@given(st.ip_addresses())
def test_addresses_private_to_python_are_not_public(address):
    if address.is_private or address.is_link_local or address.is_multicast or address.is_loopback:
        assert not is_public(str(address))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback_addresses_are_recognized(text, expected):
    assert is_loopback(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1%eth0", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_addresses_of_one_household_are_one_client(text, expected):
    assert network_of(text) == expected


def test_addresses_of_one_customer_are_one_network():
    addresses = ("2001:db8:1:2::1", "2001:db8:1:ffff::1")
    assert {network_of(one, ipv6_prefix=48) for one in addresses} == {"2001:db8:1::/48"}
    assert network_of("203.0.113.9", ipv6_prefix=48) == "203.0.113.9"
