import numpy as np
import pytest

from resgrad.lab.memory import HELD, KINDS, Setting, cost, gradient_error, initial, network

SMALL = Setting("stored", 6, segments=3, rows=4, width=3)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_the_same_function_with_the_same_gradients(kind):
    x, thetas = initial(SMALL, 0)
    expected, vjp = network(SMALL)(x, *thetas)
    y, other = network(SMALL._replace(kind=kind))(x, *thetas)
    assert np.array_equal(y, expected)
    for (x_bar, *bars), (x_other, *others) in [(vjp(x), other(x))]:
        np.testing.assert_allclose(x_other, x_bar, rtol=1e-12)
        for (((W, b), ()), ((V, c), ())), (((W2, b2), ()), ((V2, c2), ())) in zip(bars, others, strict=True):
            for one, two in ((W, W2), (b, b2), (V, V2), (c, c2)):
                np.testing.assert_allclose(two, one, rtol=1e-10, atol=1e-13)


def test_what_is_held_and_how_many_products():
    large = SMALL._replace(rows=2000)
    stored, kept, undone = (cost(large._replace(kind=kind)) for kind in KINDS)
    assert (stored.held, kept.held, undone.held) == (HELD * 6 - 1, 3 - 1, 1)
    assert [(m.forward, m.backward) for m in (stored, kept, undone)] == [(1, 2), (1, 3), (1, 3)]
    assert stored.peak > kept.peak > undone.peak


def test_checkpoints_give_the_same_bits_and_reconstruction_rounds():
    setting = SMALL._replace(rows=1, dtype="float32")
    assert 0 < gradient_error(setting, 1) < 1e-5
    assert gradient_error(setting, 1) == gradient_error(setting, 1) != gradient_error(setting, 2)
    assert gradient_error(setting._replace(dtype="float64"), 1) < 1e-14


@pytest.mark.parametrize("bad", [Setting("kept", 2), Setting("stored", 0), Setting("stored", 1, width=0)])
def test_bad_settings_are_refused(bad):
    with pytest.raises(ValueError, match="memory: expected stored or checkpointed or reversible"):
        network(bad)
