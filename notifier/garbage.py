"""The garbage collector, set for processes that run for days."""

import gc


def settle() -> None:
    """What is loaded by now stays for good: it is never looked through again, and what a fork shares stays shared. Batches make
    tens of thousands of short-lived values, so the young generation has room for those of one."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(60_000, 20, 20)
