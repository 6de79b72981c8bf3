"""What the base can be asked for: concepts, colours and the words its tokenizer keeps whole.

Each concept names the icons that draw it, in the naming of the iconify emoji packages (hyphens do
not count, so ``racing-car`` also finds ``racingcar``). A caption calls the concept by its name.
"""

from __future__ import annotations

CONCEPTS: dict[str, tuple[str, ...]] = {
    # the classes of the DreamBooth dataset that emoji have
    "backpack": ("backpack", "school-backpack"),
    "bowl": ("bowl-with-spoon",),
    "can": ("canned-food",),
    "candle": ("candle",),
    "cat": ("cat-face", "cat"),
    "clock": ("alarm-clock",),
    "dog": ("dog-face",),
    "duck": ("duck",),
    "glasses": ("glasses", "eyeglasses"),
    "sunglasses": ("dark-sunglasses", "sunglasses"),
    "boot": ("hiking-boot", "womans-boot", "womans-boots"),
    "sneaker": ("running-shoe", "athletic-shoe"),
    "teapot": ("teapot",),
    "teddy bear": ("teddy-bear",),
    "robot": ("robot", "robot-face"),
    "race car": ("racing-car",),
    "vase": ("amphora",),
    # shapes that are easy to name and to tell apart
    "apple": ("red-apple",),
    "banana": ("banana",),
    "pizza": ("pizza", "slice-of-pizza"),
    "strawberry": ("strawberry",),
    "car": ("automobile", "automotive"),
    "house": ("house", "house-building", "home"),
    "tree": ("deciduous-tree",),
    "sunflower": ("sunflower",),
    "mushroom": ("mushroom",),
    "penguin": ("penguin",),
    "skull": ("skull",),
    "castle": ("castle", "european-castle"),
    "rocket": ("rocket",),
    "umbrella": ("umbrella", "open-umbrella"),
    "guitar": ("guitar",),
    "crown": ("crown",),
    "cactus": ("cactus",),
    "fish": ("fish", "tropical-fish"),
    "frog": ("frog", "frog-face"),
    "pig": ("pig-face",),
    "panda": ("panda", "panda-face"),
    "fox": ("fox", "fox-face"),
    "owl": ("owl",),
    "rabbit": ("rabbit-face",),
    "snowman": ("snowman-without-snow",),
    "ball": ("soccer-ball",),
    "balloon": ("balloon",),
    "cake": ("birthday-cake",),
    "hamburger": ("hamburger",),
    "ghost": ("ghost",),
    "cup": ("hot-beverage",),
}
"""Concept name to the icon names that draw it, in order of preference."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 40, 40),
    "orange": (250, 140, 20),
    "yellow": (250, 220, 50),
    "green": (50, 165, 70),
    "blue": (45, 95, 215),
    "purple": (130, 60, 180),
    "pink": (250, 150, 190),
    "brown": (125, 80, 45),
    "black": (20, 20, 24),
    "gray": (130, 132, 136),
    "white": (250, 250, 250),
    "teal": (20, 160, 165),
}
"""Background and tint colours, sRGB."""

PATTERNS = ("stripes", "checkerboard", "grass", "sand", "snow", "sky", "wood", "night")
"""Backgrounds that are no single colour."""

GRAMMAR_WORDS = (
    "a an the on in at of and with to by from one two three left right top bottom middle corner "
    "side small large big tiny huge background striped checkered checkerboard stripes grass sand "
    "snow sky wood wooden night city beach picture photo drawing emoji icon toy colored coloured "
    "tinted light dark shiny wet cube shaped wearing hat scarf next beside front behind under "
    "over near"
).split()
"""Words of our captions and of near relatives that a user would type."""

PROMPT_WORDS = (
    "jungle cobblestone street fabric floor mountain blue house rug forest wheat field tree "
    "autumn leaves eiffel tower floating water ocean milk green sunflowers around mirror sidewalk "
    "crowded dirt road purple pink santa rainbow yellow shirt chef outfit firefighter police "
    "witch stuffed animal plush plushie shoe sports cartoon monster sloth wolf berry person man "
    "woman"
).split()
"""Words of the DreamBooth evaluation prompts and classes."""

FUTURE_CONCEPT_WORDS = (
    "airplane bag basketball bear bed bee bell bicycle bird boat book bottle bread bus butterfly "
    "camel camera carrot chair cheese cherries cherry chicken chick coconut computer cookie corn "
    "cow crab cupcake dolphin donut door dragon drum eagle egg elephant eye fire flag flower "
    "giraffe globe gift glove grapes guitar hammer hand heart hedgehog helicopter horse ice cream "
    "jeans key kite koala lamp leaf lemon lion lipstick lobster lock map melon mermaid microphone "
    "monkey moon motorcycle mouse mug nest octopus onion orange oyster palm parrot peach peacock "
    "pear pencil phone piano pineapple pot potato pumpkin raccoon ring rose sandwich scissors "
    "seal shark sheep shell ship shrimp snail snake sofa spider squirrel star sun swan sword taxi "
    "telephone television tent tiger tomato tooth tractor train trophy truck trumpet tulip turtle "
    "unicorn violin volcano watch watermelon whale worm zebra"
).split()
"""Names kept whole in the tokenizer, so that the next, larger base shares this vocabulary."""


def vocabulary_words() -> list[str]:
    """Every word the trimmed tokenizer must segment exactly as full CLIP BPE does, sorted."""
    words = {word for concept in CONCEPTS for word in concept.split()}
    words.update(f"{word}s" for word in list(words))
    words.update(COLOURS, PATTERNS, GRAMMAR_WORDS, PROMPT_WORDS, FUTURE_CONCEPT_WORDS)
    return sorted(words)
