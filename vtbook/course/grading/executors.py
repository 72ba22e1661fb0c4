"""Where submissions are graded: threads here, each with a process of its own, or a Dask cluster.

Both are used as a ``concurrent.futures.Executor``. Everything that a submission needs travels as
data, so the workers of a cluster need vtbook and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from vtbook.course.grading.limits import GradingError

CONNECT_SECONDS = 10


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def local(jobs: int) -> Iterator[Executor]:
    """Grade so many submissions at a time on this computer."""
    from vtbook.course.grading.sandbox import ZYGOTE

    pool = ThreadPoolExecutor(jobs, thread_name_prefix="grade")
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        ZYGOTE.stop()  # and with it the processes that the threads wait for
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        ZYGOTE.stop()


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """Grade on the workers of a Dask scheduler, such as ``tcp://10.0.0.5:8786``.

    Raises:
        GradingError: distributed is not installed, or nobody answers at the address.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise GradingError(
            "--scheduler needs Dask: python3 -m pip install 'vtbook[cluster]'"
        ) from error
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise GradingError(
            f"no Dask scheduler answers at {address} within {CONNECT_SECONDS} s ({error}); "
            "start one with: dask scheduler"
        ) from error
    try:
        if not client.scheduler_info()["workers"]:
            raise GradingError(f"the scheduler at {address} has no workers; start: dask worker")
        yield client.get_executor(pure=False, retries=0)
    finally:
        client.close()


def worker_died(error: BaseException) -> bool:
    """Whether a future failed because its worker did, and not the grading."""
    names: tuple[Any, ...] = tuple(cls.__name__ for cls in type(error).__mro__)
    return "KilledWorker" in names or "CancelledError" in names or "CommClosedError" in names
