"""Faults: a run of all pages is killed at random moments, and the last good pack is looked at.

    python benchmarks/faults.py [--times 50]

After each kill the pack must be the one before, byte for byte; and after all of them a run must
complete and give the same bytes again.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from psa_analysis.files import checksum

RUN = [sys.executable, "-m", "psa_analysis.cli", "run", "2004-05 Q3"]


def bytes_of(pack: Path) -> dict[str, str]:
    """Checksums of all files but the manifest, which says when the pack was made."""
    return {path.name: checksum(path) for path in pack.iterdir() if path.name != "manifest.json"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--times", type=int, default=50, help="how many kills")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        outputs = ["--outputs", name]
        started = time.monotonic()
        subprocess.run([*RUN, *outputs], check=True, capture_output=True)
        whole = time.monotonic() - started
        pack = Path(name) / "2004-05-Q3"
        good, killed, finished = bytes_of(pack), 0, 0
        while killed < options.times:
            process = subprocess.Popen(
                [*RUN, *outputs, "--force"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(moments.uniform(0, whole * 1.05))
            process.kill()
            if process.wait() == 0:
                finished += 1
            else:
                killed += 1
            print(f"\rkilled {killed} times", end="", file=sys.stderr, flush=True)
            now = bytes_of(pack)
            assert now == good, sorted(name for name in good if now.get(name) != good[name])
        print(file=sys.stderr)
        done = subprocess.run([*RUN, *outputs], check=True, capture_output=True, text=True)
        assert bytes_of(pack) == good
        left = [str(path) for path in (Path(name) / ".psa").rglob("new-*")]
        print(
            f"killed {killed} times at moments of a run of {whole:.1f} s ({finished} were over "
            f"already): the pack was whole each time, and the next run completed"
        )
        print(done.stdout.strip().splitlines()[-1].replace(name, "outputs"), left)


if __name__ == "__main__":
    main()
