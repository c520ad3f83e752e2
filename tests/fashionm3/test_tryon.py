"""Try-on: known geometry, unchanged pixels, layers in order, refusals in one clear error, real photographs."""

import io
import json
import os

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fashionm3 import inpaint
from fashionm3.body import read_body
from fashionm3.composite import stack
from fashionm3.cutout import cut_out
from fashionm3.landmarks import Landmarks, detect, drawn_figure
from fashionm3.silhouette import collar_depth, measure_bottom, measure_top
from fashionm3.spline import warp
from fashionm3.tryon import try_on
from fcn.errors import DataError


def tee(size=(300, 300), colour=(200, 30, 40), paper=(245, 245, 245)) -> Image.Image:
    """A drawn T-shirt: neck at x 120 and 180, armpits at 90 and 210 (y 130), hem at y 270."""
    picture = Image.new("RGB", size, paper)
    outline = [(120, 40), (150, 46), (180, 40), (220, 52), (270, 120), (235, 145), (210, 130), (210, 270), (90, 270),
               (90, 130), (65, 145), (30, 120), (80, 52)]  # fmt: skip
    ImageDraw.Draw(picture).polygon(outline, fill=colour)
    return picture


def trousers() -> Image.Image:
    picture = Image.new("RGB", (200, 300), "white")
    ImageDraw.Draw(picture).polygon(
        [(60, 20), (140, 20), (155, 280), (110, 280), (105, 110), (95, 110), (90, 280), (45, 280)], fill=(30, 40, 120)
    )
    return picture


@pytest.fixture(scope="module")
def figure():
    return drawn_figure()


@pytest.fixture(scope="module")
def worn(figure):
    picture, at = figure
    return try_on(picture, tee(), "upper", at.points)


def centre(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask).mean(0)[::-1]


def red(picture: Image.Image) -> np.ndarray:
    pixels = np.asarray(picture).astype(int)
    return (pixels[..., 0] > 120) & (pixels[..., 1] < 70)


# The spline.


def test_equal_points_leave_every_pixel_as_it_is():
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (90, 70, 3), dtype=np.uint8)
    alpha = draw.integers(0, 256, (90, 70), dtype=np.uint8)
    points = np.array([[0, 0], [69, 0], [0, 89], [69, 89], [30, 41]])
    bent, cover = warp(pixels, alpha, points, points, (70, 90))
    assert (bent == pixels).all() and (cover == alpha).all()


def test_shifted_points_shift_the_picture_by_whole_pixels():
    pixels = np.random.default_rng(1).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    alpha = np.full((60, 60), 255, np.uint8)
    points = np.array([[0, 0], [59, 0], [0, 59], [59, 59], [20, 30]])
    bent, cover = warp(pixels, alpha, points, points + [13, 7], (100, 100))
    assert (bent[7:67, 13:73] == pixels).all() and (cover[7:67, 13:73] == 255).all()
    assert cover.sum() == alpha.sum()


def test_a_spline_carries_each_point_to_its_target():
    source = np.array([[10, 10], [50, 10], [10, 50], [50, 50], [30, 30]])
    target = np.array([[12, 20], [88, 14], [20, 80], [70, 90], [55, 40]])
    for from_, to in zip(source, target, strict=True):
        pixels = np.zeros((64, 64, 3), np.uint8)
        pixels[from_[1] - 1 : from_[1] + 2, from_[0] - 1 : from_[0] + 2] = 255
        bent, _ = warp(pixels, pixels[..., 0], source, target, (100, 100))
        assert bent[to[1], to[0], 0] > 200


# Cut-out and outline.


@pytest.mark.parametrize("colour", [(200, 30, 40), (255, 255, 255), (20, 20, 20)])
def test_cut_out_finds_the_garment_and_not_its_background(colour):
    picture = tee(colour=colour, paper=(225, 224, 222))
    truth = (np.asarray(picture) == colour).all(2)
    mask = cut_out(picture).mask
    assert (mask & truth).sum() / (mask | truth).sum() > 0.96


def test_a_print_of_the_backgrounds_colour_is_no_hole():
    picture = tee()
    ImageDraw.Draw(picture).rectangle([140, 180, 152, 192], fill=(245, 245, 245))
    assert cut_out(picture).mask[186, 146]


def test_an_empty_picture_is_refused():
    with pytest.raises(DataError, match="cannot be told from its background"):
        cut_out(Image.new("RGB", (200, 200), "white"))


def test_outline_of_a_t_shirt():
    top = measure_top(cut_out(tee()).mask)
    assert np.allclose(top.neck, [[120, 40], [180, 40]], atol=8)
    assert np.allclose(top.armpits, [[90, 130], [210, 130]], atol=5)
    assert top.sides[-1, :, 1] == pytest.approx([266, 266], abs=4)
    assert all(sleeve is not None and not sleeve.part[200, 150] for sleeve in top.sleeves)
    assert 0 < collar_depth(np.asarray(tee()), top) < 30


