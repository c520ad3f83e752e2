"""The words of the domain: Item, Outfit, Profile, LabelGroup and LabelVocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fcn.errors import DataError, Problem, nearest

# The canonical order of an outfit: from the outside in, then downwards. "onepiece" is a dress or jumpsuit.
SLOTS = ("outerwear", "upper", "onepiece", "bottom", "shoes", "bag", "accessory", "other")
POLARITIES = ("suits", "unsuits", None)

# White space, control characters, marks that turn the direction of all that follows, halves of surrogate pairs.
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_BAD_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029,]")


def one_line(text: str) -> str:
    """`text` with every run of white space, control characters and what is no whole character made one blank."""
    return _BLANK.sub(" ", text).strip()


@dataclass(frozen=True)
class Item:
    """One product. `image` is a path relative to the data set folder; a missing price is None."""

    item_id: str
    title: str
    category: str
    slot: str
    image: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)
    price: float | None = None
    in_stock: bool = True

    def __post_init__(self):
        if self.slot not in SLOTS:
            raise DataError(
                Problem(None, None, "slot", self.slot, "unknown slot", nearest(str(self.slot), SLOTS))
            )

    def text(self) -> str:
        """ "title | category | key: value | ...": one line, attributes in the order of their keys."""
        pairs = [f"{key}: {value}" for key, value in sorted(self.attributes.items())]
        return " | ".join(part for part in map(one_line, [self.title, self.category, *pairs]) if part)


@dataclass(frozen=True)
class Outfit:
    """Items worn together; `labels` are "group=value" strings, `split` is train, val, test or None."""

    outfit_id: str
    item_ids: tuple[str, ...]
    labels: tuple[str, ...] = ()
    split: str | None = None

    def __post_init__(self):
        object.__setattr__(self, "item_ids", tuple(self.item_ids))
        object.__setattr__(self, "labels", tuple(self.labels))


def split_label(label: str) -> tuple[str, str]:
    """ "group=value" -> (group, value). DataError when it has another form."""
    group, mark, value = (part.strip() for part in label.partition("="))
    if not (group and mark and value) or _BAD_NAME.search(label.strip()):
        raise DataError(
            Problem(
                None, None, "label", label, "not of the form group=value", "write it as body_figure=triangle"
            )
        )
    return group, value


class Profile:
    """What is known of a person: for some groups, one or more values. Immutable, hashable, order-free."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str | Iterable[str]] | None = None):
        kept: dict[str, tuple[str, ...]] = {}
        for group, given in sorted((values or {}).items()):
            given = (given,) if isinstance(given, str) else tuple(given)
            named = [split_label(f"{group}={value}") for value in given]
            if any(name != group.strip() for name, _ in named):
                raise DataError(
                    Problem(None, None, "profile", group, "a group's name holds '='", "rename the group")
                )
            if named:
                kept[group.strip()] = tuple(sorted({value for _, value in named}))
        self._values = kept

    @classmethod
    def parse(cls, text: str) -> Profile:
        """ "body_figure=triangle,height=low" -> Profile; blanks around names and empty parts are allowed."""
        return cls.from_labels(part for part in text.split(",") if part.strip())

    @classmethod
    def from_labels(cls, labels: Iterable[str]) -> Profile:
        """Labels "group=value", in any order; a group may come more than once."""
        values: dict[str, list[str]] = {}
        for label in labels:
            group, value = split_label(label)
            values.setdefault(group, []).append(value)
        return cls(values)

    def labels(self) -> tuple[str, ...]:
        """ "group=value" strings, in alphabetical order of groups, then values."""
        return tuple(f"{group}={value}" for group, values in self._values.items() for value in values)

    def groups(self) -> tuple[str, ...]:
        return tuple(self._values)

    def get(self, group: str) -> tuple[str, ...]:
        """The values of a group; empty when nothing is known."""
        return self._values.get(group, ())

    def without(self, group: str) -> Profile:
        """The same profile with one group forgotten."""
        return Profile({name: values for name, values in self._values.items() if name != group})

    def __bool__(self) -> bool:
        return bool(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Profile) and self._values == other._values

    def __hash__(self) -> int:
        return hash(self.labels())

    def __reduce__(self):
        return Profile, (dict(self._values),)

    def __str__(self) -> str:
        return ",".join(self.labels())

    def __repr__(self) -> str:
        return f"Profile({self._values!r})"


@dataclass(frozen=True)
class LabelGroup:
    """A group of labels.

    Polarity "suits": an outfit's label names whom it flatters; "unsuits": whom it does not; None: the group
    describes people only and no outfit carries its labels.
    """

    name: str
    values: tuple[str, ...]
    polarity: str | None = "suits"

    def __post_init__(self):
        object.__setattr__(self, "values", tuple(self.values))
        faults = []
        if self.polarity not in POLARITIES:
            faults.append(("polarity", self.polarity, "unknown polarity", "use suits, unsuits or null"))
        if not self.values:
            faults.append(("values", self.name, "the group has no values", "list at least one value"))
        if len(set(self.values)) != len(self.values):
            faults.append(("values", self.name, "a value comes twice in the group", "list each value once"))
        for value in self.values:
            try:
                named = split_label(f"{self.name}={value}")
            except DataError:
                named = None
            if named != (self.name, value):
                remedy = "names hold no comma, control character or outer blank, and a group's name no '='"
                faults.append(("values", f"{self.name}={value}", "not a usable label name", remedy))
        if faults:
            raise DataError([Problem(None, None, f"label_groups.{field}", *rest) for field, *rest in faults])


