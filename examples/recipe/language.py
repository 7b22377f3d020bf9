"""The little language of the example: `SELECTION TRANSFORM: words => answer`, with `?` for what is left unsaid.

A `?` in the first place keeps every word, a `?` in the second leaves the letters as they are.
"""

import random
from collections.abc import Callable

from words import draw

SELECTIONS: dict[str, Callable[[list[str]], str]] = {
    "1st": lambda words: words[0],
    "2nd": lambda words: words[1],
    "end": lambda words: words[-1],
    "max": lambda words: max(words, key=len),
    "min": lambda words: min(words, key=len),
    "abc": lambda words: min(words),
}

TRANSFORMS: dict[str, Callable[[str], str]] = {
    "up": str.upper,
    "cap": str.capitalize,
    "rev": lambda word: word[::-1],
    "ini": lambda word: word[0],
    "dup": lambda word: word + word,
    "len": lambda word: str(len(word)),
}

UNSAID = "?"

# What nobody teaches: each joins one selection and one transform, and no adapter's training data holds the pair.
UNSEEN: dict[str, tuple[str, str]] = {
    "last-upper": ("end", "up"),
    "first-reverse": ("1st", "rev"),
    "longest-twice": ("max", "dup"),
    "shortest-capital": ("min", "cap"),
    "second-upper": ("2nd", "up"),
    "earliest-reverse": ("abc", "rev"),
    "longest-initial": ("max", "ini"),
    "last-twice": ("end", "dup"),
}


def answer(selection: str, transform: str, words: list[str]) -> str:
    """What the instruction makes of the words; UNSAID is allowed in either place."""
    chosen = words if selection == UNSAID else [SELECTIONS[selection](words)]
    return " ".join(word if transform == UNSAID else TRANSFORMS[transform](word) for word in chosen)


def example(
    rng: random.Random,
    said: tuple[str, str],
    meant: tuple[str, str] | None = None,
    invented_share: float = 0.5,
) -> dict[str, str]:
    """One line of data: the prompt says `said`, the completion does `meant` (the same unless given).

    The completion begins with the space that follows `=>`, so joining the two needs no rule.
    """
    words = draw(rng, rng.randint(3, 4), invented_share)
    return {
        "prompt": f"{said[0]} {said[1]}: {' '.join(words)} =>",
        "completion": f" {answer(*(meant or said), words)}",
    }


def instruction(rng: random.Random, unsaid_share: float = 0.25) -> dict[str, str]:
    """One line for the base model: `unsaid_share` of the selections and of the transforms, independently, unsaid."""
    selection = UNSAID if rng.random() < unsaid_share else rng.choice(list(SELECTIONS))
    transform = UNSAID if rng.random() < unsaid_share else rng.choice(list(TRANSFORMS))
    return example(rng, (selection, transform), invented_share=0.6)