def test_outline_of_a_strap_top_has_no_sleeves():
    picture = Image.new("RGB", (200, 240), "white")
    ImageDraw.Draw(picture).polygon(
        [(60, 20), (70, 20), (100, 90), (130, 20), (140, 20), (150, 100), (155, 220), (45, 220), (50, 100)], fill="navy"
    )
    assert measure_top(cut_out(picture).mask).sleeves == (None, None)


def test_outline_of_trousers_and_of_a_skirt():
    made = measure_bottom(cut_out(trousers()).mask)
    assert made.crotch == pytest.approx(112, abs=12) and made.legs.shape[1:] == (2, 2, 2)
    skirt = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(skirt).polygon([(70, 20), (130, 20), (160, 180), (40, 180)], fill="green")
    assert measure_bottom(cut_out(skirt).mask).crotch is None


# Layers.


def test_the_last_layer_is_in_front_and_uncovered_ground_is_kept():
    ground = np.full((2, 3, 3), 7, np.uint8)
    alpha = np.array([[255, 255, 0], [0, 128, 0]], np.uint8)
    red_, blue = np.full_like(ground, (255, 0, 0)), np.full_like(ground, (0, 0, 255))
    only_first = np.array([[0, 255, 0], [0, 0, 0]], np.uint8)
    picture, cover = stack(ground, [(red_, alpha), (blue, only_first)])
    assert picture[0, 0].tolist() == [255, 0, 0] and picture[0, 1].tolist() == [0, 0, 255]
    assert picture[1, 1].tolist() == [131, 3, 3]
    assert (picture[cover == 0] == 7).all() and (cover > 0).sum() == 3


def test_pixels_outside_the_region_are_bit_identical_and_the_face_is_outside(worn):
    before, after, region = (np.asarray(p) for p in (worn.before, worn.picture, worn.region))
    assert (before == after).all(2)[region == 0].all()
    body = read_body(before, worn.landmarks)
    assert body.head.sum() > 5_000 and not region[body.head].any()
    assert (region > 127).mean() > 0.06


def test_arms_lie_before_the_trunk_and_under_the_sleeves(figure):
    picture, at = figure
    points = dict(at.points) | {"right_elbow": (262, 380), "right_wrist": (380, 430)}  # forearm across the belly
    pixels = picture.copy()
    ImageDraw.Draw(pixels).line([points["right_elbow"], points["right_wrist"]], fill=(214, 190, 170), width=40)
    result = try_on(pixels, tee(), "upper", points)
    cloth = red(result.picture)
    assert not cloth[410, 340] and cloth[330, 384]  # the forearm, and the chest above it
    assert cloth[260, 296]  # the upper arm, under the sleeve


# The whole.


def test_a_shifted_body_shifts_the_garment(figure, worn):
    picture, at = figure
    moved = Image.new("RGB", picture.size, (246, 246, 244))
    moved.paste(picture, (60, 24))
    again = try_on(moved, tee(), "upper", {name: (x + 60, y + 24) for name, (x, y) in at.points.items()})
    assert centre(red(again.picture)) - centre(red(worn.picture)) == pytest.approx([60, 24], abs=2)


def test_a_larger_picture_takes_landmarks_of_its_own_pixels(figure, worn):
    picture, at = figure
    large = picture.resize((1536, 2048))
    result = try_on(large, tee(), "upper", {name: (2 * x, 2 * y) for name, (x, y) in at.points.items()})
    assert result.picture.size == (768, 1024)
    assert centre(red(result.picture)) == pytest.approx(centre(red(worn.picture)), abs=3)


def test_trousers_cover_the_legs_and_not_the_chest(figure):
    picture, at = figure
    result = try_on(picture, trousers(), "bottom", at.points)
    region = np.asarray(result.region) > 127
    assert region[700, 336] and region[700, 432] and not region[700, 384] and not region[300, 384]


def test_without_landmarks_a_drawn_figure_is_shown_and_said():
    result = try_on(Image.new("RGB", (200, 300), "grey"), tee())
    assert not result.on_person and result.landmarks.source == "drawn figure"
    assert "drawn figure, not on you" in result.uncertain[0] and "pose_model" in result.uncertain[0]
    assert red(result.picture).mean() > 0.05


def test_left_and_right_exchanged_is_said_and_still_worn(figure, worn):
    picture, at = figure
    other = {"left": "right", "right": "left"}
    points = {"_".join(other.get(part, part) for part in name.split("_")): p for name, p in at.points.items()}
    result = try_on(picture, tee(), "upper", points)
    assert "from behind" in result.uncertain[0]
    assert (np.asarray(result.picture) == np.asarray(worn.picture)).all()


# Refusals.


