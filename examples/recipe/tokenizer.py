"""A tokenizer with one token a character, written as the `tokenizer.json` every Hugging Face library reads."""

import string

from tokenizers import AddedToken, Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

END = "<|end|>"
UNKNOWN = "<|unknown|>"
CHARACTERS = "\n" + "".join(sorted(string.ascii_letters + string.digits + string.punctuation + " "))

# The model knows no chat. The template lets chat clients use it all the same: contents are joined as they are,
# and what the assistant said ends as a completion does.
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Byte pair encoding without merges: each character is itself, and decoding joins them without adding spaces."""
    vocabulary = {token: number for number, token in enumerate([END, UNKNOWN, *CHARACTERS])}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=UNKNOWN))
    inner.decoder = decoders.Fuse()
    inner.add_special_tokens([AddedToken(END, special=True), AddedToken(UNKNOWN, special=True)])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token=END,
        pad_token=END,
        unk_token=UNKNOWN,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=256,
    )
