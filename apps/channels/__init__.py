"""Who carries it: provider accounts, the provider contract, one file per provider, and the sandbox.

Must not know why something is sent.
Doors for other apps: selectors (accounts_for, account_by_key, account_by_id, has_account), services (create_account, update_account,
switch_off, switch_on), registry (provider), base (Provider); sandbox.behaviour and sandbox.record for pages and tests.
"""
