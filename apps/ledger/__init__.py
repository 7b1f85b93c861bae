"""What happened: the only writer of delivery truth, and the work that is left.

Must not know HTTP, Celery queues or providers.
"""
