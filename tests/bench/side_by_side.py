"""Many calls from a pool of threads, timed."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

TITLE, BODY = "Hello Person7", "Order R-7 is here."


def side_by_side(send: Callable[[int], object], count: int, threads: int) -> float:
    """Messages a second, after one for each thread."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(send, range(threads)))
        began = time.perf_counter()
        list(pool.map(send, range(count)))
        return count / (time.perf_counter() - began)
