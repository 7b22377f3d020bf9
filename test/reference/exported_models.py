"""usage: exported_models.py BASE_DIR TOKENS, requests as JSON lines on stdin: {FORMAT: DIR, "prompt": TEXT}, FORMAT peft, merged or onnx

Loads each export with PEFT, transformers or ONNX Runtime, generates TOKENS tokens greedily and answers with one JSON line: the log-probability of every
token of prompt and answer but the first, in float32.
"""
import json
import sys

import numpy as np
import onnxruntime
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

base, count = sys.argv[1], int(sys.argv[2])


def load(directory):
    return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()


def logits_of(request):
    """The function from token ids to logits [tokens, vocabulary], and the directory of its tokenizer."""
    if "onnx" in request:
        session = onnxruntime.InferenceSession(f"{request['onnx']}/model.onnx")
        return lambda ids: torch.from_numpy(session.run(None, {"input_ids": np.array([ids])})[0][0]), request["onnx"]
    if "peft" in request:
        model, directory = PeftModel.from_pretrained(load(base), request["peft"]).eval(), base
    else:
        model, directory = load(request["merged"]), request["merged"]
    return lambda ids: model(torch.tensor([ids])).logits[0], directory


for line in sys.stdin:
    request = json.loads(line)
    logits, directory = logits_of(request)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{directory}/tokenizer.json")
    ids = tokenizer(request["prompt"])["input_ids"]
    with torch.inference_mode():
        for _ in range(count):
            ids.append(int(logits(ids)[-1].argmax()))
        logprobs = logits(ids).log_softmax(-1)
    print(json.dumps([float(logprobs[i, token]) for i, token in enumerate(ids[1:])]), flush=True)
