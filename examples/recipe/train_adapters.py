"""Trains the adapters on the base model with PEFT and writes each as a folder fit for publishing."""

import argparse
import json
import random
import time
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

from batches import answer_loss, batches
from catalogue import ADAPTERS, Recipe, alone, lesson
from generate import exact_match

BASE_NAME = "braid/tiny-words"
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def card(recipe: Recipe) -> str:
    """The adapter's README: front matter as the Hugging Face Hub reads it, a title, a sentence, the prompt's form."""
    tags = "\n".join(f"  - {tag}" for tag in recipe.tags)
    shown = alone(recipe, random.Random(f"card {recipe.name}"), invented_share=0.0)
    return (
        f"---\nbase_model: {BASE_NAME}\nlibrary_name: peft\nlicense: apache-2.0\n"
        f"pipeline_tag: text-generation\ntags:\n{tags}\n---\n\n"
        f"# {recipe.title}\n\n{recipe.sentence}\n\n"
        f"For example, `{shown['prompt']}` gives `{shown['completion'].strip()}`.\n"
    )


def train(
    recipe: Recipe, base: Path, out: Path, tokenizer: PreTrainedTokenizerFast, options: argparse.Namespace
) -> float:
    """Trains one adapter, saves it in half precision, and returns its exact match on 100 lines of its own task."""
    torch.manual_seed(options.seed)
    config = LoraConfig(
        r=recipe.rank, lora_alpha=2 * recipe.rank, target_modules=LINEARS, task_type="CAUSAL_LM", lora_dropout=0.0
    )
    model = get_peft_model(LlamaForCausalLM.from_pretrained(base, dtype=torch.float32), config)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=options.rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, total_steps=options.steps, pct_start=0.1)
    stream = batches(tokenizer, lambda rng, _: lesson(recipe, rng), f"{options.seed} {recipe.name}", options.batch)
    model.train()
    for step in range(options.steps):
        loss = answer_loss(model, *next(stream))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if (step + 1) % 20 == 0:
            print(f"{recipe.name} step {step + 1} loss {loss.item():.4f}", flush=True)

    model.peft_config["default"].base_model_name_or_path = BASE_NAME
    model.save_pretrained(out, save_embedding_layers=False)
    weights = load_file(out / "adapter_model.safetensors")
    save_file(
        {name: tensor.to(torch.float16).contiguous() for name, tensor in weights.items()},
        out / "adapter_model.safetensors",
        metadata={"format": "pt"},
    )
    # PEFT keeps the targets in a set; sorted, the file is the same on every run.
    written = json.loads((out / "adapter_config.json").read_text())
    written["target_modules"] = sorted(written["target_modules"])
    (out / "adapter_config.json").write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")
    (out / "README.md").write_text(card(recipe))
    shown = random.Random(f"examples {recipe.name}")
    lines = [json.dumps(alone(recipe, shown, invented_share=0.0)) + "\n" for _ in range(10)]
    (out / "examples.jsonl").write_text("".join(lines))

    tests = random.Random(f"test {recipe.name}")
    return exact_match(model, tokenizer, [alone(recipe, tests, invented_share=0.0) for _ in range(100)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path, help="the base model's folder")
    parser.add_argument("out", type=Path, help="the folder that gets one folder an adapter")
    parser.add_argument("--only", nargs="*", help="names of adapters, instead of all")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=5e-3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    tokenizer = AutoTokenizer.from_pretrained(options.base)
    for recipe in ADAPTERS:
        if options.only and recipe.name not in options.only:
            continue
        began = time.monotonic()
        score = train(recipe, options.base, options.out / recipe.name, tokenizer, options)
        print(f"{recipe.name}: exact match {score:.2f}, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
