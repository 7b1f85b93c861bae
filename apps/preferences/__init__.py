"""May we: preferences per topic and channel, suppressed addresses.

Must not know providers or templates.
"""
