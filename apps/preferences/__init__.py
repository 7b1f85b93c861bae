"""May we: preferences per topic and channel, suppressed addresses.

Must not know providers or templates.
Doors for other apps: selectors (switches, suppressed), services (set_switch, suppress, lift_suppression).
"""
