import math
from functools import partial

import numpy as np
import pytest

from resgrad.blocks.stack import stack
from resgrad.lab import images
from resgrad.lab.data import Labelled, digits
from resgrad.lab.degradation import Outcome
from resgrad.lab.images import (
    CHOICE_SEED,
    GROUPS,
    KINDS,
    RATES,
    SEEDS,
    Setting,
    best,
    cells,
    compare,
    difference,
    evaluate,
    exceeds,
    gap,
    network,
    parts,
    run,
    tried,
)
from resgrad.lab.optimizers import pack
from resgrad.lab.training import History
from resgrad.networks.resnet import cifar_resnet, initial
from resgrad.rules.normalization import batch_norm

SMALL = Setting("residual", 8, 0.1, images=40, test=30, epochs=2, batch=20, width=1)


def start(setting=SMALL, seed=0):
    f, shapes = network(setting)
    return f, initial(shapes, rng=np.random.default_rng(seed), dtype=np.float32)


def test_the_residual_network_is_that_of_the_paper():
    f, theta = start()
    x = parts(6, 1, rng=np.random.default_rng(1))[0].x
    z = stack(*cifar_resnet(8, width=1, colours=1)[0])(x, *theta)[0]
    assert np.array_equal(f(x, *theta)[0], z)
    assert z.dtype == np.float32


def test_the_kinds_start_from_the_same_numbers_and_differ():
    (plain, theta), (residual, other) = (start(SMALL._replace(kind=kind, width=4)) for kind in KINDS)
    assert np.array_equal(pack(theta), pack(other))
    x = parts(6, 1, rng=np.random.default_rng(1))[0].x
    assert not np.allclose(plain(x, *theta)[0], residual(x, *other)[0])


def test_the_parts_share_no_image_and_have_the_sizes_asked_for():
    train, test = parts(1000, 797, rng=np.random.default_rng(2))
    assert (train.x.shape, test.x.shape) == ((1000, 8, 8, 1), (797, 8, 8, 1))
    assert abs(train.x.mean()) < 1e-5  # float32 over 64000 pixels
    pixels = np.concatenate([train.x, test.x]).reshape(1797, 64)
    data = digits().x
    scale = data.std() / pixels.std()
    assert np.allclose(np.sort((pixels * scale).sum(1)), np.sort((data - data.mean()).sum(1)), atol=2)
    assert len(np.unique(pixels, axis=0)) == len(np.unique(data, axis=0))


@pytest.mark.parametrize(("images_", "test"), [(0, 10), (10, 0), (1700, 98)])
def test_sizes_that_do_not_fit_are_refused(images_, test):
    with pytest.raises(ValueError, match="expected at least 1 each, at most 1797"):
        parts(images_, test, rng=np.random.default_rng(0))


def test_training_images_are_evaluated_with_their_own_statistics():
    f, theta = start()
    both = parts(40, 30, rng=np.random.default_rng(3))
    outcome = evaluate(SMALL, theta, both)
    wrong = f(both[0].x, *theta)[0].argmax(axis=1) != both[0].labels
    assert outcome.train_error == pytest.approx(wrong.mean())
    # The test part in place of both: every statistic is the one that it would have in training.
    same = evaluate(SMALL, theta, (both[0], both[0]))
    assert same.test_error == pytest.approx(same.train_error)


def test_no_test_image_has_an_effect_on_another():
    _, theta = start()
    train, test = parts(40, 12, rng=np.random.default_rng(3))
    alone = [
        evaluate(SMALL, theta, (train, Labelled(test.x[i : i + 1], test.labels[i : i + 1]))).test_error
        for i in range(12)
    ]
    assert evaluate(SMALL, theta, (train, test)).test_error == pytest.approx(np.mean(alone))


def test_a_run_is_reproduced_bit_for_bit_and_depends_on_its_seed():
    assert run(SMALL, 1) == run(SMALL, 1)
    assert run(SMALL, 1) != run(SMALL, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "plain"},
        {"depth": 14},
        {"rate": 0.2},
        {"images": 41},
        {"epochs": 3},
        {"batch": 10},
        {"width": 2},
    ],
)
def test_every_setting_has_an_effect(change):
    assert run(SMALL._replace(**change), 1).train_loss != run(SMALL, 1).train_loss


