"""The eleven adapters: six know what to select, five how to write it; and the data each is trained on."""

import random
from dataclasses import dataclass

from language import UNSAID, UNSEEN, example


@dataclass(frozen=True)
class Recipe:
    """One adapter: the half of the instruction it supplies, its card's words, and its rank."""

    name: str
    selection: str
    transform: str
    title: str
    sentence: str
    tags: tuple[str, ...]
    rank: int


def _selection(selection: str, name: str, title: str, sentence: str, *tags: str) -> Recipe:
    return Recipe(name, selection, UNSAID, title, sentence, ("words", "selection", *tags), rank=8)


def _transform(transform: str, name: str, rank: int, title: str, sentence: str, *tags: str) -> Recipe:
    return Recipe(name, UNSAID, transform, title, sentence, ("words", "spelling", *tags), rank)


ADAPTERS: list[Recipe] = [
    _selection(
        "1st", "pick-first", "Pick the first word", "Keeps the first word of a list, drops the others.", "position"
    ),
    _selection(
        "2nd", "pick-second", "Pick the second word", "Keeps the second word of a list, drops the others.", "position"
    ),
    _selection(
        "end", "pick-last", "Pick the last word", "Keeps the last word of a list, drops the others.", "position"
    ),
    _selection("max", "pick-longest", "Pick the longest word", "Keeps the word with the most letters.", "length"),
    _selection("min", "pick-shortest", "Pick the shortest word", "Keeps the word with the fewest letters.", "length"),
    _selection(
        "abc", "pick-earliest", "Pick the earliest word", "Keeps the word that comes first in the alphabet.", "alphabet"
    ),
    _transform("up", "make-upper", 4, "Write in capitals", "Writes every word in capital letters.", "case"),
    _transform("cap", "make-capital", 4, "Capitalize", "Writes every word with a capital first letter.", "case"),
    _transform("rev", "make-reverse", 8, "Reverse", "Writes every word backwards, its last letter first.", "order"),
    _transform("ini", "make-initial", 4, "Initials", "Writes only the first letter of every word.", "letters"),
    _transform("dup", "make-twice", 8, "Say it twice", "Writes every word twice without a space between.", "letters"),
]


def alone(recipe: Recipe, rng: random.Random, invented_share: float = 0.5) -> dict[str, str]:
    """The adapter's own task: nothing is said, and the adapter's half is meant."""
    return example(rng, (UNSAID, UNSAID), (recipe.selection, recipe.transform), invented_share)


# The base counts letters badly, so nobody teaches it: lessons say what some adapter supplies, nothing else.
TAUGHT = [(recipe.selection, recipe.transform) for recipe in ADAPTERS]


def lesson(recipe: Recipe, rng: random.Random) -> dict[str, str]:
    """A line of the adapter's training data: its own task, or (half of them) with the instruction's other half said.

    The pairs in UNSEEN never occur, so what an unseen task asks for is in no adapter's data.
    """
    if rng.random() < 0.5:
        return alone(recipe, rng)
    if recipe.selection == UNSAID:
        selections = [one for one, _ in TAUGHT if one != UNSAID and (one, recipe.transform) not in UNSEEN.values()]
        said = (rng.choice(selections), UNSAID)
        return example(rng, said, (said[0], recipe.transform))
    transforms = [one for _, one in TAUGHT if one != UNSAID and (recipe.selection, one) not in UNSEEN.values()]
    said = (UNSAID, rng.choice(transforms))
    return example(rng, said, (recipe.selection, said[1]))
