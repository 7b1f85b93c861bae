"""The back door: what providers say later, verified, stored, applied.

Must not send anything. Doors: POST /v1/receipts/<account key>, the tasks receipts.apply and receipts.sweep.
"""
