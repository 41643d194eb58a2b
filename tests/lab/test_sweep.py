import io
import sys
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from threading import Event, Thread

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from pages import DOCS
from reader import fences
from resgrad.lab import images
from resgrad.lab.start import Setting, run
from resgrad.lab.sweep import grid, sweep

SETTINGS = [Setting(kind, blocks, width=16) for kind in ("plain", "scaled") for blocks in (2, 5)]
SEEDS = (3, 1, 2)


def pair(setting, seed):
    return setting, seed


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(scope="module")
def serial():
    return sweep(run, SETTINGS, SEEDS)


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        yield executor


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=2,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # None would take port 8787, and warn if another run has it
        ) as local,
        distributed.Client(local) as client,
    ):
        yield client.get_executor()


def assert_same_bits(results, expected):
    for row, expected_row in zip(results, expected, strict=True):
        for result, other in zip(row, expected_row, strict=True):
            for array, other_array in zip(result, other, strict=True):
                assert array.dtype == other_array.dtype
                assert array.tobytes() == other_array.tobytes()


def test_results_stand_in_the_order_of_the_input():
    assert sweep(pair, "ab", [2, 1]) == [[("a", 2), ("a", 1)], [("b", 2), ("b", 1)]]
    assert sweep(pair, iter("ab"), iter([2])) == [[("a", 2)], [("b", 2)]]


def test_results_stand_in_the_order_of_the_input_whatever_finishes_first():
    second_is_done = Event()

    def experiment(setting, seed):
        if seed == 2:
            second_is_done.set()
        return seed, second_is_done.wait(timeout=60)

    with ThreadPoolExecutor(2) as executor:
        assert sweep(experiment, ["x"], [1, 2], executor=executor) == [[(1, True), (2, True)]]


def test_a_process_pool_gives_the_same_bits(serial, processes):
    assert_same_bits(sweep(run, SETTINGS, SEEDS, executor=processes), serial)


def test_a_dask_cluster_gives_the_same_bits(serial, cluster):
    assert_same_bits(sweep(run, SETTINGS, SEEDS, executor=cluster), serial)


IMAGES = [images.Setting(kind, 8, 0.1, images=30, test=30, epochs=1, width=2) for kind in images.KINDS]


@pytest.mark.parametrize("where", ["processes", "cluster"])
def test_a_training_run_on_images_ends_with_the_same_bits_everywhere(where, request):
    executor = request.getfixturevalue(where)
    assert sweep(images.run, IMAGES, SEEDS[:2], executor=executor) == sweep(images.run, IMAGES, SEEDS[:2])


def test_the_lines_of_dask_that_the_page_shows_give_the_same_bits(serial, cluster, monkeypatch):
    distributed = pytest.importorskip("distributed")
    (lines,) = (
        fence.body
        for fence in fences((DOCS / "practice/sweep.md").read_text("utf-8"))
        if fence.kind == "not-run" and "LocalCluster" in fence.body
    )
    # The cluster of this module in place of another one: to start it takes seconds.
    started = []

    class Borrowed:
        def __init__(self, cluster=None, **settings):
            started.append(settings)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def get_executor(self):
            return cluster

    monkeypatch.setattr(distributed, "LocalCluster", Borrowed)
    monkeypatch.setattr(distributed, "Client", Borrowed)
    namespace = {"run": run, "sweep": sweep, "settings": SETTINGS, "seeds": SEEDS}
    exec(lines, namespace)
    assert started[0] == {"n_workers": 2, "threads_per_worker": 1}
    assert_same_bits(namespace["on_dask"], serial)


def test_other_seeds_give_other_bits(serial):
    with pytest.raises(AssertionError):
        assert_same_bits(sweep(run, SETTINGS, [4, 5, 6]), serial)


