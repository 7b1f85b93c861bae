"""The brain: pure functions from frozen facts to decisions and next steps.

Must not know Django, Redis, HTTP or the clock.
"""
