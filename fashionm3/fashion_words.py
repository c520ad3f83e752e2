"""General English of clothes, as tables; what of it holds for a catalogue is for `fashionm3.catalogue_words` to say.

Nothing here names a value that a catalogue must have: a word counts only where the catalogue has what it leads to.
"""

from __future__ import annotations

# Names of one and the same kind of garment. A word of a line stands for the categories that bear another of its names.
SAME_KIND = tuple(
    tuple(name.strip() for name in line.split(","))
    for line in """
    trousers, pants, slacks, chinos, dress pants
    tshirt, tee, t shirt
    sweater, jumper, pullover
    sweatshirt, sweat shirt
    hoodie, hoody, hooded sweatshirt
    sneakers, trainers, running shoes, tennis shoes
    heels, pumps, stilettos, high heels, court shoes, heeled shoes
    flats, ballet flats, ballerinas, flat shoes, ballet pumps
    boots, booties, ankle boots, bootie
    sandals, flip flops
    loafers, moccasins
    coat, overcoat, winter coat
    blazer, tailored jacket, suit jacket, sport coat
    denim jacket, jean jacket, jeans jacket
    cardigan, cardi, knit jacket
    jumpsuit, all in one, playsuit, romper, overall
    dress, gown, frock
    shirt, button down, button down shirt, button up, button up shirt
    crop top, cropped top
    tank top, tank, singlet, camisole, cami, vest top, tanktop
    joggers, jogging pants, sweatpants, track pants, tracksuit bottoms
    leggings, tights
    jeans, denims, denim pants, denim trousers
    shorts, short pants
    tote, tote bag, shopper, shopping bag
    clutch, clutch bag, evening bag
    crossbody, crossbody bag, shoulder bag, messenger bag
    backpack, rucksack
    scarf, shawl, wrap scarf
    hat, cap, beanie
    necklace, pendant, chain necklace
    sunglasses, shades, sunnies
    swimsuit, bathing suit, swimwear, bikini
    """.strip().splitlines()
)

# Words for more than one kind: the slot they fill, and the kinds a catalogue may have there (all of the slot where none).
WIDER = {
    "shoe": ("shoes", ()), "footwear": ("shoes", ()), "bag": ("bag", ()), "handbag": ("bag", ()), "purse": ("bag", ()),
    "top": ("upper", ()), "bottom": ("bottom", ()), "outerwear": ("outerwear", ()), "accessory": ("accessory", ()),
    "jacket": ("outerwear", ("jacket", "denim jacket", "leather jacket", "bomber jacket", "bomber", "blazer", "puffer")),
    "knitwear": ("upper", ("sweater", "jumper", "cardigan", "pullover")),
    "jewellery": ("accessory", ("necklace", "bracelet", "earrings", "ring", "brooch", "watch")),
    "jewelry": ("accessory", ("necklace", "bracelet", "earrings", "ring", "brooch", "watch")),
}  # fmt: skip

# Where a shop has none of a kind under its name, it may have it among these.
AMONG = {"sneakers": "shoe", "heels": "shoe", "flats": "shoe", "boots": "shoe", "sandals": "shoe", "loafers": "shoe",
         "tote": "bag", "clutch": "bag", "crossbody": "bag", "backpack": "bag", "denim jacket": "jacket", "blazer": "jacket",
         "blouse": "top", "tshirt": "top", "shirt": "top", "sweater": "top", "jeans": "trousers", "chinos": "trousers",
         "cardigan": "sweater", "sweatshirt": "sweater", "hoodie": "sweater", "scarf": "accessory", "hat": "accessory",
         "necklace": "accessory", "sunglasses": "accessory", "tank top": "top", "crop top": "top"}  # fmt: skip

