"""Runs the whole service on one machine from a plain checkout: PostgreSQL and Redis from wheels, every process, one story.

In charge of: the servers' processes and data (`.local/`), the generated secrets, starting and stopping the service's processes.
Must not know: any table or rule of the product; it speaks to the service by HTTP, by management commands and by signals.
Public modules: servers (also used by the tests), up (the runner), story (the first notification, told as it happens).
"""
