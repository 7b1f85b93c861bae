"""The shell: bells, claims, facts, routing and sending in batches, rescue.

Must not hold a rule: rules live in routing.
"""
