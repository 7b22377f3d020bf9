"""The peers of Braid's benchmark: LoraHub's evaluation loop on PEFT, and PEFT's mixed-adapter batch.

    python peft_peer.py MODEL ADAPTERS [NAME ...]

MODEL is a Hugging Face directory, ADAPTERS a folder of PEFT adapters, of which the named ones are taken, in that order (all without names). Reads one command a line from standard input and answers
each with one JSON line, so that Braid and its peer can be measured in turn:

    eval    one evaluation as LoraHub does it: the weighted sum of the adapters' state dicts, loaded into one PEFT model
            (`set_peft_model_state_dict`), then the loss of the last 16 of 64 tokens in 5 rows         -> {"ms": ...}
    score {"rows": [{"ids": [...], "from": n}, ...], "weights": [...]}
            the same evaluation of these weights on rows of their own lengths, padded to the longest as a tokenizer pads,
            each scored from token n on                                                   -> {"ms": ..., "loss": ...}
    decode  8 rows, each with an adapter of its own (`adapter_names`), 128 tokens of prompt, 64 new tokens
                                                                                           -> {"tokens_per_s": ...}
"""
import json
import pathlib
import sys
import time

import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

ROWS, LENGTH, ANSWER = 5, 64, 16
DECODE_ROWS, PROMPT, NEW = 8, 128, 64


def token_ids(rows, length, vocabulary):
    """The same arithmetic as bench/bed.ts, so that both sides read the same tokens."""
    return torch.tensor([[(1000 + row * 101 + column * 37) % vocabulary for column in range(length)] for row in range(rows)])


class Evaluator:
    """LoraHub's objective: every evaluation mixes the state dicts (A and B apart, its factor space) and reloads the adapter."""

    def __init__(self, model, adapters):
        first = adapters[0]
        self.model = PeftModel.from_pretrained(model, first).eval()
        self.states = [load_file(adapter / "adapter_model.safetensors") for adapter in adapters]
        self.ids = token_ids(ROWS, LENGTH, model.config.vocab_size)
        self.labels = self.ids.clone()
        self.labels[:, : LENGTH - ANSWER] = -100

    def score(self, rows, weights):
        length = max(len(row["ids"]) for row in rows)
        ids = torch.zeros((len(rows), length), dtype=torch.long)
        mask = torch.zeros_like(ids)
        labels = torch.full_like(ids, -100)
        for i, row in enumerate(rows):
            n, first = len(row["ids"]), row["from"]
            ids[i, :n] = torch.tensor(row["ids"])
            mask[i, :n] = 1
            labels[i, first:n] = ids[i, first:n]
        start = time.perf_counter()
        self.load(weights)
        loss = self.model(input_ids=ids, attention_mask=mask, labels=labels).loss.item()
        return {"ms": (time.perf_counter() - start) * 1000, "loss": loss}

    def load(self, weights):
        mixed = {key: sum(w * state[key].float() for w, state in zip(weights, self.states)) for key in self.states[0]}
        set_peft_model_state_dict(self.model, mixed)

    def run(self, weights):
        start = time.perf_counter()
        self.load(weights)
        loss = self.model(input_ids=self.ids, labels=self.labels).loss.item()
        return {"ms": (time.perf_counter() - start) * 1000, "loss": loss}


class Decoder:
    def __init__(self, model, adapters):
        self.names = [adapter.name for adapter in adapters[:DECODE_ROWS]]
        self.model = PeftModel.from_pretrained(model, adapters[0], adapter_name=self.names[0])
        for adapter in adapters[1:DECODE_ROWS]:
            self.model.load_adapter(adapter, adapter_name=adapter.name)
        self.model.eval()
        ids = token_ids(DECODE_ROWS, PROMPT, model.config.vocab_size)
        self.inputs = dict(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, pad_token_id=0, adapter_names=self.names)

    def seconds(self, new):
        start = time.perf_counter()
        self.model.generate(**self.inputs, max_new_tokens=new, min_new_tokens=new)
        return time.perf_counter() - start

    def run(self):
        prefill = self.seconds(1)
        whole = self.seconds(NEW)
        return {"tokens_per_s": DECODE_ROWS * (NEW - 1) / (whole - prefill)}


def main(model_directory, adapters_directory, *names):
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    folder = pathlib.Path(adapters_directory)
    adapters = [folder / name for name in names] or sorted(path for path in folder.iterdir() if (path / "adapter_config.json").exists())

    def load():
        return AutoModelForCausalLM.from_pretrained(model_directory, dtype=torch.float32).eval()

    evaluator = Evaluator(load(), adapters)
    decoder = None
    print(json.dumps({"ready": True, "adapters": len(adapters)}), flush=True)
    turn = 0
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        turn += 1
        if command == "eval":
            weights = [((turn * 7 + i * 13) % 20 - 10) / 100 for i in range(len(adapters))]
            print(json.dumps(evaluator.run(weights)), flush=True)
        elif command == "score":
            print(json.dumps(evaluator.score(**json.loads(argument))), flush=True)
        elif command == "decode":
            decoder = decoder or Decoder(load(), adapters)
            print(json.dumps(decoder.run()), flush=True)
        elif command == "quit":
            return
        else:
            print(json.dumps({"error": f"unknown command {command!r}: eval, score, decode or quit"}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
