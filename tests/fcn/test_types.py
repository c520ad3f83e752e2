import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcn import SLOTS, DataError, DresswellError, Item, LabelGroup, LabelVocabulary, Problem, Profile
from fcn.types import one_line

VOCABULARY = LabelVocabulary(
    [
        LabelGroup("body_figure", ("triangle", "top_hourglass"), "unsuits"),
        LabelGroup("height", ("low", "tall"), "suits"),
        LabelGroup("age", ("young",), None),
    ]
)
# Names as a label may have them: no comma, control character or outer blank; a group's name no "=".
names = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Zs"), exclude_characters=",="), min_size=1
)
names = names.filter(lambda name: name == name.strip())
profiles = st.dictionaries(names, st.lists(names, min_size=1, max_size=3), max_size=4)


@given(profiles)
def test_profile_parses_what_it_prints(values):
    profile = Profile(values)
    assert Profile.parse(str(profile)) == profile
    assert Profile.from_labels(reversed(profile.labels())) == profile
    assert hash(Profile(dict(reversed(values.items())))) == hash(profile)
    assert pickle.loads(pickle.dumps(profile)) == profile
    assert all(set(profile.get(group)) == set(given) for group, given in values.items())


@given(st.text())
def test_profile_parse_takes_any_text_or_raises_data_error(text):
    try:
        profile = Profile.parse(text)
    except DataError as error:
        assert "group=value" in str(error)
    else:
        assert Profile.parse(str(profile)) == profile


def test_profile_known_answers():
    profile = Profile.parse(" height = low ,body_figure=triangle,height=tall,")
    assert profile.labels() == ("body_figure=triangle", "height=low", "height=tall")
    assert profile.get("height") == ("low", "tall")
    assert profile.get("age") == ()
    assert profile.groups() == ("body_figure", "height")
    assert profile.without("height") == Profile({"body_figure": "triangle"})
    assert not Profile() and not Profile.parse("") and not Profile({"height": ()}) and profile
    assert Profile.from_labels(["a=b=c"]).get("a") == ("b=c",)


@pytest.mark.parametrize("text", ["low", "=low", "height=", "height=lo\nw"])
def test_profile_of_another_form_is_refused(text):
    with pytest.raises(DataError, match="group=value"):
        Profile.parse(text)
    with pytest.raises(DataError):
        Profile({"a=b": "c"})


def test_vocabulary_order_codes_and_phrases():
    assert VOCABULARY.labels == [
        "body_figure=triangle",
        "body_figure=top_hourglass",
        "height=low",
        "height=tall",
        "age=young",
    ]
    assert len(VOCABULARY) == 5
    assert VOCABULARY.group_slices == {"body_figure": slice(0, 2), "height": slice(2, 4), "age": slice(4, 5)}
    assert VOCABULARY.outfit_labels == VOCABULARY.labels[:4]
    assert VOCABULARY.index("height=tall") == 3
    assert VOCABULARY.polarity_of("height=low") == "suits"
    assert VOCABULARY.polarity_of("age=young") is None
    assert VOCABULARY.phrase("body_figure=top_hourglass") == "body figure top hourglass"
    encoded = VOCABULARY.encode(["height=tall", "body_figure=triangle"])
    assert encoded.dtype == np.float32 and encoded.tolist() == [1, 0, 0, 1, 0]
    assert VOCABULARY.encode([]).tolist() == [0] * 5


def test_unknown_labels_are_named_with_the_nearest_known_one():
    with pytest.raises(DataError, match="triangel.*body_figure.*did you mean 'triangle'"):
        VOCABULARY.index("body_figure=triangel")
    with pytest.raises(DataError, match="did you mean 'height=tall'"):
        VOCABULARY.index("heigth=tall")
    VOCABULARY.check(Profile.parse("height=low"))
    with pytest.raises(DataError) as caught:
        VOCABULARY.check(Profile.parse("height=lwo,hair=red,age=young"))
    assert [problem.value for problem in caught.value.problems] == ["hair=red", "lwo"]


groups = st.builds(
    LabelGroup,
    names,
    st.lists(names, min_size=1, max_size=4, unique=True),
    st.sampled_from(["suits", "unsuits", None]),
)


@given(st.lists(groups, max_size=4, unique_by=lambda group: group.name))
def test_vocabulary_survives_json(given_groups):
    vocabulary = LabelVocabulary(given_groups)
    again = LabelVocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert again == vocabulary and again.labels == vocabulary.labels and hash(again) == hash(vocabulary)
    assert [vocabulary.index(label) for label in vocabulary.labels] == list(range(len(vocabulary)))


def test_vocabulary_lists_every_fault_of_its_json():
    with pytest.raises(DataError) as caught:
        LabelVocabulary.from_json(
            [
                {"name": "a", "values": ["x", "x"], "polarity": "suits"},
                {"name": "b", "values": [], "polarity": "good"},
                {"name": "c=d", "values": ["y"], "polarity": None},
                {"name": "e", "values": ["y"]},
                {"name": "f", "values": [1], "polarity": None},
                "g",
            ]
        )
    text = str(caught.value)
    for expected in (
        "twice",
        "unknown polarity",
        "no values",
        "c=d",
        "no polarity",
        "not text",
        "not an object",
    ):
        assert expected in text
    with pytest.raises(DataError, match="same name"):
        LabelVocabulary([LabelGroup("a", ("x",)), LabelGroup("a", ("y",))])


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["name", "values", "polarity"]), x),
    )
)
def test_vocabulary_from_any_json_raises_only_data_errors(value):
    try:
        LabelVocabulary.from_json(value)
    except DataError:
        pass


def test_item_text_is_one_line_in_a_fixed_order():
    item = Item("i", "Red\n\tdress\x00 <b>", "dress", "onepiece", None, {"fit": "slim", "colour": "red "})
    assert item.text() == "Red dress <b> | dress | colour: red | fit: slim"
    assert Item("i", "", "", "other").text() == ""
    assert one_line("a\u202eb\ud800\u2069 c\u200d👗") == "a b c\u200d👗"  # a joiner is part of a character
    assert hash(item) == hash(
        Item("i", item.title, "dress", "onepiece", None, {"colour": "red ", "fit": "slim"})
    )


def test_item_refuses_an_unknown_slot():
    with pytest.raises(DataError, match="did you mean 'shoes'"):
        Item("i", "t", "c", "shoe")
    assert SLOTS == ("outerwear", "upper", "onepiece", "bottom", "shoes", "bag", "accessory", "other")


def test_errors_list_fifty_and_count_the_rest():
    problems = [Problem("f.parquet", row, "x", row, "bad", "mend it") for row in range(60)]
    error = DataError([*problems, Problem("f.parquet", None, "x", None, "more", "as above", 940)])
    lines = str(error).splitlines()
    assert len(lines) == 51
    assert lines[7] == "f.parquet, row 7, x: 7: bad; mend it"
    assert lines[50] == "... and 950 more (1000 problems in all)"
    assert error.count == 1000 and isinstance(error, DresswellError) and isinstance(error, ValueError)
    assert pickle.loads(pickle.dumps(error)).problems == error.problems
    assert str(DataError("plain words")) == "plain words"
