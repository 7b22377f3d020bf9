"""The words the example plays with: a hand-written list of short common English words, and made-up ones."""

import random

# Written for this example; two to five letters, plain ASCII.
ENGLISH = """
ant apple arm army art ash aunt axe baby back bad bag bake ball band bank barn bath bay bean bear beard bed
bee bell belt bench berry bike bird black blue boat body bone book boot bowl box boy brain bread brick broom
brown brush bug bus cabin cable cake calm camel camp cap car card cart cat cave chair chalk chest chin city
clay clock cloth cloud club coal coat coin cold comb cook corn cow cream crow crown cup curve dance dark day
deer desk dew dish dog doll door dove dream dress drum duck dust eagle ear earth east echo edge egg elbow elf
elk eve eye fable face fair fan farm fast fern field fig fire fish flag flame floor fly fog food foot fork fox
frog fruit fur game gate ghost giant gift girl glass globe glove glue goat gold goose grape grass green gum
hail hair hall hand harp hat hawk head heart hen herb hill home honey hood hook horn horse hotel house ice
idea inch ink iron ivy jam jar jaw jewel job joke judge juice jump key kid king kiss kite knee knife knot lace
lake lamb lamp land lark leaf leg lemon light lily lime lion lip log loop love lunch magic map mask melon
metal mile milk mill mint moon moth mouse mud music nail name neck nest net night noise noon north nose note
nut oak oar oat ocean oil olive onion oven owl ox page paint palm pan paper park peach pear pearl pen piano
pie pig pilot pin pine pipe plane plant plate plum poem pond pony pool pump puppy purse queen quilt quiz race
rain ram rat raven red rice ring river road robe rock roof room root rope rose rug rule sail salad salt sand
scarf sea seed sheep shell ship shirt shoe shop silk sky sled smoke snail snow soap sock soil song soup south
spice spoon star steam stem step stick stone storm stove sugar suit sun swan table tail tea tent thumb tide
tiger time tin toad toast tooth top tower town toy train tray tree truck tub tulip uncle urn van vase vest
view vine voice wagon wall wasp watch water wave wax web well west whale wheat wheel wind wing wolf wood wool
yak yard yarn year yolk zebra zone zoo
""".split()

VOWELS = "aeiou"
CONSONANTS = "bcdfghjklmnpqrstvwxyz"


def invented(rng: random.Random) -> str:
    """A pronounceable word of two to five letters: the model has to copy letters, it cannot know the word."""
    length = rng.randint(2, 5)
    vowel = rng.random() < 0.4
    letters = []
    for _ in range(length):
        letters.append(rng.choice(VOWELS if vowel else CONSONANTS))
        vowel = not vowel if rng.random() < 0.85 else vowel
    return "".join(letters)


def draw(rng: random.Random, count: int, invented_share: float) -> list[str]:
    """`count` words with distinct initials, one of them longest and one shortest, so every selection is unambiguous."""
    while True:
        words = [invented(rng) if rng.random() < invented_share else rng.choice(ENGLISH) for _ in range(count)]
        lengths = sorted(len(word) for word in words)
        if len({word[0] for word in words}) < count:
            continue
        if lengths[0] == lengths[1] or lengths[-1] == lengths[-2]:
            continue
        return words
