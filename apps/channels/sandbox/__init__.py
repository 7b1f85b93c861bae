"""The outside world in one process of its own: a provider for every channel that keeps what it was given, and answers as the
address says. It knows nothing of this service but its public address and a shared secret. Started by `manage.py run_sandbox`.
"""
