"""Examples as padded tensors: right-padded, with loss on the completion and the end-of-sequence token alone."""

import random
from collections.abc import Callable, Iterator
from itertools import count

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast

IGNORED = -100


def collate(tokenizer: PreTrainedTokenizerFast, examples: list[dict[str, str]]) -> tuple[torch.Tensor, torch.Tensor]:
    """`ids` [n, t] and `targets` [n, t]: the token that follows each position, IGNORED in the prompt and padding."""
    rows = []
    for line in examples:
        prompt = tokenizer.encode(line["prompt"], add_special_tokens=False)
        completion = tokenizer.encode(line["completion"], add_special_tokens=False) + [tokenizer.eos_token_id]
        rows.append((prompt, completion))
    width = max(len(prompt) + len(completion) for prompt, completion in rows) - 1
    ids = torch.full((len(rows), width), tokenizer.eos_token_id)
    targets = torch.full((len(rows), width), IGNORED)
    for row, (prompt, completion) in enumerate(rows):
        joined = torch.tensor(prompt + completion)
        ids[row, : len(joined) - 1] = joined[:-1]
        targets[row, len(prompt) - 1 : len(joined) - 1] = joined[len(prompt) :]
    return ids, targets


POOL = 16


def batches(
    tokenizer: PreTrainedTokenizerFast,
    draw_example: Callable[[random.Random, int], dict[str, str]],
    seed: str,
    size: int,
    start: int = 0,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless batches of `size` rows from step `start`, a multiple of POOL; `draw_example` gets a source and the step.

    POOL batches are drawn at once and cut by length, which spares padding. Each pool has its own source of chance,
    so a run that continues from a checkpoint sees what an unbroken one would.
    """
    for step in count(start, POOL):
        rng = random.Random(f"{seed} {step}")
        drawn = [draw_example(rng, step) for _ in range(size * POOL)]
        drawn.sort(key=lambda line: len(line["prompt"]) + len(line["completion"]))
        cuts = [drawn[row : row + size] for row in range(0, len(drawn), size)]
        rng.shuffle(cuts)
        for cut in cuts:
            yield collate(tokenizer, cut)


def answer_loss(model: torch.nn.Module, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean negative log-likelihood of the answers' tokens; logits are computed where an answer is, nowhere else.

    Padding is on the right and attention causal, so no mask is needed.
    """
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = causal.model(input_ids=ids, use_cache=False).last_hidden_state
    wanted = targets != IGNORED
    return cross_entropy(causal.lm_head(hidden[wanted]).float(), targets[wanted])