# What an attribute is about, by words of its name; the nouns a person says beside its values.
CONCEPTS: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {
    "color": (frozenset("color colour colors colours basecolour shade".split()), ("color", "colour", "colored")),
    "size": (frozenset("size sizes".split()), ("size", "sizes")),
    "brand": (frozenset("brand designer maker manufacturer".split()), ("brand", "designer")),
    "material": (frozenset("material fabric composition cloth".split()), ("material", "fabric")),
    "pattern": (frozenset("pattern patterns graphic".split()), ("pattern", "print", "patterned")),
    "print": (frozenset("print".split()), ("print", "pattern", "prints")),
    "season": (frozenset("season seasons".split()), ("season",)),
    "sleeve": (frozenset("sleeve sleeves sleevelength".split()), ("sleeve", "sleeves", "sleeved", "length sleeves")),
    "neck": (frozenset("neck neckline collar".split()), ("neck", "necked", "neckline", "necks", "collar")),
    "heel": (frozenset("heel heels".split()), ("heel", "heels", "heeled")),
    "length": (frozenset("length".split()), ("length", "lengths")),
    "fit": (frozenset("fit silhouette cut".split()), ("fit", "fitting", "cut", "leg", "legged")),
    "rating": (frozenset("review reviews rating ratings stars".split()),
               ("review", "reviews", "rating", "ratings", "rated", "scores", "reviewed", "customer reviews",
                "customer ratings", "review scores", "customer review scores", "customer rating", "feedback")),
    "price": (frozenset("price".split()), ("price", "priced", "prices")),
}  # fmt: skip

# Values that say little without the noun of their attribute: "crew" is one with "neck".
NEEDS_NOUN = frozenset("short long full half high low mid medium small large big regular straight crew boat knee ankle "
                       "hip good great best other normal standard round square wide narrow light dark cap top "
                       "three-quarter calf floor elbow one two no yes".split())  # fmt: skip
NO_VALUE = frozenset("none no yes other others unknown na n/a nan all any one the a and or not true false".split())

# Words for a value, by concept: value -> what people say. Whole phrases.
SAME_VALUE = {
    "pattern": {
        "plain": "solid, solid color, solid colour, unpatterned, without a pattern, no pattern, without pattern",
        "striped": "stripes, stripe, stripy, stripey, with stripes, pinstriped",
        "floral": "flowers, flowery, flowered, flower print, with flowers, floral print, flower pattern",
        "dotted": "dots, polka dot, polka dots, polka dotted, spotted, spots",
        "checked": "checks, checkered, chequered, plaid, gingham, tartan",
        "plaid": "checked, checkered, tartan", "leafy design": "leafy, leafy pattern, leaves",
        "camouflage": "camo", "design": "designs, with a design", "twin colors": "color block, two tone, two toned",
        "multicolored": "multicolor, multi colored, colorful",
    },
    "material": {
        "knit": "knitted", "denim": "jean", "leather": "leathery", "viscose": "rayon", "wool": "woollen, woolen",
        "silk": "silky", "cotton": "cottons", "suede": "suedes",
    },
    "season": {"summer": "summery", "winter": "wintry", "autumn": "fall", "fall": "autumn",
               "all-year": "all year round, year round, all seasons", "mid-season": "autumn, fall, spring"},
    "length": {
        "knee": "knee length, knee-length, to the knee, knee long", "midi": "calf length, mid length, mid-calf",
        "maxi": "floor length, full length, floor-length", "mini": "above the knee, thigh length",
        "ankle": "ankle length", "cropped": "crop", "hip": "hip length",
    },
    "fit": {"slim": "tight, fitted, figure hugging, bodycon, skinny, close fitting, slim fit, body-hugging",
            "loose": "oversized, baggy, loose fitting, relaxed, roomy, loose fit", "a-line": "flared, a line",
            "straight": "straight cut, regular fit"},
    "sleeve": {"sleeveless": "no sleeves, without sleeves, without sleeve, no sleeve",
               "short": "short sleeves, short sleeve, short sleeved, shortsleeved, shortsleeve", "long": "long sleeves, long sleeve, long sleeved, longsleeved, longsleeve",
               "full": "full sleeves, full length sleeves, full sleeve, full sleeved, full length sleeve",
               "half": "half sleeves, half sleeve, half sleeved"},
    "neck": {"v-neck": "v necked, v neckline", "high": "turtleneck, turtle neck, polo neck, roll neck, mock neck",
             "crew": "round neck, crewneck", "boat": "bateau"},
    "heel": {"flat": "no heel, no heels, without heels, without heel", "high": "high heels, stiletto",
             "mid": "mid heel, medium heel, kitten heel, kitten heels", "low": "low heels"},
    "formality": {"formal": "dressed up", "casual": "laid back, laid-back, relaxed style"},
    "rating": {"good": "good, nice, great, high, highly, well, best, excellent, better, decent, top, healthy, positive, "
                       "favorable, strong, higher, solid, fantastic, amazing, really good, really nice"},
    "price": {"cheap": "inexpensive, costs very little, low price, low cost, low priced, budget friendly, on a budget",
              "affordable": "reasonably priced, reasonable price", "expensive": "high end, pricey, luxury, high priced"},
    "size": {"XS": "extra small, x small", "S": "small", "M": "medium", "L": "large", "XL": "extra large, x large",
             "XXL": "extra extra large, xx large, double xl, 2xl", "XXS": "extra extra small"},
}  # fmt: skip

