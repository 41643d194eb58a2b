"""Time resgrad beside PyTorch, JAX and the bare matrix products, on one core: ``make benchmark``.

Each round runs every contender once, in an order that is drawn anew, and only times of one round are divided:
what slows the machine down slows all of them. The clock is that of the process: on one core it counts the work of
all its threads, and not what others do there meanwhile. A ratio is the contender's time over resgrad's: above 1,
resgrad is faster. No test asserts a time.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# Before numpy is imported, or it comes too late.
os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
from threadpoolctl import threadpool_info

if __package__ in (None, ""):  # run as a script
    sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.peers import Conv, Mlp, Run, installed, jax_jit, products, resgrad, torch_eager

SETTINGS = {
    "residual MLP": [Mlp(16, 1, 16), Mlp(50, 32, 64), Mlp(50, 128, 256), Mlp(16, 256, 512)],
    "convolution 3 x 3": [Conv(32, 32, 16), Conv(32, 16, 32), Conv(32, 8, 64)],
}
CONTENDERS: dict[str, Callable[[Any], Run | None]] = {
    "products alone": products,
    "PyTorch": torch_eager,
    "PyTorch NCHW": lambda setting: (
        torch_eager(setting, channels_last=False) if isinstance(setting, Conv) else None
    ),
    "JAX jit": jax_jit,
}
ROUNDS, WARM_UP = 40, 4


def main(settings: Mapping[str, list[Any]] = SETTINGS, rounds: int = ROUNDS) -> None:
    """Print a table for each kind of work, with what ran underneath."""
    where = one_core()
    print(
        f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}, float32, {where}"
    )
    for kind, sizes in settings.items():
        print(f"\n{kind}: time of the contender / time of resgrad, median (10 to 90 %) of {rounds} rounds")
        for setting in sizes:
            print(line(setting, compare(setting, rounds)), flush=True)
    print(f"\nLinear algebra: {kernels()}")
    for package, name in {"torch": "PyTorch", "jax": "JAX"}.items():
        if not installed(package):
            print(f"{name} is not installed: {sys.executable} -m pip install {package}")


def one_core() -> str:
    """Stay on one core, where the system can; JAX heeds nothing else."""
    if not hasattr(os, "sched_setaffinity"):
        return "one thread (JAX: as many as it likes)"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return f"one thread, core {core}"


def compare(setting: Any, rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each round, for resgrad and for each contender that is installed."""
    runs = {"resgrad": resgrad(setting)}
    runs |= {name: run for name, make in CONTENDERS.items() if (run := make(setting))}
    names, rng = list(runs), np.random.default_rng(0)
    seconds = {name: np.empty(rounds + WARM_UP) for name in names}
    for i in range(rounds + WARM_UP):
        for name in rng.permutation(names):
            seconds[name][i] = timed(runs[name])
    return {name: times[WARM_UP:] for name, times in seconds.items()}


def timed(run: Run) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def line(setting: Any, seconds: Mapping[str, np.ndarray]) -> str:
    ours = seconds["resgrad"]
    sizes = ", ".join(f"{name} {size}" for name, size in setting._asdict().items())
    cells = [f"{sizes:<22} resgrad {1e3 * np.median(ours):8.3g} ms"]
    for name in list(seconds)[1:]:
        low, median, high = np.quantile(seconds[name] / ours, (0.1, 0.5, 0.9))
        cells.append(f"{name} {median:.2f} ({low:.2f} to {high:.2f})")
    return " | ".join(cells)


def kernels() -> str:
    """Which BLAS numpy and the others have loaded, and for which processor its kernels were written."""
    found = [
        f"{Path(pool['filepath']).name}: {pool['internal_api']} {pool['version']}, "
        f"kernels {pool.get('architecture', 'not named')}, threads {pool['num_threads']}"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]
    chosen = {
        name: os.environ[name] for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if name in os.environ
    }
    return "; ".join(found) + (f"; set by hand: {chosen}" if chosen else "")


def wider_kernels() -> str:
    """Name the kernels that OpenBLAS passes over here although the processor can run them, or nothing.

    It takes a processor with AVX-512 that it does not know for one without, at half the speed.
    """
    try:
        flags = set(Path("/proc/cpuinfo").read_text("utf-8").split())
    except OSError:
        return ""
    used = {pool.get("architecture") for pool in threadpool_info() if pool["internal_api"] == "openblas"}
    able = {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags
    return "SkylakeX" if able and used & {"Haswell", "Zen"} and "OPENBLAS_CORETYPE" not in os.environ else ""


if __name__ == "__main__":
    main()
    if wider := wider_kernels():
        print(f"\nThe same with OPENBLAS_CORETYPE={wider}:", flush=True)
        subprocess.run([sys.executable, __file__], env={**os.environ, "OPENBLAS_CORETYPE": wider}, check=True)
