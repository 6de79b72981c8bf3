"""What the base can be asked for: concepts, colours and the words its tokenizer keeps whole.

Each concept names the icons that draw it, in the naming of the iconify emoji packages (hyphens do
not count, so ``racing-car`` also finds ``racingcar``). A caption calls the concept by its name.
"""

from __future__ import annotations

from trainer.embedded_base.captions import plural

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
    # animals and other wearers of hats
    "alien": ("alien", "extraterrestrial-alien"),
    "bear": ("bear-face", "bear"),
    "bee": ("honeybee", "bee"),
    "bird": ("bird",),
    "butterfly": ("butterfly",),
    "chick": ("front-facing-baby-chick", "baby-chick"),
    "chicken": ("chicken",),
    "cow": ("cow-face",),
    "crab": ("crab",),
    "dolphin": ("dolphin",),
    "elephant": ("elephant",),
    "fish": ("fish", "tropical-fish"),
    "fox": ("fox", "fox-face"),
    "frog": ("frog", "frog-face"),
    "ghost": ("ghost",),
    "horse": ("horse-face",),
    "koala": ("koala",),
    "lion": ("lion-face", "lion"),
    "monkey": ("monkey-face",),
    "octopus": ("octopus",),
    "owl": ("owl",),
    "panda": ("panda", "panda-face"),
    "penguin": ("penguin",),
    "pig": ("pig-face",),
    "rabbit": ("rabbit-face",),
    "sheep": ("ewe", "sheep"),
    "skull": ("skull",),
    "snail": ("snail",),
    "snake": ("snake",),
    "snowman": ("snowman-without-snow",),
    "spider": ("spider",),
    "tiger": ("tiger-face",),
    "turtle": ("turtle",),
    "unicorn": ("unicorn-face", "unicorn"),
    "wolf": ("wolf-face", "wolf"),
    # plants and food
    "apple": ("red-apple",),
    "banana": ("banana",),
    "bread": ("bread",),
    "cactus": ("cactus",),
    "cake": ("birthday-cake",),
    "carrot": ("carrot",),
    "cheese": ("cheese-wedge",),
    "cherry": ("cherries",),
    "corn": ("ear-of-corn",),
    "cup": ("hot-beverage",),
    "donut": ("doughnut",),
    "hamburger": ("hamburger",),
    "ice cream": ("soft-ice-cream", "ice-cream"),
    "leaf": ("maple-leaf",),
    "lemon": ("lemon",),
    "mushroom": ("mushroom",),
    "palm tree": ("palm-tree",),
    "peach": ("peach",),
    "pear": ("pear",),
    "pineapple": ("pineapple",),
    "pizza": ("pizza", "slice-of-pizza"),
    "pumpkin": ("jack-o-lantern",),
    "rose": ("rose",),
    "strawberry": ("strawberry",),
    "sunflower": ("sunflower",),
    "tree": ("deciduous-tree",),
    "tulip": ("tulip",),
    "watermelon": ("watermelon",),
    # vehicles, buildings, the sky
    "airplane": ("airplane",),
    "bicycle": ("bicycle",),
    "bus": ("bus",),
    "car": ("automobile", "automotive"),
    "castle": ("castle", "european-castle"),
    "fire": ("fire",),
    "helicopter": ("helicopter",),
    "house": ("house", "house-building", "home"),
    "moon": ("crescent-moon",),
    "motorcycle": ("motorcycle",),
    "rocket": ("rocket",),
    "ship": ("ship", "passenger-ship"),
    "star": ("star", "white-medium-star"),
    "sun": ("sun", "sun-with-face"),
    "tent": ("tent",),
    "truck": ("delivery-truck",),
    "volcano": ("volcano",),
    # things
    "anchor": ("anchor",),
    "ball": ("soccer-ball",),
    "balloon": ("balloon",),
    "basketball": ("basketball",),
    "bed": ("bed",),
    "bell": ("bell",),
    "book": ("closed-book", "blue-book"),
    "camera": ("camera",),
    "computer": ("desktop-computer",),
    "crown": ("crown",),
    "guitar": ("guitar",),
    "hammer": ("hammer",),
    "heart": ("red-heart", "heavy-black-heart"),
    "key": ("key",),
    "lamp": ("light-bulb", "electric-light-bulb"),
    "lock": ("locked", "lock"),
    "microphone": ("microphone",),
    "pencil": ("pencil",),
    "piano": ("musical-keyboard",),
    "ring": ("ring",),
    "sword": ("dagger", "dagger-knife"),
    "television": ("television",),
    "trophy": ("trophy",),
    "umbrella": ("umbrella", "open-umbrella"),
    "violin": ("violin",),
    "watch": ("watch",),
}
"""Concept name to the icon names that draw it, in order of preference."""

WEARERS = (
    *("cat", "dog", "duck", "teddy bear", "robot", "alien", "bear", "bird", "chick", "chicken"),
    *("cow", "dolphin", "elephant", "fox", "frog", "ghost", "horse", "koala", "lion", "monkey"),
    *("octopus", "owl", "panda", "penguin", "pig", "rabbit", "sheep", "skull", "snowman"),
    *("tiger", "turtle", "unicorn", "wolf"),
)
"""Concepts that can wear a hat."""

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
    words.update(word for concept in CONCEPTS for word in plural(concept).split())
    words.update(COLOURS, PATTERNS, GRAMMAR_WORDS, PROMPT_WORDS, FUTURE_CONCEPT_WORDS)
    return sorted(words)
