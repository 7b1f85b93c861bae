"""The back door: what providers say later, verified, stored, applied.

Must not send anything.
"""
