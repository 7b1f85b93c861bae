"""The front door: validation, idempotency, acceptance.

Must not decide what is sent.
"""
