"""`ganbench eval A --ref B` as a user gives it: `python -m benchmarks.tasks.ours METRICS A B WEIGHTS`."""

import json
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    metrics, a, b, weights = sys.argv[1:]
    ganbench = str(Path(sys.executable).parent / "ganbench")
    done = subprocess.run(
        [ganbench, "eval", a, "--ref", b, "--metrics", metrics, "--protocol", "tf", "--weights", weights,
         "--allow-unverified-weights", "--json", "-", "--quiet", "--device", "cpu"],
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)["metrics"]
    values = {"fid": found["frechet_distance"]["value"]} if "frechet_distance" in found else {}
    print(json.dumps({"values": values}))
