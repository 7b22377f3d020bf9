# For schemathesis.sh: texts where a name is meant become names that the hub has, and what cannot stand together in a valid request is thinned
# out, so that requests reach the model and not only a 404.
import schemathesis

BASE, ADAPTER = "braid/tiny-words", "words/make-upper"
NAMES = {
    "model": [BASE, ADAPTER, "words/both"],
    "base": [BASE],
    "adapter_id": [ADAPTER],
    "adapter": [ADAPTER],
    "id": [ADAPTER],
    "ids": [ADAPTER, "words/pick-last"],
    "models": [BASE, ADAPTER, "words/both"],
    "first": [ADAPTER],
    "second": ["words/pick-last", "words/both"],
    "like": [ADAPTER],
}
# A request names its adapters in one of these ways.
WAYS = ["mixture", "adapter_id", "merged_adapters", "lora"]
# Within the context of the bundled model, and soon done.
MOST = {"max_tokens": 8, "max_completion_tokens": 8, "max_new_tokens": 8, "min_tokens": 2, "n": 2}
# Token ids that the bundled model has.
VOCABULARY = 100


def named(value, key=None):
    if isinstance(value, dict):
        return {field: named(item, field) for field, item in value.items()}
    if isinstance(value, list):
        return [named(item, key) for item in value]
    # Empty and long texts are wrong on purpose.
    if isinstance(value, str) and key in NAMES and 0 < len(value) <= 64:
        return NAMES[key][len(value) % len(NAMES[key])]
    return value


def possible(body, path):
    """A valid body without what only the hub can know to be impossible."""
    body = dict(body)
    if isinstance(body.get("parameters"), dict):
        body["parameters"] = possible(body["parameters"], path)
    if isinstance(body.get("models"), list):
        body["models"] = [possible(model, path) if isinstance(model, dict) else model for model in body["models"]]
    ways = [way for way in WAYS if body.get(way)]
    for way in ways:
        if way != ways[len(str(body)) % len(ways)]:
            del body[way]
    if ways and "model" in body:
        body["model"] = BASE
    for field, most in MOST.items():
        if isinstance(body.get(field), int):
            body[field] = min(body[field], most)
    for field in ["allowed_token_ids", "stop_token_ids", "tokens"]:
        if isinstance(body.get(field), list):
            body[field] = [token % VOCABULARY if isinstance(token, int) else token for token in body[field]]
    if isinstance(body.get("logit_bias"), dict):
        body["logit_bias"] = {str(token): bias for token, bias in enumerate(body["logit_bias"].values())}
    if path in ("/v1/compare", "/tokenize"):
        if body.get("messages"):
            body.pop("prompt", None)
        elif body.get("prompt") is None:
            body["prompt"] = "a b"
    return body


@schemathesis.hook
def before_call(context, case, kwargs):
    case.query = named(case.query)
    case.body = named(case.body)
    if isinstance(case.body, dict) and case.meta.generation.mode.is_positive:
        case.body = possible(case.body, case.operation.path)
