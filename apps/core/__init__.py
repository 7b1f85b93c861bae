"""The shared words and tools: closed sets, frozen values, ids, clock, crypto, Redis, problems, logs.

Must not know any other app.
"""
