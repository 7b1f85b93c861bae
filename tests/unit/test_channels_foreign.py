"""Which URLs and addresses from outside may be called."""

import pytest

from apps.channels.foreign import check_url, is_public

HOSTS = ("fcm.googleapis.com", "*.push.services.mozilla.com")


@pytest.mark.parametrize(
    "url",
    [
        "https://fcm.googleapis.com/fcm/send/x",
        "https://FCM.googleapis.com./x",
        "https://fcm.googleapis.com:443/x",
        "https://updates.push.services.mozilla.com/wpush/v2/x?y=z",
    ],
)
def test_it_takes_known_hosts_over_https(url: str) -> None:
    check_url(url, HOSTS)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "fcm.googleapis.com",
        "http://fcm.googleapis.com/x",
        "https:///x",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com:port/x",
        "https://fcm.googleapis.com@127.0.0.1/x",
        "https://rosa@fcm.googleapis.com/x",
        "https://:secret@fcm.googleapis.com/x",
        "https://fcm.googleapis.com.evil.example/x",
        "https://push.services.mozilla.com.evil.example/x",
        "https://evilpush.services.mozilla.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://2130706433/x",
        "https://localhost/x",
        "https://evil.example\\.push.services.mozilla.com/x",
        "ftp://fcm.googleapis.com/x",
    ],
)
def test_it_refuses_everything_else(url: str) -> None:
    with pytest.raises(ValueError):
        check_url(url, HOSTS)


def test_what_it_says_does_not_show_the_path() -> None:
    with pytest.raises(ValueError, match=r"^evil\.example is not a known host\.$"):
        check_url("https://evil.example/a-secret", HOSTS)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "142.250.74.106", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
        "fec0::1",
    ],
)
def test_addresses_of_ones_own_network(address: str) -> None:
    assert not is_public(address)
