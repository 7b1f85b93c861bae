"""Who carries it: provider accounts, the provider contract, one file per provider.

Must not know why something is sent.
"""
