"""How fast, measured on this machine: `python -m tests.bench [--only NAME ...] [--quick]`; results go to build/bench.json.

Everything runs as in a local run, with durable commits (fsync): PostgreSQL, Redis, gunicorn, the worker pools, beat, the sandbox.
"""
