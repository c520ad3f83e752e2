"""Spanish colour specifications ("GRIS OSCURO VIGORE") in the words English catalogues use ("dark heather grey")."""

from __future__ import annotations

import unicodedata

# Stand behind the colour in Spanish and before it in English, in this order.
MODIFIERS = {
    "claro": "light", "light": "light", "medio": "medium", "oscuro": "dark", "pastel": "pastel", "fluor": "neon",
    "noche": "midnight", "palo": "dusty", "soft": "soft", "vigore": "heather",
}  # fmt: skip
# The cloth stands last in English: "tejano gris" is grey denim.
CLOTHS = {"tejano": "denim"}
COLOURS = {
    "agua": "aqua", "amarillo": "yellow", "antracita": "anthracite", "arena": "sand", "asfalto": "asphalt",
    "azul": "blue", "beige": "beige", "bermellon": "vermilion", "billar": "billiard green", "blanco": "white",
    "bleach": "bleach", "blood": "blood", "blueblack": "blue-black", "botella": "bottle green", "burdeos": "burgundy",
    "camel": "camel", "canela": "cinnamon", "caramelo": "caramel", "caza": "hunter green", "celeste": "sky blue",
    "ceniza": "ash", "cereza": "cherry", "chicle": "bubblegum pink", "chocolate": "chocolate", "ciruela": "plum",
    "cobre": "copper", "coffee": "coffee", "cognac": "cognac", "coral": "coral", "crudo": "ecru",
    "cuero": "leather brown", "curry": "curry", "dirty": "dirty", "electrico": "electric blue",
    "esmeralda": "emerald", "fresa": "strawberry", "fucsia": "fuchsia", "geranio": "geranium", "granate": "maroon",
    "gris": "grey", "gunmetal": "gunmetal", "hielo": "ice", "indigo": "indigo", "khaki": "khaki", "lila": "lilac",
    "lima": "lime", "malva": "mauve", "mandarina": "tangerine", "manzana": "apple green", "marfil": "ivory",
    "marino": "navy", "marron": "brown", "menta": "mint", "morado": "purple", "mostaza": "mustard", "musgo": "moss",
    "naranja": "orange", "navy": "navy", "negro": "black", "nude": "nude", "ocre": "ochre", "offwhite": "off-white",
    "oliva": "olive", "oro": "gold", "peach": "peach", "perla": "pearl", "petroleo": "petrol", "piedra": "stone",
    "pimenton": "paprika", "plata": "silver", "porcelana": "porcelain", "prusia": "prussian blue", "rojo": "red",
    "rosa": "pink", "salmon": "salmon", "tabaco": "tobacco", "taupe": "taupe", "terracota": "terracotta",
    "tinta": "ink blue", "topo": "taupe", "turquesa": "turquoise", "vainilla": "vanilla", "verde": "green",
    "vino": "wine", "violeta": "violet", "vison": "mink",
}  # fmt: skip


def translate(specification: str) -> tuple[str, list[str]]:
    """The specification in English, lower case, and its words that the tables do not hold (kept as they are).

    Words are looked up without accents: "MARRÓN" reads as "MARRON".
    """
    modifiers, colours, cloths, unknown = [], [], [], []
    for word in specification.lower().split():
        plain = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
        if plain in MODIFIERS:
            modifiers.append(plain)
        elif plain in CLOTHS:
            cloths.append(CLOTHS[plain])
        else:
            colours.append(COLOURS.get(plain, word))
            unknown += [] if plain in COLOURS else [word]
    modifiers.sort(key=list(MODIFIERS).index)
    return " ".join([*(MODIFIERS[word] for word in modifiers), *colours, *cloths]), unknown
