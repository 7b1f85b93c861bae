"""Derived numbers and what follows from them: silent providers, probes, balances, the doctor. All of it can be made anew.

Nothing imports it, so it may look at everything. Doors: the tasks insights.*, manage.py doctor and manage.py ledger_balance.
"""
