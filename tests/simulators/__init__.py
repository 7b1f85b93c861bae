"""The providers' side of the wire: small servers that are true to a protocol, do as they are told, and record what they took.

In a test: `with running(FcmSimulator()) as sim:`. As a process: `python -m tests.simulators fcm --port 9001 --record FILE`.
"""

from tests.simulators.base import Reply, Request, Simulator, Taken
from tests.simulators.server import running

__all__ = ["Reply", "Request", "Simulator", "Taken", "running"]
