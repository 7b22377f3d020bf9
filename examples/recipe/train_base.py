"""Trains the base model: it learns to follow instructions, and to do nothing where they are left unsaid."""

import argparse
import json
import random
import time
from pathlib import Path

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from batches import POOL, answer_loss, batches
from generate import exact_match
from language import SELECTIONS, TRANSFORMS, UNSAID, example, instruction
from muon import Muon
from tokenizer import build_tokenizer

# Copying is learned first: at the start most instructions are left unsaid, later a quarter of each half.
EARLY_UNSAID, LATE_UNSAID, EARLY_STEPS = 0.85, 0.25, 400
CHECKPOINT_EVERY = 5 * POOL


def unsaid_share(step: int) -> float:
    """The share of unsaid selections and transforms in the data at a step."""
    return max(LATE_UNSAID, EARLY_UNSAID - (EARLY_UNSAID - LATE_UNSAID) * step / EARLY_STEPS)


# The step at which each round of training ends; a round starts again at the full rate.
ROUNDS = (1200, 1800)


def rate_factor(step: int) -> float:
    """Warm-up, a plateau, and a linear decay to the end of the round, over 35 % of the steps so far."""
    end = next(end for end in ROUNDS if step < end)
    return min(1.0, (step + 1) / 20, (end - step) / (0.35 * end))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the model's folder, for instance ../tiny-words/model")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoint", type=Path, help="a file written now and then, and continued from if there")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    tokenizer = build_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=5,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=32,
        max_position_embeddings=256,
        initializer_range=0.05,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    print(f"{model.num_parameters():,} parameters, vocabulary {len(tokenizer)}", flush=True)
    matrices = [one for name, one in model.named_parameters() if one.ndim == 2 and "embed" not in name]
    others = [one for name, one in model.named_parameters() if one.ndim != 2 or "embed" in name]
    optimizers = [Muon(matrices, lr=0.02), torch.optim.AdamW(others, lr=3e-3, betas=(0.9, 0.98), weight_decay=0.0)]
    peaks = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    start = 0
    if options.checkpoint and options.checkpoint.exists():
        saved = torch.load(options.checkpoint)
        model.load_state_dict(saved["model"])
        for optimizer, state in zip(optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        start = saved["step"]

    stream = batches(
        tokenizer, lambda rng, step: instruction(rng, unsaid_share(step)), str(options.seed), options.batch, start
    )
    began = time.monotonic()
    running: list[float] = []
    for step in range(start, ROUNDS[-1]):
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            optimizer.param_groups[0]["lr"] = peak * rate_factor(step)
        loss = answer_loss(model, *next(stream))
        model.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        running.append(loss.item())
        if (step + 1) % 20 == 0:
            print(
                f"step {step + 1} loss {sum(running) / len(running):.4f} {time.monotonic() - began:.0f} s", flush=True
            )
            running.clear()
        if options.checkpoint and (step + 1) % CHECKPOINT_EVERY == 0:
            states = [optimizer.state_dict() for optimizer in optimizers]
            torch.save({"model": model.state_dict(), "optimizers": states, "step": step + 1}, options.checkpoint)

    model = model.to(torch.bfloat16)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=False
    )
    model.save_pretrained(options.out)
    tokenizer.save_pretrained(options.out, save_jinja_files=False)

    # Measured on what was saved: the rounded weights, in single precision.
    model = LlamaForCausalLM.from_pretrained(options.out, dtype=torch.float32)
    rng = random.Random(options.seed + 1000)
    scores = {}
    for selection in [UNSAID, *SELECTIONS]:
        for transform in [UNSAID, *TRANSFORMS]:
            test = [example(rng, (selection, transform), invented_share=0.0) for _ in range(40)]
            scores[f"{selection} {transform}"] = exact_match(model, tokenizer, test)
    print(json.dumps(scores, indent=1))
    print(f"mean exact match {sum(scores.values()) / len(scores):.3f}, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
