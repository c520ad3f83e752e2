"""Fixtures for all tests. Thread and offline settings are made here, before anything imports torch."""

import os
import shutil
import subprocess
import sys

for name, value in {
    "OMP_NUM_THREADS": "2",
    "OMP_WAIT_POLICY": "PASSIVE",  # idle threads that spin slow a second process a hundredfold
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}.items():
    os.environ.setdefault(name, value)

from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402
from PIL import Image  # noqa: E402

from fcn import Item, LabelGroup, LabelVocabulary, Outfit, Profile, write_folder  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile(
    "dresswell", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("dresswell")


@pytest.fixture(scope="session")
def repo_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data for tests: ../shared/data beside the checkout, or DRESSWELL_SHARED_DATA."""
    path = Path(os.environ.get("DRESSWELL_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"real data is absent ({path}); set DRESSWELL_SHARED_DATA to its folder")
    return path


TOY_VOCABULARY = LabelVocabulary(
    [
        LabelGroup("body_figure", ("triangle", "rectangle", "top_hourglass"), "unsuits"),
        LabelGroup("occasion", ("work", "party"), "suits"),
        LabelGroup("age", ("young", "old"), None),
    ]
)
TOY_KINDS = [
    ("coat", "outerwear", "navy"),
    ("shirt", "upper", "white"),
    ("blouse", "upper", "red"),
    ("dress", "onepiece", "green"),
    ("jeans", "bottom", "blue"),
    ("skirt", "bottom", "black"),
    ("sneakers", "shoes", "white"),
    ("pumps", "shoes", "black"),
    ("tote", "bag", "brown"),
    ("clutch", "bag", "gold"),
    ("scarf", "accessory", "red"),
    ("umbrella", "other", "black"),
]
TOY_OUTFITS = [
    ((0, 1, 4, 6, 8), ("occasion=work",), "train"),
    ((1, 5, 7), ("occasion=work", "body_figure=triangle"), "train"),
    ((2, 5, 7, 9), ("occasion=party", "body_figure=rectangle"), "train"),
    ((3, 7, 9), ("occasion=party",), "train"),
    ((3, 6, 10), (), "train"),
    ((2, 4, 6), ("body_figure=top_hourglass",), "val"),
    ((0, 3, 7), ("occasion=party", "occasion=work"), "test"),
    ((1, 4, 11), (), "test"),
]
TOY_PEOPLE = [
    "body_figure=triangle,age=young",
    "body_figure=rectangle",
    "age=old,occasion=work",
    "",
    "body_figure=top_hourglass,occasion=party",
    "age=young",
]


def make_toy_folder(base: Path) -> Path:
    """A small, valid data set folder at base/toy: 12 items (the last without picture, price or attributes),
    8 outfits, 6 people and 30 interactions, of which 5 are of a person who is not in people.parquet."""
    pictures = base / "toy-pictures"
    (pictures / "images").mkdir(parents=True)
    items = []
    for i, (category, slot, colour) in enumerate(TOY_KINDS):
        bare = i == len(TOY_KINDS) - 1
        image = None if bare else f"images/{category}.png"
        if image:
            Image.new("RGB", (8, 8), colour).save(pictures / image)
        attributes = {} if bare else {"colour": colour, "season": "winter" if i % 2 else "summer"}
        price = None if bare else 10.0 + i
        items.append(
            Item(f"i{i:02}", f"{colour} {category}", category, slot, image, attributes, price, i != 5)
        )
    outfits = [
        Outfit(f"o{i}", tuple(items[j].item_id for j in rows), labels, split)
        for i, (rows, labels, split) in enumerate(TOY_OUTFITS)
    ]
    people = {f"u{i}": Profile.parse(text) for i, text in enumerate(TOY_PEOPLE)}
    events = ("view", "cart", "purchase", "rent", "return")
    interactions = [
        {
            "user_id": f"u{user + 1}",
            "item_id": items[(3 * user + 2 * step) % len(items)].item_id,
            "timestamp": 1_700_000_000 + 86_400 * user + 3_600 * (step - step % 2),  # in pairs of equal times
            "event": events[(user + step) % len(events)],
            "query": "something red" if step == 1 else None,
            "occasion": "wedding" if step == 2 else None,
            "rating": float(step) if step else None,
            "split": ("train", "train", "train", "val", "test")[step],
        }
        for user in range(6)
        for step in range(5)
    ]
    info = {
        "name": "toy",
        "licence": "CC0-1.0",
        "source": "made for tests",
        "description": "a toy",
        "label_groups": TOY_VOCABULARY.to_json(),
        "made": True,
    }
    write_folder(base / "toy", info, items, outfits, people, interactions, images_from=pictures)
    return base / "toy"


@pytest.fixture
def toy_folder(tmp_path: Path) -> Path:
    """Path of a small, valid data set folder of its own; see `make_toy_folder`."""
    return make_toy_folder(tmp_path)


@pytest.fixture(scope="session")
def small_demo_command(tmp_path_factory) -> list[str]:
    """The demo's command at a small size and with a picture network that need not be trained."""
    import timm

    from fcn.encoders import ImageEncoder

    model = timm.create_model("resnet10t", num_classes=0, stem_width=8, channels=(8, 8, 8, 16))
    config = {"input_size": (3, 32, 32), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    config |= {"interpolation": "bilinear", "crop_pct": 1.0, "crop_mode": "center"}
    encoder = tmp_path_factory.mktemp("encoder") / "image"
    ImageEncoder(model, config).save_pretrained(encoder)
    sizes = ["--items", "150", "--outfits", "300", "--people", "80", "--events", "800", "--epochs", "1"]
    return [sys.executable, str(ROOT / "demo.py"), *sizes, "--image-encoder", str(encoder)]


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory, small_demo_command) -> Path:
    """The folder that demo.py leaves, at a small size."""
    out = tmp_path_factory.mktemp("demo") / "demo"
    done = subprocess.run([*small_demo_command, "--out", str(out)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A real Chromium without a window, which notes what it logs and asks for; skipped where there is none."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no chromium with chromedriver on this machine")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = chromium
    quiet = ("disable-background-networking", "disable-component-update", "disable-sync", "disable-quic")
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "no-first-run", *quiet):
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(driver))
    yield made
    made.quit()
