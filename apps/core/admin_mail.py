"""Somebody's mail on one of our pages."""

# no script, no form, no frame; its own styles over the plain ones that mail programs begin with, and its pictures
_HEAD = """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src https: http: data:">
<base target="_blank"><style>html { font: 14px/1.5 sans-serif }</style>"""


def framed(html: str) -> str:
    """For the `srcdoc` of an iframe with an empty `sandbox`, where links lead nowhere. "" for no mail."""
    return f"{_HEAD}{html}" if html else ""
