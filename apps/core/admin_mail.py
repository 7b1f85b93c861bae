"""Somebody's mail on one of our pages."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src https: http: data:"


def framed(html: str) -> str:
    """The mail for the `srcdoc` of an iframe with an empty `sandbox`: neither scripts nor forms nor frames, and links lead nowhere."""
    if not html:
        return ""
    return f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><base target="_blank">{html}'