def test_runs_here_have_one_blas_thread_and_the_callers_number_is_restored():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        for executor in (None, ThreadPoolExecutor(2)):
            assert sweep(lambda setting, seed: blas_threads(), "a", [1, 2], executor=executor) == [[{1}, {1}]]
            assert blas_threads() == before
            if executor:
                executor.shutdown()


CODE = """
from threadpoolctl import threadpool_info
import numpy

def threads(setting, seed):
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
"""


def test_runs_of_a_process_pool_have_one_blas_thread(tmp_path, monkeypatch):
    # Spawned processes import the experiment by its name: it cannot stand in a test module.
    (tmp_path / "blas_experiment.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    threads = import_module("blas_experiment").threads
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        assert sweep(threads, ["x"], [1], executor=executor) == [[[1]]]


def test_runs_of_a_dask_cluster_have_one_blas_thread(cluster):
    def threads(setting, seed):
        namespace = {}
        exec(setting, namespace)
        return namespace["threads"](setting, seed)

    assert sweep(threads, [CODE], [1], executor=cluster) == [[[1]]]


@pytest.mark.parametrize("where", ["serial", "processes", "cluster"])
def test_an_error_names_the_setting_and_the_seed(where, request):
    executor = None if where == "serial" else request.getfixturevalue(where)
    bad = Setting("ring", 2, 4)
    with pytest.raises(ValueError, match=r"kind is 'ring'") as caught:
        sweep(run, [SETTINGS[0], bad], [7, 8], executor=executor)
    (note,) = caught.value.__notes__
    assert repr(bad) in note
    assert "seed 7" in note


def test_what_cannot_be_pickled_is_named_too(processes):
    with pytest.raises(Exception, match=r"(?i)pickle") as caught:
        sweep(lambda setting, seed: seed, ["x"], [1], executor=processes)
    assert "setting 'x' and seed 1" in caught.value.__notes__[-1]


def test_an_error_drops_the_runs_that_have_not_begun():
    ran = []

    def experiment(setting, seed):
        ran.append(seed)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        sweep(experiment, ["x"], range(5))
    assert ran == [0]


class Unanswered(Executor):
    """The first run fails; the others can be cancelled, but nobody is told that they were (as in Dask)."""

    def __init__(self):
        self.futures = []

    def submit(self, *call):
        self.futures.append(future := Future())
        if len(self.futures) == 1:
            future.set_exception(RuntimeError("no"))
        return future


def test_an_error_does_not_wait_for_runs_that_it_has_cancelled():
    executor, caught = Unanswered(), []

    def attempt():
        try:
            sweep(pair, ["x"], range(3), executor=executor)
        except RuntimeError as error:
            caught.append(error)

    thread = Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(timeout=30)
    assert [future.cancelled() for future in executor.futures] == [False, True, True]
    assert len(caught) == 1


def test_nothing_to_run_and_doubled_seeds_are_refused():
    for settings, seeds in (([], [1]), (["x"], [])):
        with pytest.raises(ValueError, match="nothing to run"):
            sweep(pair, settings, seeds)
    with pytest.raises(ValueError, match="occurs twice"):
        sweep(pair, ["x"], [1, 2, 1])
    for seed in (1.0, "1", True, None):
        with pytest.raises(TypeError, match="expected an integer"):
            sweep(pair, ["x"], [seed])
    assert sweep(pair, ["x"], np.arange(2)) == [[("x", 0), ("x", 1)]]


def test_grid_varies_the_last_axis_fastest():
    assert grid(a=[1, 2], b="xy") == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]
    assert grid() == [{}]
    with pytest.raises(ValueError, match="axis 'b' has no value"):
        grid(a=[1], b=[])


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_is_for_terminals_that_ask_for_it(monkeypatch, capsys):
    sweep(pair, "ab", [1], progress=True)
    assert capsys.readouterr() == ("", "")
    for progress in (False, True):
        monkeypatch.setattr(sys, "stderr", terminal := Terminal())
        sweep(pair, "ab", [1], progress=progress)
        assert ("2/2" in terminal.getvalue()) is progress