def png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("upload", "words"),
    [
        (b"", "0 bytes"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "not a readable picture"),
        (png(tee())[:200], "not a readable picture"),
        (png(Image.new("1", (9000, 9000))), "pixels are too many"),
        (png(Image.new("RGB", (8, 8))), "too few"),
        ("no/such/picture.png", "no such picture"),
    ],
)
def test_a_bad_upload_is_one_clear_error(upload, words):
    for arguments, field in (((upload, tee()), "person picture"), ((None, upload), "garment picture")):
        with pytest.raises(DataError, match=words) as caught:
            try_on(*arguments)
        assert caught.value.count == 1 and caught.value.problems[0].field == field
        assert "item's image" not in str(caught.value)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ({"left_sholder": (1, 1)}, "did you mean 'left_shoulder'"),
        ({"left_shoulder": "left"}, "not a point"),
        ({"left_shoulder": (float("nan"), 3)}, "far outside"),
        ({"left_shoulder": (304, 238)}, "fall together"),
        ([(1, 2)], "not a mapping"),
    ],
)
def test_bad_landmarks_are_named(figure, points, words):
    given = figure[1].points | points if isinstance(points, dict) else points
    with pytest.raises(DataError, match=words):
        Landmarks.of(given, (768, 1024))


def test_missing_landmarks_are_all_named():
    with pytest.raises(DataError) as caught:
        Landmarks.of({"left_shoulder": (10, 10)}, (100, 100))
    missing = {f"landmarks.{name}" for name in ("right_shoulder", "left_hip", "right_hip")}
    assert {problem.field for problem in caught.value.problems} == missing


def test_unknown_options_and_missing_packages_are_named(figure, tmp_path):
    with pytest.raises(DataError, match="use one of: upper"):
        try_on(None, tee(), slot="shoes")
    with pytest.raises(DataError, match="non-commercial.*IDM-VTON"):
        try_on(None, tee(), backend="diffusers")
    with pytest.raises(DataError, match="cannot be loaded"):
        detect(figure[0], tmp_path)
    for package, call in (
        ("rembg", lambda: cut_out(tee(), "rembg")),
        ("diffusers", lambda: try_on(None, tee(), backend="diffusers", model=tmp_path)),
    ):
        try:
            __import__(package)
        except ImportError:
            with pytest.raises(DataError, match=f"{package} is not installed; pip install {package}"):
                call()


def test_a_pose_models_points_are_used(figure, tmp_path):
    """A ViTPose of the ordinary classes and a tiny size: untrained, it is unsure of all, and that is said."""
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation, VitPoseImageProcessor

    backbone = VitPoseBackboneConfig(
        image_size=[64, 48], patch_size=[16, 16], hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        out_features=["stage1"],
    )  # fmt: skip
    VitPoseForPoseEstimation(VitPoseConfig(backbone_config=backbone)).save_pretrained(tmp_path)
    VitPoseImageProcessor(size={"height": 64, "width": 48}).save_pretrained(tmp_path)
    result = try_on(figure[0], tee(), pose_model=tmp_path)
    assert result.uncertain[0] == "shoulders and hips were not found in the picture" and not result.on_person


# In-painting, with a pipeline of the same call.


class _Paints:
    vae_scale_factor = 8

    def __call__(self, *, prompt, image, mask_image, **options):
        self.prompt, self.options = prompt, options

        class Output:
            images = [Image.new("RGB", image.size, (1, 2, 3))]

        return Output


def test_in_painting_leaves_all_outside_the_region_alone():
    start = Image.fromarray(np.random.default_rng(2).integers(0, 256, (90, 70, 3), dtype=np.uint8))
    region = np.zeros((90, 70), bool)
    region[20:40, 10:30] = True
    pipeline = _Paints()
    done = np.asarray(inpaint.paint(pipeline, start, region, "a red\n dress"))
    assert (done[region] == (1, 2, 3)).all() and (done[~region] == np.asarray(start)[~region]).all()
    assert pipeline.prompt.endswith("wearing a red dress") and pipeline.options["width"] % 8 == 0


def test_memory_need_is_read_from_headers(tmp_path):
    header = json.dumps({"w": {"dtype": "F32", "shape": [1024, 1024, 1024], "data_offsets": [0, 1 << 32]}}).encode()
    (tmp_path / "unet.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)  # its tensors are not read
    said = inpaint.memory_need(tmp_path)
    assert "2.00 GiB of weights" in said and "3.00 GiB of memory" in said
    assert "not looked at" in inpaint.memory_need("some/pipeline")


# Real photographs.


def test_real_photograph_keeps_face_and_background(shared_data):
    folder = shared_data / "tryon"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    from benchmarks.tryon import LANDMARKS, measure

    name = "07966_00"
    result = try_on(folder / "person" / f"{name}.jpg", folder / "garment" / "00126_00.jpg", "upper", LANDMARKS[name])
    found = measure(result, read_body(np.asarray(result.before), result.landmarks))
    assert found["outside"] == found["face"] == found["background"] == 1
    assert found["spill"] < 0.1
    region = np.asarray(result.region) > 127
    assert region[450, 370] and not region[700, 660]  # the chest, and a hand
    assert os.fspath(folder) not in " ".join((*result.used, *result.uncertain))
