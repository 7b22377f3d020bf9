"""What autograd saves in the forward pass of a training step, measured: the numbers that braid plan's activations are held against.

    python saved_activations.py [MODEL]

Prints one JSON document: cases of transformers' models with random weights, of the architectures and shapes below and of MODEL's
config.json where given, all weights trained or PEFT's LoRA beside frozen ones; the parameters that are trained; and the bytes of all
tensors, counted once by storage, that are saved for the backward pass and are no parameters. Sizes do not depend on the device but for
dropout's masks, so there is no dropout. test/golden/training holds what this printed.
"""
import json
import pathlib
import sys

import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

SHAPE = dict(hidden_size=256, intermediate_size=704, num_hidden_layers=3, num_attention_heads=8, num_key_value_heads=2, head_dim=48,
             vocab_size=1000, max_position_embeddings=512, rms_norm_eps=1e-5, hidden_act="silu")
CONFIGS = {
    "llama": dict(SHAPE, model_type="llama", tie_word_embeddings=False),
    "llama-all-heads": dict(SHAPE, model_type="llama", num_key_value_heads=8, head_dim=32, tie_word_embeddings=True),
    "qwen2": {**SHAPE, "model_type": "qwen2", "head_dim": 32, "tie_word_embeddings": True},
    "qwen3": dict(SHAPE, model_type="qwen3", tie_word_embeddings=True),
}
QV, ALL = ["q_proj", "v_proj"], ["all-linear"]
BATCH, LENGTH, RANK = 2, 40, 8


def step(name, config, precision, targets=None, adapter="fp32", checkpointing=False):
    """One forward pass with labels; `targets` None trains all weights."""
    torch.manual_seed(0)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    torch.set_default_dtype(dtype)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config), attn_implementation="sdpa")
    torch.set_default_dtype(torch.float32)
    if targets is not None:
        lora = LoraConfig(task_type="CAUSAL_LM", r=RANK, target_modules="all-linear" if targets == ALL else targets, lora_dropout=0.0)
        model = get_peft_model(model, lora, autocast_adapter_dtype=adapter == "fp32")
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    model.train()
    owned = {tensor.untyped_storage()._cdata for tensor in model.parameters()}
    storages = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in owned:
            storages[storage._cdata] = storage
        return tensor

    ids = torch.arange(BATCH * LENGTH).reshape(BATCH, LENGTH)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(input_ids=ids, labels=ids, use_cache=False)
    return dict(
        model=name, precision=precision, targets=targets, rank=RANK, adapter=adapter, checkpointing=checkpointing, batch=BATCH, length=LENGTH,
        trained=sum(p.numel() for p in model.parameters() if p.requires_grad),
        bytes=sum(storage.nbytes() for storage in storages.values()),
    )


def main():
    transformers.utils.logging.set_verbosity_error()
    configs = dict(CONFIGS)
    if len(sys.argv) > 1:
        given = json.loads((pathlib.Path(sys.argv[1]) / "config.json").read_text())
        # The cases say the precision; transformers would take the file's.
        configs["smollm2"] = {field: value for field, value in given.items() if field not in ("dtype", "torch_dtype")}
    cases = []
    for name, config in configs.items():
        for precision in ("fp32", "bf16"):
            cases.append(step(name, config, precision))
            cases.append(step(name, config, precision, ALL))
        cases.append(step(name, config, "bf16", checkpointing=True))
        cases.append(step(name, config, "bf16", ALL, adapter="bf16"))
        cases.append(step(name, config, "bf16", QV))
        cases.append(step(name, config, "bf16", QV, adapter="bf16"))
        cases.append(step(name, config, "bf16", ["o_proj", "down_proj"], adapter="bf16"))
    print(json.dumps(dict(torch=torch.__version__, transformers=transformers.__version__, configs=configs, cases=cases), indent=1))


if __name__ == "__main__":
    main()