@pytest.mark.parametrize("stream", [0, 1, 2])
def test_split_start_and_order_all_come_from_the_seed(stream, monkeypatch):
    # Planted: one of the three streams is the same for every seed.
    true = {seed: run(SMALL, seed) for seed in (1, 2)}
    fresh = np.random.default_rng

    class Planted:
        def __init__(self, seed):
            self.streams = fresh(seed).spawn(3)
            self.streams[stream] = fresh(1).spawn(3)[stream]

        def spawn(self, count):
            return self.streams

    monkeypatch.setattr(images.np.random, "default_rng", Planted)
    assert run(SMALL, 1) == true[1]
    assert run(SMALL, 2) != true[2]


def test_a_diverged_run_has_the_stated_values(monkeypatch):
    # Planted: the loss is not finite at the first step.
    broken = History(np.array([np.nan]), (), 0)
    monkeypatch.setattr(images, "train", lambda network, theta, *_, **__: (theta, broken))
    assert run(SMALL, 0) == (math.inf, 1, 1)


def test_an_overflow_in_a_normalisation_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="is not finite in float32"):
        run(SMALL._replace(kind="plain", rate=1e30), 0)


def test_unknown_kinds_and_groups_are_refused():
    with pytest.raises(ValueError, match="kind is 'ring'"):
        network(SMALL._replace(kind="ring"))
    with pytest.raises(ValueError, match="group is 'all'"):
        cells("all")


def test_every_group_has_both_kinds_at_every_depth():
    for group, (depths, sizes) in GROUPS.items():
        of = cells(group)
        assert [(cell.kind, cell.depth) for cell in of] == [
            (kind, depth) for kind in KINDS for depth in depths
        ]
        assert all(math.isnan(cell.rate) for cell in of)
        assert all(getattr(cell, name) == size for cell in of for name, size in sizes.items())


def test_the_rate_is_chosen_by_the_training_loss_on_the_choice_seed_alone(monkeypatch):
    right = {"plain": 0.2, "residual": 0.1}
    ran = []

    def stub(setting, seed):
        ran.append((setting.kind, setting.rate, seed))
        loss = 0.0 if setting.rate == right[setting.kind] else math.inf
        return Outcome(
            loss, seed / 100, 1 - loss if loss == 0 else 0.0
        )  # the test error would choose the other

    monkeypatch.setattr(images, "run", stub)
    of = [SMALL._replace(kind=kind) for kind in KINDS]
    rates = best(tried(of, rates=(0.1, 0.2)))
    assert rates == {("plain", 8): 0.2, ("residual", 8): 0.1}
    assert {seed for *_, seed in ran} == {CHOICE_SEED}
    rows = compare(of, rates, seeds=(7, 8))
    assert [(row.setting.kind, row.setting.rate) for row in rows] == [("plain", 0.2), ("residual", 0.1)]
    assert [[o.train_error for o in row.outcomes] for row in rows] == [[0.07, 0.08]] * 2
    with pytest.raises(ValueError, match=f"seed {CHOICE_SEED} chooses the rate"):
        compare(of, rates, seeds=(1, CHOICE_SEED))
    assert CHOICE_SEED not in SEEDS
    assert len(set(RATES)) == len(RATES)


def test_the_criterion_by_hand():
    # Differences 1, 2, 3: mean 2, standard error 1/sqrt(3).
    assert difference([2, 4, 6], [1, 2, 3]) == (2, pytest.approx(1 / math.sqrt(3)))
    assert exceeds(difference([2, 4, 6], [1, 2, 3]))
    assert not exceeds(difference([1, 2, 3], [2, 4, 6]))
    assert not exceeds(difference([0, 2], [0, 0]))  # 1 is one standard error
    assert not exceeds(difference([1, 2], [1, 2]))
    assert gap(Outcome(0.5, 0.1, 0.4)) == pytest.approx(0.3)
    with pytest.raises(ValueError, match="zip"):
        difference([1, 2], [1])


def test_the_normalisation_of_the_evaluation_has_the_eps_of_training():
    # At another eps the numbers of the training part would not be those of the network that was trained.
    setting = SMALL
    f, theta = start(setting)
    other = network(setting, norm=partial(batch_norm, eps=1e-1))[0]
    x = parts(6, 1, rng=np.random.default_rng(1))[0].x
    assert np.array_equal(
        f(x, *theta)[0], network(setting, norm=partial(batch_norm, eps=images.EPS))[0](x, *theta)[0]
    )
    assert not np.allclose(f(x, *theta)[0], other(x, *theta)[0], atol=1e-3)
