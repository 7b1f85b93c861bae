"""Campaigns: one message, or a few to choose from, for many people; stored once, expanded when it fires.

A client of the front door and of the brain: who may get it is decided where everything is decided. `lifecycle` (pure) says what may
follow what; `running` and `expanding` turn a run into notifications, a page and its cursor in one transaction.
"""
