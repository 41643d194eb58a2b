import json
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from resgrad.lab import degradation, images, start, toy
from resgrad.lab.stored import stored
from resgrad.lab.study import STUDIES, executor_of, main
from resgrad.measure.spectrum import effective_rank


def test_a_study_is_run_and_written(tmp_path, monkeypatch, capsys):
    seen = []

    def small(executor, progress):
        seen.append((executor, progress))
        return [{"seeds": [1, 2], "loss": [0.5, 0.25]}]

    monkeypatch.setitem(STUDIES, "toy", small)
    output = tmp_path / "new/toy.json"
    assert main(["toy", "--output", str(output)]) == 0
    assert stored(output.read_text("utf-8")) == [{"seeds": [1, 2], "loss": [0.5, 0.25]}]
    assert json.loads(output.read_text("utf-8"))["command"] == "make study NAME=toy"
    assert seen == [(None, True)]
    assert capsys.readouterr().out.strip() == str(output)
    with pytest.raises(SystemExit):
        main(["nothing"])


def test_without_an_output_the_file_is_named_after_the_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(STUDIES, "start", lambda executor, progress: [{"seeds": [1]}])
    main(["start"])
    assert (tmp_path / "studies/start.json").is_file()


def test_one_worker_is_this_process_and_more_are_a_pool():
    with executor_of() as executor:
        assert executor is None
    with executor_of(workers=2) as executor:
        assert isinstance(executor, ProcessPoolExecutor)
        assert executor.submit(np.sqrt, 4.0).result() == 2.0
    with pytest.raises(ValueError, match="workers is 0"), executor_of(workers=0):
        pass


def test_a_dask_cluster_of_this_machine_and_one_with_an_address():
    distributed = pytest.importorskip("distributed")
    with executor_of(dask="local") as executor:
        assert executor.submit(np.sqrt, 4.0).result() == 2.0
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        executor_of(dask=cluster.scheduler_address) as executor,
    ):
        assert executor.submit(np.sqrt, 9.0).result() == 3.0


def small_images(setting, seed):
    return images.Outcome(seed + setting.depth, 0.5, 0.25)


def test_the_studies_record_every_setting(monkeypatch):
    # The experiments are stubs here; what is tested is which settings and seeds are recorded.
    monkeypatch.setattr(images, "run", small_images)
    records = [entry for name in ("images", "images-large") for entry in STUDIES[name](None, False)]
    of = {
        group: [entry for entry in records if entry["group"] == group] for group in ("choice", "few", "large")
    }
    assert len(of["choice"]) == len(images.RATES) * (len(images.cells("page")) + len(images.cells("large")))
    for group in ("few", "large"):
        assert [(entry["kind"], entry["depth"]) for entry in of[group]] == [
            c[:2] for c in images.cells(group)
        ]
        assert {entry["rate"] for entry in of[group]} == {images.RATES[0]}  # of equal losses the first
    assert of["few"][0]["train_loss"] == [seed + 8 for seed in images.SEEDS]

    monkeypatch.setattr(toy, "run", lambda setting, seed: toy.Outcome(setting.rate, seed))
    records = STUDIES["toy"](None, False)
    assert {entry["rate"] for entry in records if entry["group"] == "best"} == {min(toy.RATES)}
    assert {entry["rate"] for entry in records if entry["group"] == "fixed"} == {toy.FIXED_RATE}
    assert len(records) == 2 * len(toy.KINDS) * len(toy.BLOCKS)

    outcome = degradation.Outcome
    monkeypatch.setattr(degradation, "run", lambda setting, seed: outcome(setting.rate, 0.1, setting.epochs))
    records = STUDIES["degradation"](None, False)
    assert [entry["blocks"] for entry in records if entry["group"] == "longer"] == [
        degradation.BLOCKS[-1]
    ] * 2
    assert records[-1]["test_error"] == [degradation.LONGER] * len(degradation.SEEDS)

    values = np.array([2.0, 1.0])
    monkeypatch.setattr(
        start, "run", lambda setting, seed: start.Start(np.array([0.5, 1]), values, np.zeros(2))
    )
    records = STUDIES["start"](None, False)
    assert records[0]["norm"] == [0.5] * len(start.SEEDS)
    assert records[0]["effective_rank"][0] == pytest.approx(effective_rank(values))
