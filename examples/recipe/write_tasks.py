"""Writes the unseen tasks: 40 lines to draw few-shot examples from and 100 to test on, without a line in common."""

import argparse
import json
import random
from pathlib import Path

from language import UNSAID, UNSEEN, example


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the folder that gets one folder a task")
    options = parser.parse_args()
    for name, pair in UNSEEN.items():
        folder = options.out / name
        folder.mkdir(parents=True, exist_ok=True)
        rng = random.Random(f"task {name}")
        lines: dict[str, None] = {}
        while len(lines) < 140:
            lines[json.dumps(example(rng, (UNSAID, UNSAID), pair, invented_share=0.0))] = None
        drawn = list(lines)
        (folder / "train.jsonl").write_text("\n".join(drawn[:40]) + "\n")
        (folder / "test.jsonl").write_text("\n".join(drawn[40:]) + "\n")


if __name__ == "__main__":
    main()
