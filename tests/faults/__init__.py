"""Kill, freeze and starve parts of the running system; then balance three books.

The producer's log of 202s, the provider's own record of what reached it, the ledger. The service runs as its real processes
against real servers; only `sabotage.py`, loaded by `settings.py` in this directory, tells one of them when to die. The product
has no failpoints. `make faults` runs everything (FAULTS_FULL=1: ten times the size) and writes build/faults.json.
"""