# Shades that are another colour by name.
MIXED = {"dark blue": "navy", "deep blue": "navy", "midnight blue": "navy", "dark red": "burgundy", "deep red": "burgundy",
         "wine red": "burgundy", "light purple": "lilac", "pale purple": "lilac", "dark yellow": "mustard",
         "light brown": "beige", "dark pink": "fuchsia"}  # fmt: skip

# Names of the same occasion: a name the shop knows is meant by every phrase of its line.
OCCASIONS = tuple(
    tuple(name.strip() for name in line.split(","))
    for line in """
    wedding, weddings, wedding guest, bridal shower, bridesmaid
    work, office, the office, job interview, interview, business, business meeting, conference, for work, to work
    party, parties, night out, clubbing, birthday, cocktail, cocktails, nightclub, new year's eve
    date, date night, dinner date, romantic dinner, first date
    vacation, holiday, holidays, beach, trip, travel, travelling, getaway, resort, honeymoon, cruise
    formal affair, formal event, black tie, gala, ceremony, opera, ball, formal dinner, graduation, evening event
    everyday, every day, daily, everyday wear, errands, day to day, weekend, school
    sport, sports, gym, workout, running, yoga, training
    """.strip().splitlines()
)
AFTER_FOR = frozenset("work date ball business training running cocktail cocktails travel trip interview".split())

