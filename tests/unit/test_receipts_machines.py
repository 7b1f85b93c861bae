"""Who asked: a person or a program."""

import pytest

from apps.receipts.machines import is_machine

SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.0 Mobile/15E148 Safari/604.1"
)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
OUTLOOK = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize("agent", [SAFARI, CHROME, OUTLOOK])
def test_browsers_are_peoples(agent: str) -> None:
    assert not is_machine("GET", {"User-Agent": agent})
    assert is_machine("HEAD", {"User-Agent": agent})
    assert is_machine("GET", {"User-Agent": agent, "Sec-Purpose": "prefetch;prerender"})
    assert is_machine("GET", {"User-Agent": agent, "X-Moz": "prefetch"})


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "Mozilla/5.0",
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "python-requests/2.32",
        "curl/8.7.1",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "BarracudaCentral",
    ],
)
def test_proxies_scanners_and_scripts_are_not(agent: str) -> None:
    assert is_machine("GET", {"User-Agent": agent})
