"""Run one experiment over a grid of settings and seeds, here or on any executor."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, wait
from itertools import product
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from tqdm import tqdm  # type: ignore[import-untyped]

S = TypeVar("S")
R = TypeVar("R")


def grid(**axes: Iterable[Any]) -> list[dict[str, Any]]:
    """Every combination of the values of each axis.

    Parameters
    ----------
    **axes : iterable
        The values that a setting takes, by its name.

    Returns
    -------
    list of dict
        One dict a combination; the last axis varies fastest.

    Raises
    ------
    ValueError
        An axis without a value.

    Examples
    --------
    >>> grid(kind=["plain", "residual"], depth=[1])
    [{'kind': 'plain', 'depth': 1}, {'kind': 'residual', 'depth': 1}]
    """
    columns = {name: list(values) for name, values in axes.items()}
    for name, values in columns.items():
        if not values:
            raise ValueError(f"grid: axis {name!r} has no value")
    return [dict(zip(columns, values, strict=True)) for values in product(*columns.values())]


def sweep(
    experiment: Callable[[S, int], R],
    settings: Iterable[S],
    seeds: Iterable[int],
    *,
    executor: Executor | None = None,
    progress: bool = False,
) -> list[list[R]]:
    """Run ``experiment(setting, seed)`` for every setting and seed.

    Every run has one BLAS thread, wherever it runs: more threads change the last bits of a product and
    get in each other's way. So the results are the same bits with and without an executor on one machine.

    Parameters
    ----------
    experiment : callable
        A function of (setting, seed) whose result depends on nothing else. For an executor of other
        processes it stands at the top level of a module that they can import (a Dask worker that cannot
        leaves its run unanswered, without an error).
    settings : iterable
        What to run, such as the dicts from `grid`.
    seeds : iterable of int
        Each setting is run with every one of them; none may occur twice.
    executor : concurrent.futures.Executor, optional
        A process pool, ``dask.distributed.Client(...).get_executor()``, or any other; the runs are done
        here, one after the other, without it. It stays open.
    progress : bool
        Show a bar on a terminal; a page or a log file never gets one.

    Returns
    -------
    list of list
        ``results[i][j]`` belongs to setting i and seed j, in the order given, whatever finished first.

    Raises
    ------
    ValueError
        No setting, no seed, or a seed that occurs twice.
    TypeError
        A seed that is not an integer.
    Exception
        What a run raised, the first in the order given, with a note that names its setting and seed. Runs
        that have not begun by then are dropped, and those of a thread or process pool that have are awaited.
    """
    seeds = _distinct(seeds)
    jobs = list(product(settings, seeds))
    if not jobs:
        raise ValueError(f"sweep: nothing to run: {len(seeds)} seeds and no setting, or no seed")
    # The limit here is for runs in this process, a thread pool's among them: the caller's own is restored.
    with threadpool_limits(limits=1, user_api="blas"), _bar(len(jobs), progress) as bar:
        results = _in_order(experiment, jobs, executor, bar)
    return [results[start : start + len(seeds)] for start in range(0, len(jobs), len(seeds))]


def _in_order(
    experiment: Callable[[S, int], R], jobs: list[tuple[S, int]], executor: Executor | None, bar: Any
) -> list[R]:
    results: list[R] = []
    futures = [executor.submit(_run, experiment, job) for job in jobs] if executor else []
    try:
        for index, job in enumerate(jobs):
            results.append(futures[index].result() if executor else _run(experiment, job))
            bar.update()
    except Exception as error:
        error.add_note(f"sweep: this was the run with setting {job[0]!r} and seed {job[1]}")
        raise
    finally:
        # Only those that could not be cancelled: Dask may never tell `wait` of one that it has cancelled.
        wait([future for future in futures if not future.cancel()])
    return results


def _run(experiment: Callable[[S, int], R], job: tuple[S, int]) -> R:
    # Not restored: in a pool the process has no other work, and two threads that each restored the
    # limit that they found would undo each other's.
    threadpool_limits(limits=1, user_api="blas")
    return experiment(*job)


def _bar(total: int, progress: bool) -> Any:
    return tqdm(total=total, desc="sweep", unit="run", disable=None if progress else True)


def _distinct(seeds: Iterable[int]) -> list[int]:
    listed = list(seeds)
    for seed in listed:
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise TypeError(f"sweep: seed {seed!r} is {type(seed).__name__}, expected an integer")
    if len(set(listed)) < len(listed):
        raise ValueError(f"sweep: a seed occurs twice in {listed}: the same run would count as two")
    return listed