# About a person: kind of group, words in the group's name; then a label's names and what people say.
# "~" before a phrase: said of oneself ("I'm short"), since the words mean other things of clothes.
PROFILE: dict[str, tuple[tuple[str, ...], dict[str, tuple[str, str]]]] = {
    "height": (("height", "stature"), {
        "low": ("low short petite small", "~short, ~small, ~tiny, ~little, petite, not very tall, not tall, ~shorter, "
                "short woman, short girl, short person, short lady, ~on the short side, ~vertically challenged"),
        "middle": ("middle medium average mid", "average height, medium height, normal height, average in height"),
        "high": ("high tall", "~tall, tall woman, tall girl, tall person, tall lady, ~very tall, ~on the tall side"),
    }),
    "body": (("body_figure", "body_shape", "body_type", "figure", "body"), {
        "triangle": ("triangle pear", "pear shaped, pear shape, pear-shaped, ~a pear, triangle shape, wide hips, "
                     "broad hips, big hips, triangle figure, pear body, pear figure"),
        "inverted_triangle": ("inverted_triangle", "inverted triangle, broad shoulders, wide shoulders, "
                              "broad shouldered, inverted triangle shape"),
        "rectangle": ("rectangle straight", "rectangle shape, rectangular, straight figure, straight up and down, "
                      "boyish figure, no waist, rectangle figure, straight body"),
        "hourglass": ("hourglass curvy", "~curvy, hourglass, hour glass, hourglass figure, hourglass shape, ~curvaceous"),
        "top_hourglass": ("top_hourglass", "top hourglass"),
        "bottom_hourglass": ("bottom_hourglass", "bottom hourglass"),
        "spoon": ("spoon", "spoon shape, spoon shaped, spoon figure"),
        "round": ("round apple oval", "apple shaped, apple shape, ~an apple, round figure, ~round, ~apple"),
        "diamond": ("diamond", "diamond shape, diamond shaped, diamond figure"),
        "athletic": ("athletic", "athletic build, athletic figure, athletic body, ~athletic, ~muscular, ~sporty"),
    }),
    "skin": (("skin_color", "skin_colour", "skin_tone", "skin", "complexion"), {
        "fair": ("fair light pale white", "fair skin, pale skin, light skin, fair skinned, pale complexion, ~pale, "
                 "fair complexion, my skin is fair, my skin is pale, porcelain skin, white skin"),
        "yellow": ("yellow olive medium", "yellow skin, olive skin, asian skin, yellow undertone, olive complexion"),
        "brown": ("brown tan", "brown skin, tan skin, tanned skin, brown skinned, ~tanned, tanned, my skin is brown"),
        "dark": ("dark black deep", "dark skin, black skin, dark skinned, deep skin, dark complexion, my skin is dark"),
    }),
    "hair_color": (("hair_color", "hair_colour"), {
        "black": ("black", "black hair, black haired, raven hair, my hair is black, jet black hair"),
        "dark_brown": ("dark_brown brown", "dark brown hair, brown hair, ~brunette, ~a brunette, brunette, "
                       "chestnut hair, my hair is brown, my hair is dark brown"),
        "light_brown": ("light_brown", "light brown hair, my hair is light brown"),
        "ginger": ("ginger red", "ginger hair, red hair, ~a redhead, redhead, ~ginger, red haired, my hair is red, "
                   "auburn hair, copper hair"),
        "golden": ("golden blond blonde", "blonde hair, blond hair, golden hair, ~blonde, ~blond, ~a blonde, "
                   "my hair is blonde, fair hair, blonde haired"),
        "grey_silver": ("grey_silver grey silver gray", "grey hair, gray hair, silver hair, white hair, my hair is grey"),
    }),
    "hair_style": (("hair_style", "hairstyle", "hair_length"), {
        "short_curls": ("short_curls", "short curly hair, short curls, short wavy hair"),
        "middle_long_curls": ("middle_long_curls", "medium curly hair, shoulder length curls, medium length curls, "
                              "medium curls, shoulder length curly hair"),
        "long_curls": ("long_curls", "long curly hair, long curls, long wavy hair"),
        "short_straight_hair": ("short_straight_hair", "short straight hair, short hair, a bob, pixie cut"),
        "middle_long_straight_hair": ("middle_long_straight_hair", "medium straight hair, shoulder length hair, "
                                      "shoulder length straight hair, medium length hair, medium hair"),
        "long_straight_hair": ("long_straight_hair", "long straight hair, long hair"),
    }),
    "breasts": (("breasts", "bust", "cup"), {
        "big": ("big large", "big bust, large bust, big breasts, large breasts, big chest, ~busty, full bust, busty, "
                "large chest, big boobs"),
        "average": ("average medium", "average bust, medium bust, average breasts"),
        "small": ("small", "small bust, small breasts, small chest, ~flat chested, flat chest, flat chested"),
    }),
    "contrast": (("color_contrast", "colour_contrast", "contrast"), {
        "high": ("high", "high contrast, strong contrast, high color contrast"),
        "medium": ("medium", "medium contrast"),
        "low": ("low", "low contrast, soft contrast, low color contrast"),
    }),
}  # fmt: skip
HEIGHTS = ((160.0, "low"), (172.0, "middle"), (300.0, "high"))  # cm, below which a person is called so

