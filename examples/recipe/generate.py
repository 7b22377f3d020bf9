"""Greedy answers from a transformers model, and how many of them are right."""

import torch
from transformers import PreTrainedTokenizerFast


@torch.no_grad()
def greedy(
    model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast, prompts: list[str], limit: int = 48
) -> list[str]:
    """The answers to the prompts up to the end-of-sequence token, at most `limit` tokens; prompts are left-padded."""
    model.eval()
    tokenizer.padding_side = "left"
    batch = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False, return_token_type_ids=False)
    written = model.generate(**batch, max_new_tokens=limit, do_sample=False)
    return tokenizer.batch_decode(written[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)


def exact_match(model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast, examples: list[dict[str, str]]) -> float:
    """The share of examples whose greedy answer, stripped, is the completion."""
    answers = greedy(model, tokenizer, [line["prompt"] for line in examples])
    right = sum(given.strip() == line["completion"].strip() for given, line in zip(answers, examples, strict=True))
    return right / len(examples)
