"""Free TCP ports on the loopback address."""

import socket
from contextlib import closing


def is_free(port: int) -> bool:
    """True if a server could listen on 127.0.0.1:`port` now."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose(preferred: int | None, avoid: frozenset[int] = frozenset()) -> int:
    """`preferred` if it is free, else a port that the system hands out. Ports in `avoid` are not chosen."""
    if preferred is not None and preferred not in avoid and is_free(preferred):
        return preferred
    while True:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in avoid:
            return port


def is_listening(port: int) -> bool:
    """True if something accepts connections on 127.0.0.1:`port`."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
