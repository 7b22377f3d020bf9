"""Measures the example: each adapter on its own task, and what a learned composition does for tasks nobody was taught.

Compositions are in delta space: W + sum of w_i * s_i * B_i A_i. The objective is LoraHub's: mean negative
log-likelihood of the few-shot answers (per token) + 0.05 * mean |w|, weights within +-1.5.
"""

import argparse
import json
import random
import time
from pathlib import Path

import cma
import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, LlamaForCausalLM

from batches import answer_loss, collate
from catalogue import ADAPTERS, alone
from generate import exact_match, greedy

BOUND = 1.5
PENALTY = 0.05


class Mixture:
    """The base model and the adapters' deltas [adapters, dOut, dIn] of every linear layer."""

    def __init__(self, base: Path, adapters: Path):
        self.model = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
        self.names = [recipe.name for recipe in ADAPTERS]
        modules = dict(self.model.named_modules())
        deltas: dict[str, list[torch.Tensor]] = {}
        for name in self.names:
            config = json.loads((adapters / name / "adapter_config.json").read_text())
            factors = load_file(adapters / name / "adapter_model.safetensors")
            for key in factors:
                if not key.endswith("lora_A.weight"):
                    continue
                module = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
                b, a = factors[key.replace("lora_A", "lora_B")].float(), factors[key].float()
                deltas.setdefault(module, []).append(config["lora_alpha"] / config["r"] * (b @ a))
        self.deltas = {module: torch.stack(parts) for module, parts in deltas.items()}
        self.parameters = {module: modules[module].weight for module in deltas}
        self.originals = {module: weight.detach().clone() for module, weight in self.parameters.items()}

    @torch.no_grad()
    def apply(self, weights: np.ndarray) -> None:
        """Puts W + sum of w_i delta_i into the model; all zero restores the base."""
        mix = torch.tensor(weights, dtype=torch.float32)
        for module, parameter in self.parameters.items():
            parameter.copy_(self.originals[module] + torch.tensordot(mix, self.deltas[module], 1))

    @torch.no_grad()
    def loss(self, weights: np.ndarray, shots: tuple[torch.Tensor, torch.Tensor]) -> float:
        self.apply(weights)
        return answer_loss(self.model, *shots).item()


def search(
    mixture: Mixture, shots: tuple[torch.Tensor, torch.Tensor], start: np.ndarray, budget: int, seed: int
) -> np.ndarray:
    """CMA-ES from `start`; the best weights it saw in `budget` evaluations."""

    def objective(weights: np.ndarray) -> float:
        return mixture.loss(weights, shots) + PENALTY * float(np.abs(weights).mean())

    strategy = cma.CMAEvolutionStrategy(
        start, 0.5, {"bounds": [-BOUND, BOUND], "seed": seed, "maxfevals": budget, "verbose": -9}
    )
    best, lowest, spent = start, float("inf"), 0
    while spent < budget and not strategy.stop():
        asked = strategy.ask()
        values = [objective(weights) for weights in asked]
        spent += len(asked)
        strategy.tell(asked, values)
        if min(values) < lowest:
            lowest = min(values)
            best = asked[int(np.argmin(values))]
    return best


def read(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("example", type=Path, help="the folder with model/, adapters/ and tasks/")
    parser.add_argument("--seeds", type=int, default=1, help="draws of few-shot examples per task")
    parser.add_argument("--shots", type=int, default=5)
    parser.add_argument("--budget", type=int, default=300)
    parser.add_argument("--out", type=Path, help="where to write the numbers as JSON")
    options = parser.parse_args()

    tokenizer = AutoTokenizer.from_pretrained(options.example / "model")
    mixture = Mixture(options.example / "model", options.example / "adapters")
    count = len(mixture.names)
    units = np.eye(count)
    report: dict[str, object] = {"adapters": {}, "tasks": []}

    print("adapter          base   own")
    for number, recipe in enumerate(ADAPTERS):
        rng = random.Random(f"test {recipe.name}")
        tests = [alone(recipe, rng, invented_share=0.0) for _ in range(100)]
        scores = []
        for weights in (np.zeros(count), units[number]):
            mixture.apply(weights)
            scores.append(exact_match(mixture.model, tokenizer, tests))
        print(f"{recipe.name:15s}  {scores[0]:.2f}   {scores[1]:.2f}", flush=True)
        report["adapters"][recipe.name] = {"base": scores[0], "exactMatch": scores[1]}

    print("\ntask              seed  loss: base single uniform composed   exact: base single uniform composed  seconds")
    means: list[list[float]] = []
    for folder in sorted((options.example / "tasks").iterdir()):
        train, test = read(folder / "train.jsonl"), read(folder / "test.jsonl")
        for seed in range(options.seeds):
            chosen = random.Random(seed).sample(range(len(train)), options.shots)
            shots = collate(tokenizer, [train[line] for line in chosen])
            began = time.monotonic()
            singles = [mixture.loss(weights, shots) for weights in units]
            uniform = np.full(count, 1 / count)
            methods = {
                "base": np.zeros(count),
                "single": units[int(np.argmin(singles))],
                "uniform": uniform,
                "composed": search(mixture, shots, uniform, options.budget, seed + 1),
            }
            seconds = time.monotonic() - began
            entry: dict[str, object] = {"task": folder.name, "seed": seed, "lines": chosen}
            entry["singleLosses"] = dict(zip(mixture.names, (round(loss, 6) for loss in singles), strict=True))
            for method, weights in methods.items():
                loss = mixture.loss(weights, shots)
                entry[method] = {
                    "loss": round(loss, 6),
                    "exactMatch": exact_match(mixture.model, tokenizer, test),
                    "greedy": greedy(mixture.model, tokenizer, [line["prompt"] for line in test[:3]]),
                    "weights": {n: round(float(w), 6) for n, w in zip(mixture.names, weights, strict=True)},
                }
            report["tasks"].append(entry)
            columns = [entry[method] for method in methods]
            means.append([column["exactMatch"] for column in columns])
            losses = " ".join(f"{column['loss']:7.3f}" for column in columns)
            exact = " ".join(f"{column['exactMatch']:7.2f}" for column in columns)
            print(f"{folder.name:18s} {seed:3d}  {losses}   {exact}   {seconds:.0f}", flush=True)
    columns = zip(("base", "single", "uniform", "composed"), np.mean(means, axis=0), strict=True)
    print("mean exact match: " + ", ".join(f"{method} {mean:.3f}" for method, mean in columns))
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
