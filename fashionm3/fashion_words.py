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

# Words for more than one kind: the slot they fill, and the kinds a catalogue may have there (none: all of the slot).
WIDER = {
    "shoe": ("shoes", ()), "footwear": ("shoes", ()), "bag": ("bag", ()), "handbag": ("bag", ()), "purse": ("bag", ()),
    "top": ("upper", ()), "bottom": ("bottom", ()), "outerwear": ("outerwear", ()), "accessory": ("accessory", ()),
    "jacket": ("outerwear", ("jacket", "denim jacket", "leather jacket", "bomber jacket", "blazer", "puffer")),
    "knitwear": ("upper", ("sweater", "jumper", "cardigan", "pullover")),
    "jewellery": ("accessory", ("necklace", "bracelet", "earrings", "ring", "brooch", "watch")),
    "jewelry": ("accessory", ("necklace", "bracelet", "earrings", "ring", "brooch", "watch")),
}  # fmt: skip

# Where a shop has none of a kind under its name, it may have it among these.
AMONG = {"sneakers": "shoe", "heels": "shoe", "flats": "shoe", "boots": "shoe", "sandals": "shoe", "loafers": "shoe",
         "tote": "bag", "clutch": "bag", "crossbody": "bag", "backpack": "bag", "denim jacket": "jacket",
         "blazer": "jacket", "blouse": "top", "tshirt": "top", "shirt": "top", "sweater": "top", "jeans": "trousers",
         "cardigan": "sweater", "sweatshirt": "sweater", "hoodie": "sweater", "scarf": "accessory", "hat": "accessory",
         "necklace": "accessory", "sunglasses": "accessory", "tank top": "top", "crop top": "top"}  # fmt: skip

# Said of clothes with the name of a garment, yet of no garment.
NO_GARMENT = ("dress code", "dress codes", "dress up", "dress down", "dress myself", "dress better", "dress well",
              "under my belt", "dress size", "shoe size", "top notch", "top quality", "top up")  # fmt: skip

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
               "short": "short sleeves, short sleeve, short sleeved, shortsleeved, shortsleeve",
               "long": "long sleeves, long sleeve, long sleeved, longsleeved, longsleeve",
               "full": "full sleeves, full length sleeves, full sleeve, full sleeved, full length sleeve",
               "half": "half sleeves, half sleeve, half sleeved"},
    "neck": {"v-neck": "v necked, v neckline", "high": "turtleneck, turtle neck, polo neck, roll neck, mock neck",
             "crew": "round neck, crewneck", "boat": "bateau"},
    "heel": {"flat": "no heel, no heels, without heels, without heel", "high": "high heels, stiletto",
             "mid": "mid heel, medium heel, kitten heel, kitten heels", "low": "low heels"},
    "formality": {"formal": "dressed up", "casual": "laid back, laid-back, relaxed style"},
    "rating": {"good": "good, nice, great, high, highly, well, best, excellent, better, decent, top, healthy, "
                       "positive, favorable, strong, higher, solid, fantastic, amazing, really good, really nice"},
    "price": {"cheap": "inexpensive, costs very little, low price, low cost, low priced, budget friendly, on a budget",
              "affordable": "reasonably priced, reasonable price",
              "expensive": "high end, pricey, luxury, high priced"},
    "size": {"XS": "extra small, x small", "S": "small", "M": "medium", "L": "large", "XL": "extra large, x large",
             "XXL": "extra extra large, xx large, double xl, 2xl", "XXS": "extra extra small"},
}  # fmt: skip

TOLD_BY_TITLES = frozenset(("pattern", "length", "sleeve", "neck", "heel"))  # where the catalogue has no attribute

