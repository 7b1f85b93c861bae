"""Whether a program asked, rather than a person. A guess, on the careful side: what looks like a program is kept, but does not count.

Apple's Mail Privacy Protection fetches pictures ahead as plain `Mozilla/5.0`; Gmail, Yahoo and others fetch them through proxies;
scanners of companies follow every link within seconds of the arrival. Opens by a proxy may well be a person's: nobody can tell.
"""

import re
from collections.abc import Mapping

_PROGRAMS = re.compile(
    r"googleimageproxy|yahoomailproxy|ggpht|bot\b|crawl|spider|scan|preview|prefetch|monitor|headless|phantomjs"
    r"|python|curl|wget|java/|okhttp|go-http|libwww|httpclient|axios|node-fetch|ruby|perl|php"
    r"|barracuda|mimecast|proofpoint|forcepoint|symantec|trendmicro|cisco|ironport|fireeye|safelinks|microsoft office"
    r"|facebookexternalhit|whatsapp|telegram|slack|discord|skypeuripreview|linkexpand",
    re.IGNORECASE,
)
_APPLE = "Mozilla/5.0"


def is_machine(method: str, headers: Mapping[str, str]) -> bool:
    """`headers` by any case of name (HttpRequest.headers)."""
    agent = headers.get("User-Agent", "").strip()
    said = f"{headers.get('Purpose', '')} {headers.get('Sec-Purpose', '')} {headers.get('X-Moz', '')}".lower()
    return method == "HEAD" or agent in {"", _APPLE} or "prefetch" in said or _PROGRAMS.search(agent) is not None
