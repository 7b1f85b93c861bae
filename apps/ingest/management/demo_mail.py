"""How the demo's mails look: one layout in two languages, and the pieces its mails are made of.

Colours are given twice: inline for the day, by class for the night (`prefers-color-scheme`, and Outlook's `data-ogsc`).
"""

_NIGHT = {
    ".page": "background:#101413",
    ".card": "background:#1a201e;border-color:#2b3431",
    ".ink": "color:#edf2f0",
    ".soft": "color:#a3b1ac",
    ".rule": "border-color:#2b3431",
    ".well": "background:#222a27",
    ".accent": "color:#5fd3a5",
    ".button": "background:#2fa87b",
    ".label": "color:#08120e",
}
_FONT = "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"


def _rules(prefix: str = "") -> str:
    return "".join(
        f"{prefix}{name}{{{style.replace(';', ' !important;')} !important}}" for name, style in _NIGHT.items()
    )


def layout(*, lang: str, why: str, preferences: str, direction: str = "ltr") -> str:
    reads = ' dir="rtl"' if direction == "rtl" else ""
    side = "right" if direction == "rtl" else "left"
    return f"""<!doctype html>
<html lang="{lang}"{reads}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{{{{ tenant.name }}}}</title>
<style>
body {{ margin: 0; padding: 0; width: 100%; -webkit-text-size-adjust: 100%; }}
table {{ border-collapse: separate; border-spacing: 0; }}
@media (max-width: 480px) {{
.outer {{ padding: 12px 10px 24px !important; }}
.inner {{ padding: 24px 20px 26px !important; }}
.title {{ font-size: 23px !important; line-height: 29px !important; }}
}}
@media (prefers-color-scheme: dark) {{ {_rules()} }}
{_rules("[data-ogsc] ")}
</style>
</head>
<body class="page" style="background:#eef2f0">
<table role="presentation" class="page" width="100%" style="background:#eef2f0"><tbody><tr>
<td class="outer" align="center" style="padding:36px 16px 48px">
<table role="presentation" width="100%" style="max-width:560px;text-align:{side};{_FONT}"><tbody>
<tr><td class="ink" style="padding:0 4px 16px;font-size:16px;line-height:24px;font-weight:700;letter-spacing:-0.01em;color:#12201b">
<span class="accent" style="color:#0f8a5f">&#9679;</span>&nbsp;{{{{ tenant.name }}}}</td></tr>
<tr><td class="card inner" style="padding:34px 36px 38px;background:#ffffff;border:1px solid #dde4e1;border-radius:16px">
{{{{ content }}}}
</td></tr>
<tr><td class="soft" style="padding:18px 4px 0;font-size:13px;line-height:20px;color:#5a6a64">
{why}{{% if vars.preferences_url %}}
<a class="soft" href="{{{{ vars.preferences_url }}}}" style="color:#5a6a64">{preferences}</a>{{% endif %}}
</td></tr>
</tbody></table>
</td></tr></tbody></table>
</body>
</html>
"""


def title(text: str) -> str:
    style = "margin:0 0 12px;font-size:27px;line-height:34px;font-weight:700;letter-spacing:-0.02em;color:#12201b"
    return f'<h1 class="ink title" style="{style}">{text}</h1>\n'


def words(text: str) -> str:
    return f'<p class="ink" style="margin:0 0 16px;font-size:16px;line-height:25px;color:#2b3a34">{text}</p>\n'


def small(text: str) -> str:
    return f'<p class="soft" style="margin:16px 0 0;font-size:14px;line-height:21px;color:#5a6a64">{text}</p>\n'


def leaving(stop: str, show: str) -> str:
    """How to get no more of it, and the mail in the browser."""
    unsubscribe = f'<a href="{{{{ vars.unsubscribe_url }}}}">{stop}</a>'
    view = f'<a href="{{{{ vars.view_in_browser_url }}}}">{show}</a>'
    return f"{{% if vars.unsubscribe_url %}}{small(f'{unsubscribe} &middot; {view}')}{{% endif %}}\n"


def figure(text: str, label: str) -> str:
    """A large figure in a well."""
    return (
        '<table role="presentation" width="100%" style="margin:8px 0 20px"><tbody><tr>'
        '<td class="well" style="padding:18px 22px;background:#eef6f2;border-radius:12px">'
        f'<span class="accent" style="font-size:32px;line-height:40px;font-weight:700;color:#0f7a55">{text}</span>'
        f'<br><span class="soft" style="font-size:14px;line-height:21px;color:#5a6a64">{label}</span>'
        "</td></tr></tbody></table>\n"
    )


def facts(*rows: tuple[str, str]) -> str:
    """A table of names and values, read as such by a screen reader."""
    line = "padding:12px 0;border-top:1px solid #e3e9e6;font-size:15px;line-height:22px"
    cells = "".join(
        f'<tr><th class="soft rule" scope="row" align="left" style="{line};padding-right:20px;font-weight:400;'
        f'white-space:nowrap;vertical-align:top;color:#5a6a64">{name}</th>'
        f'<td class="ink rule" style="{line};width:100%;color:#12201b">{value}</td></tr>'
        for name, value in rows
    )
    return f'<table width="100%"><tbody>{cells}</tbody></table>\n'


def button(url: str, label: str) -> str:
    return (
        '<table role="presentation" style="margin:10px 0 4px"><tbody><tr>'
        '<td class="button" style="background:#0f7a55;border-radius:10px">'
        f'<a class="label" href="{url}" style="display:inline-block;padding:13px 24px;font-size:16px;line-height:22px;'
        f'font-weight:600;color:#ffffff;text-decoration:none">{label}</a></td></tr></tbody></table>\n'
    )
