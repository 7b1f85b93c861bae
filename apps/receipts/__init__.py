"""The back door: what providers and recipients say later, verified, stored, applied.

Must not send anything. Doors: POST /v1/receipts/<account key>, POST /v1/engagements, GET /c/<token> and /o/<token>.gif, the tasks
receipts.apply and receipts.sweep. Public: keeping.backlog, keeping.parked.
"""
