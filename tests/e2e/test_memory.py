"""Memory: what an evaluation by moments takes does not grow with the number of images."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

# Everything but the network is the real thing: reading, decoding in threads, the pass, fingerprint and duplicates, the
# moments and their parts, the distance, the result. The network is left out because it takes an hour for these images,
# and because what it needs depends on its batch alone.
_PROGRAM = """
import json, resource, sys
import numpy as np
import ganbench
from ganbench.features import loading
from ganbench.protocol import get_protocol

class Network:
    protocol, heads, device, backend = get_protocol("embedded"), {"pool": 1280, "logits": 1000}, "cpu", "none"

    def __call__(self, images):
        flat = np.stack(images).reshape(len(images), -1).astype(np.float32) / 255
        return {"pool": flat[:, :1280], "logits": flat[:, :1000]}

loading.load_extractor = lambda protocol, **given: Network()

def peak():
    '''KiB. Not ru_maxrss, where it can be helped: that counts the process that started this one.'''
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)

peaks = {}

def progress(stage, done, total):
    if stage == "samples":
        peaks["before" if done == 0 else "streamed"] = peak()

report = ganbench.evaluate(fake=sys.argv[1], real=sys.argv[2], protocol="embedded", metrics="fid", progress=progress)
peaks["whole"] = peak()
print(json.dumps(peaks | {"n": report.result.samples.n, "value": report["frechet_distance"].value}))
"""
_SIDE = 32


def _write(path: Path, n: int) -> None:
    """n random images as the arr_0 of an npz, written a thousand at a time."""
    rng = np.random.default_rng(0)
    header = {"descr": "|u1", "fortran_order": False, "shape": (n, _SIDE, _SIDE, 3)}
    with zipfile.ZipFile(path, "w") as archive, archive.open("arr_0.npy", "w", force_zip64=True) as file:
        npy.write_array_header_1_0(file, header)
        for _ in range(n // 1000):
            file.write(rng.bytes(1000 * _SIDE * _SIDE * 3))


@pytest.mark.slow
def test_sixty_thousand_images_take_what_five_thousand_take(home: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    r = rng.normal(size=(1280, 1280)) / 36
    np.savez(tmp_path / "reference.npz", mu=rng.random(1280), sigma=r @ r.T)
    found = {}
    for n in (5_000, 60_000):
        _write(tmp_path / f"{n}.npz", n)
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, f"{n}.npz", "./reference.npz"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        (tmp_path / f"{n}.npz").unlink()
        found[n] = json.loads(done.stdout)
        print(f"{n:,} images: peaks in KiB {found[n]}")
        assert found[n]["n"] == n
        assert found[n]["value"] > 0
    few, many = found[5_000], found[60_000]
    assert few["before"] < few["streamed"], "the pass takes memory of its own, so its peak is seen"
    for stage in ("streamed", "whole"):
        assert many[stage] < 1.1 * few[stage], f"{stage}: {few[stage]:,} KiB became {many[stage]:,} KiB"