class LabelVocabulary:
    """All labels of a data set in one fixed order: C = len(vocabulary) columns, group after group."""

    def __init__(self, groups: Sequence[LabelGroup]):
        self.groups = tuple(groups)
        names = [group.name for group in self.groups]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            remedy = "give each group its own name"
            raise DataError(
                Problem(None, None, "label_groups.name", twice[0], "two groups have the same name", remedy)
            )
        self.labels = [f"{group.name}={value}" for group in self.groups for value in group.values]
        self._index = {label: i for i, label in enumerate(self.labels)}
        self._polarity = {group.name: group.polarity for group in self.groups}
        self.group_slices: dict[str, slice] = {}
        start = 0
        for group in self.groups:
            self.group_slices[group.name] = slice(start, start + len(group.values))
            start += len(group.values)

    @property
    def outfit_labels(self) -> list[str]:
        """The labels an outfit may carry: those of groups with a polarity, in canonical order."""
        return [label for label in self.labels if self.polarity_of(label) is not None]

    def problem(self, label: str) -> Problem | None:
        """What is wrong with a label, with the nearest known one; None when it is known."""
        if label in self._index:
            return None
        group, _, value = str(label).partition("=")
        if group in self.group_slices:
            known = [name.partition("=")[2] for name in self.labels[self.group_slices[group]]]
            return Problem(None, None, group, value, f"unknown value of {group}", nearest(value, known))
        return Problem(None, None, "label", label, "unknown label group", nearest(str(label), self.labels))

    def index(self, label: str) -> int:
        """Column of a label. DataError, naming the nearest known values, when it is unknown."""
        problem = self.problem(label)
        if problem:
            raise DataError(problem)
        return self._index[label]

    def encode(self, labels: Iterable[str]) -> np.ndarray:
        """Labels -> float32 (C,) of zeros and ones."""
        row = np.zeros(len(self), np.float32)
        row[[self.index(label) for label in labels]] = 1
        return row

    def polarity_of(self, label: str) -> str | None:
        return self._polarity[self.labels[self.index(label)].partition("=")[0]]

    def phrase(self, label: str) -> str:
        """Plain words of a label: "body_figure=top_hourglass" -> "body figure top hourglass"."""
        self.index(label)
        return one_line(label.replace("=", " ").replace("_", " "))

    def check(self, profile: Profile) -> None:
        """DataError that lists every label of the profile this vocabulary does not know."""
        problems = [problem for label in profile.labels() if (problem := self.problem(label))]
        if problems:
            raise DataError(problems)

    def to_json(self) -> list[dict]:
        """The `label_groups` entry of dataset.json."""
        return [{"name": g.name, "values": list(g.values), "polarity": g.polarity} for g in self.groups]

    @classmethod
    def from_json(cls, groups: Sequence[Mapping]) -> LabelVocabulary:
        """Inverse of `to_json`. DataError lists every fault of every group."""
        problems, made = [], []
        if not isinstance(groups, list | tuple):
            remedy = 'write [{"name": ..., "values": [...], "polarity": "suits"}]'
            raise DataError(Problem(None, None, "label_groups", groups, "not a list", remedy))
        for i, group in enumerate(groups):
            name = f"label_groups[{i}]"
            if not isinstance(group, Mapping):
                problems.append(
                    Problem(None, None, name, group, "not an object", "write name, values and polarity")
                )
                continue
            missing = [key for key in ("name", "values", "polarity") if key not in group]
            if missing:
                remedy = "a group has name, values and polarity (suits, unsuits or null)"
                problems.append(
                    Problem(None, None, name, group.get("name"), f"no {' or '.join(missing)}", remedy)
                )
                continue
            values = group["values"]
            if not isinstance(group["name"], str) or not isinstance(values, list | tuple):
                problems.append(
                    Problem(None, None, name, group, "wrong type", "name is text, values a list of text")
                )
            elif not all(isinstance(value, str) for value in values):
                problems.append(
                    Problem(None, None, name, values, "a value is not text", "put quotes around it")
                )
            elif not isinstance(group["polarity"], str | None):
                problems.append(
                    Problem(
                        None, None, name, group["polarity"], "unknown polarity", "use suits, unsuits or null"
                    )
                )
            else:
                try:
                    made.append(LabelGroup(group["name"], tuple(values), group["polarity"]))
                except DataError as error:
                    problems.extend(error.problems)
        if problems:
            raise DataError(problems)
        return cls(made)

    def __len__(self) -> int:
        return len(self.labels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LabelVocabulary) and self.groups == other.groups

    def __hash__(self) -> int:
        return hash(self.groups)

    def __repr__(self) -> str:
        return f"LabelVocabulary({', '.join(f'{g.name}: {len(g.values)}' for g in self.groups)})"
