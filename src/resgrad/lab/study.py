"""The long experiments at full size, by name: ``python -m resgrad.lab.study images``.

A study is a function of (executor, progress) that returns records, one for each setting with its outcomes seed by
seed. What comes out is written to a file that the pages read and label as stored: with the command, the date, the
versions and the seeds that made it.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from resgrad.lab import degradation, images, start, toy
from resgrad.lab.stored import Record, record, report
from resgrad.lab.sweep import sweep
from resgrad.measure.spectrum import effective_rank

Study = Callable[[Executor | None, bool], list[Record]]


def images_study(executor: Executor | None = None, progress: bool = False) -> list[Record]:
    """Choose the page's rates, and train longer with them on few images: two or three minutes.

    Parameters
    ----------
    executor, progress
        As `sweep` takes them.

    Returns
    -------
    list of dict
        In the groups ``choice``, one for each rate, and ``few``.
    """
    choice = images.tried(images.cells("page"), executor=executor, progress=progress)
    rates = images.best(choice)
    rows = images.compare(images.cells("few"), rates, executor=executor, progress=progress)
    return _rows("choice", [images.CHOICE_SEED], choice) + _rows("few", images.SEEDS, rows)


def large_images_study(executor: Executor | None = None, progress: bool = False) -> list[Record]:
    """Train wider and deeper convolutional networks on nearly all images: hours on one core.

    Parameters
    ----------
    executor, progress
        As `sweep` takes them.

    Returns
    -------
    list of dict
        In the groups ``choice`` and ``large``.
    """
    cells = images.cells("large")
    choice = images.tried(cells, executor=executor, progress=progress)
    rows = images.compare(cells, images.best(choice), executor=executor, progress=progress)
    return _rows("choice", [images.CHOICE_SEED], choice) + _rows("large", images.SEEDS, rows)


def _rows(group: str, seeds: Sequence[int], rows: Sequence[images.Row]) -> list[Record]:
    return [record(row.setting, seeds, row.outcomes, group=group) for row in rows]


def toy_study(executor: Executor | None = None, progress: bool = False) -> list[Record]:
    """Train networks to give back their input, with the best of the rates and with each of them.

    Parameters
    ----------
    executor, progress
        As `sweep` takes them.

    Returns
    -------
    list of dict
        In the groups ``best``, with the rate chosen, and ``fixed``, every depth at one rate.
    """
    best = toy.compare(executor=executor, progress=progress)
    fixed = [toy.Setting(kind, L, toy.FIXED_RATE) for kind in toy.KINDS for L in toy.BLOCKS]
    results = sweep(toy.run, fixed, toy.SEEDS, executor=executor, progress=progress)
    return [record(row.setting, toy.SEEDS, row.outcomes, group="best") for row in best] + [
        record(setting, toy.SEEDS, outcomes, group="fixed")
        for setting, outcomes in zip(fixed, results, strict=True)
    ]


def degradation_study(executor: Executor | None = None, progress: bool = False) -> list[Record]:
    """Train dense networks on the digits: the choice of the rates, the result, and longer training.

    Parameters
    ----------
    executor, progress
        As `sweep` takes them.

    Returns
    -------
    list of dict
        In the groups ``result`` and ``longer``.
    """
    kinds = ("plain", "residual")
    rows = degradation.compare(kinds, executor=executor, progress=progress)
    chosen = [degradation.Setting(*row[:3]) for row in rows]
    deep = [s._replace(epochs=degradation.LONGER) for s in chosen if s.blocks == degradation.BLOCKS[-1]]
    seeds = degradation.SEEDS
    longer = sweep(degradation.run, deep, seeds, executor=executor, progress=progress)
    result = zip(chosen, (row.outcomes for row in rows), strict=True)
    return [record(s, seeds, outcomes, group="result") for s, outcomes in result] + [
        record(s, seeds, outcomes, group="longer") for s, outcomes in zip(deep, longer, strict=True)
    ]


def start_study(executor: Executor | None = None, progress: bool = False) -> list[Record]:
    """Pull gradients through untrained networks of 4 to 256 blocks: what is left at the input.

    Parameters
    ----------
    executor, progress
        As `sweep` takes them.

    Returns
    -------
    list of dict
        For each setting the gradient's length and the effective rank at the input.
    """
    settings = [start.Setting(kind, blocks) for kind in start.KINDS for blocks in (4, 16, 64, 256)]
    results = sweep(start.run, settings, start.SEEDS, executor=executor, progress=progress)
    return [
        {
            **setting._asdict(),
            "seeds": list(start.SEEDS),
            "norm": [float(of.norms[0]) for of in outcomes],
            "effective_rank": [float(effective_rank(of.singular_values)) for of in outcomes],
        }
        for setting, outcomes in zip(settings, results, strict=True)
    ]


STUDIES: dict[str, Study] = {
    "images": images_study,
    "images-large": large_images_study,
    "toy": toy_study,
    "degradation": degradation_study,
    "start": start_study,
}


@contextmanager
def executor_of(*, workers: int = 1, dask: str = "") -> Iterator[Executor | None]:
    """Open what the runs are handed to, and close it at the end.

    Parameters
    ----------
    workers : int
        Processes; one is this process, without a pool.
    dask : str
        The address of a Dask scheduler, or ``local`` for a cluster of as many processes on this machine.

    Yields
    ------
    Executor or None
        As `sweep` takes it.

    Raises
    ------
    ValueError
        Fewer than one worker.
    ImportError
        `dask` without the package ``distributed``.
    """
    if workers < 1:
        raise ValueError(f"study: workers is {workers}, expected at least 1")
    if dask:
        distributed = import_module("distributed")
        with _client(distributed, workers, dask) as client:
            yield client.get_executor()
    elif workers == 1:
        yield None
    else:
        # Spawned, so that no process inherits the threads of this one.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            yield pool


@contextmanager
def _client(distributed: Any, workers: int, address: str) -> Iterator[Any]:
    if address != "local":
        with distributed.Client(address) as client:
            yield client
        return
    quiet = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(n_workers=workers, threads_per_worker=1, **quiet) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a study and write its file.

    Parameters
    ----------
    arguments : sequence of str, optional
        Of the command line; those of this process if not given.

    Returns
    -------
    int
        0: what is wrong is raised.
    """
    parser = argparse.ArgumentParser(prog="python -m resgrad.lab.study", description=__doc__)
    parser.add_argument("name", choices=sorted(STUDIES))
    parser.add_argument("--workers", type=int, default=1, help="processes (1: this one)")
    parser.add_argument("--dask", default="", metavar="ADDRESS", help="of a Dask scheduler, or 'local'")
    parser.add_argument("--output", type=Path, help="where to write; studies/NAME.json if not given")
    options = parser.parse_args(arguments)
    output = options.output or Path("studies", f"{options.name}.json")
    with executor_of(workers=options.workers, dask=options.dask) as executor:
        records = STUDIES[options.name](executor, True)
    command = f"make study NAME={options.name}"
    text = json.dumps(report(options.name, records, command=command), indent=1)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text + "\n", "utf-8")
    print(output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