# Shades that are another colour by name.
MIXED = {"dark blue": "navy", "deep blue": "navy", "midnight blue": "navy", "dark red": "burgundy",
         "deep red": "burgundy", "wine red": "burgundy", "light purple": "lilac", "pale purple": "lilac",
         "dark yellow": "mustard", "light brown": "beige", "dark pink": "fuchsia"}  # fmt: skip

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
BEFORE_OCCASION = ("for", "to", "for a", "for the", "on a", "for my", "at", "at my", "to a", "to my", "occasion",
                   "occasion is")  # fmt: skip
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
        "hourglass": ("hourglass curvy", "~curvy, hourglass, hour glass, hourglass figure, hourglass shape, "
                      "~curvaceous"),
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
        "grey_silver": ("grey_silver grey silver gray", "grey hair, gray hair, silver hair, white hair, "
                        "my hair is grey"),
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
    anymore anyone anything anytime anyway anywhere apart apparel are area around as aside ask at available aw away
    awesome awful back bad be because been before begin being below beside besides best better between bit boring both
    bottom bought brand bring bucks budget but buy by came can can't cannot care cart category cause center change
    changed check choice choices choose close closet clothes clothing color colors colour colours come comes compare
    complete consider cool corner cost costs could couldn't couple create currently d day days dear decide decided
    definitely did didn't different do does doesn't doing dollars don't done down draw drawing each earlier either
    else end enough eur euros even event ever every everything exactly exchange extra fairly fancy far fashion
    favorite favourite feel few fifth find fine finish finished first fits for forget forgot found four fourth free
    from front full fun further garment garments gbp generate get getting girl give gives glad go goes going gone
    gonna good got great guess guest guy guys had haha hand hanging happen has hasn't hate have haven't having he
    hello help helpful her here hey hi hideous him his hm hmm hold hope hopefully horrible how however huh i i'd i'll
    i'm i've idea ideally ideas illustrate im image imagine in inside instead interested into is isn't it it'd it'll
    it's item items its just keep kind kindly kinds know lacking large last late later least leave left length less
    let let's like liked likely likes limit line little ll lol long look looked looking looks lot lots love loved
    lovely loves ma'am made make makes making man many match matches matching material matter may maybe me mean
    meant mention mentioned middle might mind mine minute missing mm mmm moment more most mostly move much must my
    myself nah near need needed needs never new next nice nicely no none nope nor not nothing now number occasion
    occasions of off offer oh ok okay on once one ones only ooh open opposite option options or other others otherwise
    our out outfit over overall own paint pair particular party pattern people perfect perhaps person pick picked
    picture pictures piece pieces please pls plus plz point possible possibly pounds prefer preferably pretty previous
    price probably product products proper purchase put question quick quickly quite rack rather re ready real really
    recommend recommendation recommendations remove render replace replaced reset rest right room row said same save
    saw say search second section see seem seems seen select selection sell set several she shelf shop shopping should
    show showed showing shown side similar simply since sir sister's six sixth size sizes sketch so some somebody
    somehow someone something somewhere soon sorry sort sound sounds spot start still stock stop store stuff style
    styles such suggest suggested suggestion suggestions suits super sure surprise swap swapped swapping switch table
    take taking talk tall tell ten than thank thanks that that'd that's the their them then there there's these they
    they'd they're thing things think third this those though thought three through thx till time times to today
    together tomorrow tonight too top total totally toward towards true try trying two ty type types ugh ugly uh um
    under undo until up upon us usd use ve very view visualise visualize wait wall want wanted wants wardrobe was
    wasn't watch way we we'll wear wearing well went were what what's whatever when where whether which while who who's
    whole whose why will wish with within without won't wonder wonderful wondering wont work works would wouldn't wow
    yeah year yep yes yet you you'd you'll you're your yours youve""".split()
)  # fmt: skip
# English near the words of clothes that is no misspelling of them.
NO_TYPO = frozenset(
    """address alive beach beans bedding beige belong belts bench black blank block blouson boats boost booth boots
    bootstrap bottom brain bring brown button casual causal cheaper cheater checked checks cheeks clash closer
    clutch coast coats costs cotton crown crutch darker demon denim dotted dressed dresser dressing dressy feather
    fellow fighter flags flaps flat floral formal former goat great greed green greet grown heals heel helmet
    higher house jeans larger leather light lighter lights linen liner lines linger listen loner longer looser
    loser lower marker means mellow melts moral night nights normal office offices olive oral paints pants panty
    parker parry parts party patty peels people plain plan plane plants points potted press price prices pride
    prize purple reach right rights roots sandal satin scandal scare scarf screen sheet shift shirk shoot shooter
    shore short shorter shows sight sights silks silky silver simmer skirting sliver solve sorter spring stain
    steps stops stress string strip stripe strips stroke sulky summary summer teams tight tighter tights tops
    train trips velvet weather wedding weeding wheels while whine white wider winner winter wonder woolly write
    yellow""".split()
)  # fmt: skip
