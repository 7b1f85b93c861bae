"""Stored requests and when they fire: once at an instant, or again by a rule, on one clock or on each recipient's own.

A client of the front door: every notification goes through apps/ingest. Which times a rule means is in `rules`, `recurrence` and
`timing`, pure; what becomes of fires that were missed in `missed`, pure; `firing` does it. A notification that is only to wait for its
time needs no schedule: it is a work item with a due time.
"""
