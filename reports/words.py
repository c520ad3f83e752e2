"""The sample's labels in a person's words, and a little drawing of who is meant."""

from __future__ import annotations

from fcn.types import Profile

FORMS = {
    "body_figure": "{} figure", "skin_color": "{} skin", "hair_style": "{}", "hair_color": "{} hair",
    "breasts": "{} bust", "color_contrast": "{} colour contrast",
}  # fmt: skip
HEIGHTS = {"high": "tall", "middle": "medium height", "low": "short"}
VALUES = {"yellow": "yellow-toned", "big": "full", "grey_silver": "silver-grey"}
SKIN = {"fair": "#f3d3bd", "yellow": "#e9c08f", "brown": "#b17c50", "dark": "#6f4a30"}
HAIR = {"black": "#26211f", "dark_brown": "#4a2f22", "light_brown": "#8f6540", "ginger": "#b5542a",
        "golden": "#d9ab55", "grey_silver": "#b4b4b8"}  # fmt: skip


def said(label: str) -> str:
    """ "height=high" -> "tall", "body_figure=top_hourglass" -> "top hourglass figure"."""
    group, _, value = label.partition("=")
    if group == "height":
        return HEIGHTS.get(value, value)
    plain = VALUES.get(value, value).replace("_", " ")
    plain = plain.replace("middle long", "mid-length")
    return FORMS.get(group, group.replace("_", " ") + " {}").format(plain)


def heading(profile: Profile) -> str:
    """The two things clothes are cut for: "Tall, triangle figure"."""
    parts = [said(label) for label in profile.labels() if label.startswith(("height=", "body_figure="))]
    return ", ".join(reversed(parts)).capitalize() or "Says nothing of her figure"


def details(profile: Profile) -> str:
    """The rest: skin, hair, bust, contrast."""
    rest = [said(label) for label in profile.labels() if not label.startswith(("height=", "body_figure="))]
    return ", ".join(rest)


def avatar(profile: Profile) -> str:
    """Head and shoulders with her skin and hair, as SVG; grey where she does not say."""
    skin = SKIN.get((profile.get("skin_color") or ("",))[0], "#d8cec2")
    hair = HAIR.get((profile.get("hair_color") or ("",))[0], "#9b938a")
    style = (profile.get("hair_style") or ("middle_long_straight_hair",))[0]
    bottom = 33 if style.startswith("short") else 43 if style.startswith("middle") else 54
    curls = ""
    if "curl" in style:
        curls = "".join(f'<circle cx="{x}" cy="{y}" r="5.5"/>' for y in range(22, bottom + 1, 7) for x in (17, 47))
    return (
        '<svg class="avatar" viewBox="0 0 64 64" aria-hidden="true">'
        '<circle cx="32" cy="32" r="32" fill="var(--line)"/>'
        f'<g fill="{hair}"><path d="M16 28a16 16 0 0 1 32 0V{bottom}a4 4 0 0 1-4 4H20a4 4 0 0 1-4-4Z"/>{curls}</g>'
        f'<g fill="{skin}"><path d="M27 36h10v10H27Z"/><path d="M12 62c2-12 10-17 20-17s18 5 20 17a32 32 0 0 1-40 0Z"/>'
        '<ellipse cx="32" cy="30" rx="11" ry="13.5"/></g>'
        f'<path fill="{hair}" d="M20 30c0-9 5-14.500 12-14.500S44 21 44 30c-2-6-6-8.500-9-9-4 3.500-11 3.500-15 9Z"/>'
        '<path fill="var(--soft)" d="M14 62c2-9 8-13 12-14 2 4 10 4 12 0 4 1 10 5 12 14a32 32 0 0 1-36 0Z"/></svg>'
    )