# Words that say nothing of what is looked for.
FILLERS = frozenset(
    """a about above actually add after afternoon again ah all almost alright also although always am an and another any
    anymore anyone anything anyway anywhere apart are area around as aside ask at available away aw back bad be because
    been before begin being below beside besides best better between bit both bottom bring but buy by came can cannot
    can't care cart center check choice choices choose come comes compare consider corner could couldn't couple currently
    d day days decide decided definitely did didn't different do does doesn't doing done don't down each earlier either
    else end enough even ever every everything exactly extra far few find fine fits first for forget forgot found four
    from front full fun further get getting girl give gives glad go goes going gone gonna good got great guess guy guys
    had hand hanging happen has hasn't have haven't having he hello help helpful her here hey hi him his hm hmm hold hope
    how however huh i i'd idea ideas i'll i'm im in inside instead interested into is isn't it item items it'd it'll its
    it's i've just keep kind kinds know large last late later least leave left less let let's like liked likely likes
    line little ll long look looked looking looks lot lots love loved ma'am made make makes making man many match matter
    may maybe me mean mention mentioned middle might mind mine minute moment more most mostly move much must my myself
    near need needed needs never new next nice no nor not nothing now number of off offer oh ok okay on once one ones
    only open opposite option options or other others otherwise our out outfit over overall own pair particular party
    people perfect perhaps person pick picked pictures piece pieces please plus point possible possibly preferably prefer
    pretty price probably product products proper purchase put question quick quickly quite rack rather re ready real
    really recommend recommendation recommendations right room row said same saw say search section see seem seems seen
    select selection sell set several she shelf shop shopping should show showed showing shown side similar simply since
    six so some somebody someone something somewhere soon sorry sort sound sounds spot start still stock stop store
    stuff style styles such suggest suggested suggestion suggestions super sure table take taking talk tell ten than
    thank thanks that that'd that's the their them then there there's these they they'd they're thing things think third
    this those though thought three through till time times to today together tomorrow tonight too top total totally
    toward towards true try trying two type types ugh uh um under until up upon us use ve very view wait wall want wanted
    wants was wasn't watch way we wear wearing well we'll went were what whatever what's when where whether which while
    who who's whole why will wish with within without won't wonder wonderful wondering wont work works would wouldn't
    wow yeah year yep yes yet you you'd you'll your you're yours youve
    cause dear fairly fancy feel hate having haha lol nope ooh pls plz prefer sir thx ty ideally mm mmm hopefully dollars
    euros pounds bucks usd eur gbp cost costs limit budget reset undo anytime somehow bought event occasion
    occasions guest color colour colors colours pattern size sizes length material brand category kindly great awesome
    cool lovely nicely clothes clothing garment garments apparel fashion suits match matching matches wardrobe closet
    second fourth fifth sixth draw sketch paint render imagine image picture drawing generate visualise visualize
    illustrate create tall previous sister's surprise loves free complete""".split()
)  # fmt: skip
# English near the words of clothes that is no misspelling of them.
NO_TYPO = frozenset(
    """shows short shore shoot sheet bootstrap boost booth coast goat heals heel heals peels wheels flat flaps flags
    skirting shirk shift dresser dressy dressing dressed stress press address pants panty paints plants points parts
    house blouson white while whine write black block blank brown crown grown green greet great greed screen purple
    people yellow fellow mellow beige belong silver sliver olive alive solve stripe strips strip stroke trips linen
    liner lines listen cotton button bottom woolly velvet helmet satin stain silky sulky silks leather feather weather
    denim demon summer summary simmer winter winner wider wonder spring string bring casual causal formal normal former
    party parry patty plain plane plan brain train floral moral oral dotted potted checked checks cheeks wedding
    weeding bedding office offices beach bench reach sandal scandal scarf scare belts melts clutch crutch clash
    coats costs boots boats roots heals tights lights rights nights sights tops steps stops tight night light right
    sight jeans means beans teams price prize pride prices longer linger larger loner shorter shooter sorter darker
    marker parker lighter fighter tighter looser loser closer higher lower cheaper cheater""".split()
)  # fmt: skip
