import gzip
import random
from dataclasses import replace
from types import SimpleNamespace

import anndata
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, parse_perturbations
from primeflow_core.data.h5ad.reading import read_cells
from primeflow_core.data.splits import (
    LEFT_OUT,
    PARTS,
    SinglesSeen,
    Split,
    combo_split,
    held_out,
    held_out_split,
    read_split,
    singles_seen,
    transfer_split,
)
from primeflow_core.errors import DataError, SettingError

SINGLES = tuple("ABCDEFGH")
PAIRS = ("A+B", "C+D", "E+F", "G+H", "A+C", "B+D", "X+Y", "A+X", "E+G", "F+H")


def screen(labels_of, each=4):
    """Cells of {context: labels}, ``each`` a condition, the conditions interleaved."""
    conditions, labels, rows = [], [], []
    for context, wanted in labels_of.items():
        for label in ("control", *wanted):
            rows += [len(conditions)] * each
            labels.append(label)
            conditions.append(Condition(parse_perturbations(label), (("cell_type", context),)))
    condition_of = np.array(rows).reshape(len(conditions), each).T.ravel()
    names = np.array([f"c{i}" for i in range(len(rows))])
    return Cells(
        np.zeros((len(rows), 1), np.float32), ("g",), names, tuple(conditions), condition_of, labels=tuple(labels)
    )


COMBO = screen({"k562": SINGLES + PAIRS, "hap1": SINGLES[:4] + PAIRS[:6], "empty": SINGLES[:2]})
TRANSFER = screen({context: SINGLES for context in ("k562", "hap1", "a549")})
TASKS = [(combo_split, COMBO), (transfer_split, TRANSFER)]


@pytest.mark.parametrize(("task", "cells"), TASKS)
@pytest.mark.parametrize("seed", range(8))
def test_no_held_out_condition_has_a_training_cell(task, cells, seed):
    split = task(cells, seed)
    assert split.leaks(cells) == ()
    parts = [set(split.indices(cells, part).tolist()) for part in PARTS]
    assert all(parts)
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]


@pytest.mark.parametrize(("task", "cells"), TASKS)
def test_the_same_seed_gives_the_same_split_and_another_seed_another(task, cells):
    np.testing.assert_array_equal(task(cells, 3).parts, task(cells, 3).parts)
    assert (task(cells, 3).parts != task(cells, 4).parts).any()


@pytest.mark.parametrize(("task", "cells"), TASKS)
def test_controls_go_half_to_training_and_a_quarter_each_to_the_rest(task, cells):
    split = task(cells, 0)
    is_control = np.array([c.is_control for c in cells.condition_list(range(len(cells)))])
    counts = [np.count_nonzero(is_control[split.indices(cells, part)]) for part in PARTS]
    assert counts == [6, 3, 3]


def test_combinations_are_held_out_by_the_fraction_in_each_context_and_singles_stay():
    split = combo_split(COMBO, seed=42, fraction=0.7)
    kept_out = held_out(COMBO, split)
    by_context = {context: sum(h.condition.context == context for h in kept_out) for context in ("k562", "hap1")}
    assert by_context == {"k562": 7, "hap1": 4}
    assert all(len(h.condition.perturbations) == 2 for h in kept_out)
    assert LEFT_OUT not in split.parts


def test_transfer_holds_a_perturbation_out_of_one_context_only_and_respects_the_cap():
    kept_out = [h.condition for h in held_out(TRANSFER, transfer_split(TRANSFER, seed=42, fraction=0.3))]
    names = [condition.label for condition in kept_out]
    assert len(names) == len(set(names))
    assert all(sum(c.context == context for c in kept_out) <= 3 for context in ("k562", "hap1", "a549"))
    assert len(names) > 4


def test_a_group_with_a_single_held_out_pair_is_left_out():
    cells = screen({"k562": SINGLES + PAIRS, "hap1": (*SINGLES[:2], "A+B", "C+D")})
    split = combo_split(cells, seed=1, fraction=0.5)
    of_hap1 = [h for h in held_out(cells, split) if h.condition.context == "hap1"]
    assert of_hap1 == []
    assert np.count_nonzero(split.parts == LEFT_OUT) == 4
    assert split.leaks(cells) == ()


def test_the_order_of_appearance_decides_which_pairs_are_held_out():
    turned = screen({"k562": SINGLES + PAIRS[::-1], "hap1": SINGLES[:4] + PAIRS[:6], "empty": SINGLES[:2]})

    def of_k562(cells):
        return {h.condition.label for h in held_out(cells, combo_split(cells, 42)) if h.condition.context == "k562"}

    assert of_k562(COMBO) != of_k562(turned)


@pytest.mark.parametrize("task", [combo_split, transfer_split])
def test_too_little_to_hold_out_is_an_error(task):
    cells = screen({"k562": SINGLES[:3]})
    with pytest.raises(DataError, match=r"0 held-out conditions .* too few .*Raise --fraction"):
        task(cells)


@pytest.mark.parametrize("fraction", [0.0, -1.0, 1.5, float("nan")])
def test_a_fraction_outside_its_range_is_refused(fraction):
    with pytest.raises(SettingError, match="above 0 and at most at 1"):
        combo_split(COMBO, fraction=fraction)


@pytest.mark.parametrize("name", ["split.csv", "split.csv.gz"])
def test_a_split_survives_its_file_with_the_same_bytes(tmp_path, name):
    split = combo_split(COMBO, 5)
    split.write(tmp_path / name)
    found = read_split(tmp_path / name, COMBO)
    np.testing.assert_array_equal(found.parts, split.parts)
    split.write(tmp_path / f"again-{name}")
    assert (tmp_path / name).read_bytes() == (tmp_path / f"again-{name}").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, f"again-{name}"])


def test_left_out_cells_survive_the_file(tmp_path):
    split = held_out_split(TRANSFER, {TRANSFER.conditions[1]: "left-out", TRANSFER.conditions[2]: "test"})
    split.write(tmp_path / "s.csv")
    found = read_split(tmp_path / "s.csv", TRANSFER)
    np.testing.assert_array_equal(found.parts, split.parts)
    assert np.count_nonzero(found.parts == LEFT_OUT) == 4


SMALL = screen({"k562": ("A",)}, each=2)
ROWS = ["c0,train", "c1,val", "c2,test", "c3,train"]


@pytest.mark.parametrize(
    "lines",
    [
        ["cell,split", *ROWS],
        [",transfer_split_seed42", *ROWS],
        ROWS,
        [row.replace("t", "T") for row in ROWS],
        [*ROWS, ""],
        ROWS[::-1],
        ['"c0","Train"', *ROWS[1:]],
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_split_files_are_read_with_and_without_header(tmp_path, lines, packed):
    data = ("\n".join(lines) + "\n").encode()
    path = tmp_path / ("s.csv.gz" if packed else "s.csv")
    path.write_bytes(gzip.compress(data) if packed else data)
    split = read_split(path, SMALL)
    assert [split.indices(SMALL, part).tolist() for part in PARTS] == [[0, 3], [1], [2]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["c0,trian", *ROWS[1:]], "s.csv, line 1: 'trian' is not a part of a split. Use train, val or test"),
        ([*ROWS[:3], "c3,holdout"], "line 4: 'holdout' is not a part"),
        ([*ROWS, "c9,val"], "names 1 cells that are not in cells in memory, for instance 'c9'"),
        (ROWS[:3], "does not name 1 of the 4 cells .* 'c3'. .*--unlisted train or --unlisted leave-out"),
        ([*ROWS, "c0,val"], "line 5: the cell 'c0' is in the file twice"),
        (["c0"], "line 1: 1 columns; expected two"),
        (["cell,split"], "names no cell"),
        ([""], "names no cell"),
    ],
)
def test_faults_of_a_split_file_are_named(tmp_path, lines, message):
    (tmp_path / "s.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=message):
        read_split(tmp_path / "s.csv", SMALL)


def test_a_missing_or_damaged_split_file_is_named(tmp_path):
    with pytest.raises(DataError, match="There is no split file"):
        read_split(tmp_path / "s.csv", SMALL)
    (tmp_path / "s.csv.gz").write_bytes(gzip.compress(b"c0,train\n" * 100)[:-12])
    with pytest.raises(DataError, match=r"s\.csv\.gz is not a csv, or is damaged"):
        read_split(tmp_path / "s.csv.gz", SMALL)


@pytest.mark.parametrize(("unlisted", "train"), [("train", [0, 3]), ("leave-out", [0])])
def test_unlisted_cells_go_where_they_are_sent(tmp_path, unlisted, train):
    (tmp_path / "s.csv").write_text("\n".join(ROWS[:3]) + "\n")
    split = read_split(tmp_path / "s.csv", SMALL, unlisted=unlisted)
    assert split.indices(SMALL, "train").tolist() == train


def test_an_unknown_part_or_choice_is_refused(tmp_path):
    with pytest.raises(SettingError, match="'validation' is not a part of a split"):
        combo_split(COMBO).indices(COMBO, "validation")
    with pytest.raises(SettingError, match="not 'test'"):
        read_split(tmp_path / "s.csv", SMALL, unlisted="test")


def test_indices_follow_the_names_not_the_order():
    split = Split(np.array(["c3", "c0"]), np.array(["train", "val"]))
    assert split.indices(SMALL, "train").tolist() == [3]
    assert split.part_of(SMALL).tolist() == ["val", LEFT_OUT, LEFT_OUT, "train"]


def test_leaks_names_a_condition_on_both_sides():
    split = Split(SMALL.names, np.array(["train", "val", "test", "train"]))
    assert [condition.label for condition in split.leaks(SMALL)] == ["A"]


def test_named_conditions_can_be_held_out():
    test, val = TRANSFER.conditions[3], TRANSFER.conditions[12]
    split = held_out_split(TRANSFER, {test: "test", val: "val"}, seed=1)
    assert [(h.condition, h.part, h.cells, h.singles) for h in held_out(TRANSFER, split)] == [
        (val, "val", 4, None),
        (test, "test", 4, None),
    ]
    assert split.leaks(TRANSFER) == ()


@pytest.mark.parametrize(
    ("condition", "part", "error", "message"),
    [
        (Condition(parse_perturbations("Z")), "test", DataError, "no perturbed cells of Z"),
        (TRANSFER.conditions[0], "test", DataError, "no perturbed cells of control"),
        (TRANSFER.conditions[1], "train", SettingError, "cannot be held out as 'train'"),
    ],
)
def test_what_cannot_be_held_out_is_refused(condition, part, error, message):
    with pytest.raises(error, match=message):
        held_out_split(TRANSFER, {condition: part})


@pytest.mark.parametrize(
    ("label", "expected"), [("A+B", SinglesSeen.ALL), ("A+Z", SinglesSeen.SOME), ("Y+Z", SinglesSeen.NONE)]
)
def test_held_out_pairs_are_marked_by_the_singles_seen(label, expected):
    trained_on = [Condition(parse_perturbations(text)) for text in ("A", "B", "A+Z")]
    assert singles_seen(Condition(parse_perturbations(label)), trained_on) is expected


# PerturBench's procedure once more, on a plain obs table and in pandas' own order, to hold the splits against.


def plain_combo(obs, covariates, seed, fraction):
    """The (label, group) pairs that PerturBench's combination task holds out, in its order."""
    held_out = []
    for group, rows in obs.groupby(covariates, observed=False):
        combinations = [label for label in rows["condition"].unique() if "+" in label]
        random.seed(seed)
        chosen = random.sample(combinations, min(int(fraction * len(combinations)), 200))
        held_out += [(label, group) for label in chosen]
    return held_out


def plain_transfer(obs, covariates, seed, fraction):
    """The (label, group) pairs that PerturBench's covariate transfer holds out, in its order."""
    cap = {
        group: min(fraction * rows["condition"].nunique(), 200)
        for group, rows in obs.groupby(covariates, observed=False)
    }
    perturbed = obs[obs["condition"] != "control"]
    groups_of = {
        label: list(rows[covariates].drop_duplicates().itertuples(index=False, name=None))
        for (label,), rows in perturbed.groupby(["condition"], observed=True)
    }
    seeds = np.random.RandomState(seed)
    held_out, taken = [], dict.fromkeys(cap, 0)
    for label in sorted(groups_of, key=lambda label: len(groups_of[label]), reverse=True):
        random.seed(int(seeds.randint(100000)))
        pool = [group for group in groups_of[label] if taken[group] < cap[group]]
        if len(groups_of[label]) > 1 and pool:
            for group in random.sample(pool, random.randint(1, max(len(pool) - len(cap) + 1, 1))):
                taken[group] += 1
                held_out.append((label, group))
    return held_out


def plain_parts(obs, covariates, held_out, seed):
    """The part of each cell (N,). The text of several covariates, whose order is chance there, is that of a tuple."""
    groups = [group for _, group in held_out]
    kept = [pair for pair in held_out if groups.count(pair[1]) > 1]
    texts = [str(frozenset(map(str, group))) if len(group) == 1 else str(group) for _, group in kept]
    val, test = train_test_split(kept, test_size=0.5, random_state=seed, stratify=texts)
    part_of = dict.fromkeys(held_out, LEFT_OUT) | dict.fromkeys(val, "val") | dict.fromkeys(test, "test")
    pairs = zip(obs["condition"], obs[covariates].itertuples(index=False, name=None), strict=True)
    parts = np.array([part_of.get(pair, "train") for pair in pairs], dtype=object)
    controls = np.flatnonzero(obs["condition"] == "control").tolist()
    random.seed(seed)
    shuffled = random.sample(controls, len(controls))
    half, three_quarters = int(len(shuffled) * 0.5), int(len(shuffled) * 0.75)
    parts[shuffled[:half]] = "train"
    parts[shuffled[half:three_quarters]] = "val"
    parts[shuffled[three_quarters:]] = "test"
    return parts


PLAIN = {combo_split: plain_combo, transfer_split: plain_transfer}
MIXED_LINES, MIXED_MEDIA = ("L2", "L10", "L1", "a3"), ("none", "IFN")


def drawn_obs(covariates, seed=0):
    """Shuffled cells of random conditions in every group; in natural, alphabetical and own order names differ."""
    draw = random.Random(seed)
    singles = [f"G{i}" for i in range(1, 13)]
    pairs = ["+".join(draw.sample([first, second], 2)) for first in singles[:6] for second in singles[6:10]]
    groups = [(line, medium) for line in MIXED_LINES for medium in MIXED_MEDIA[: len(covariates)]]
    rows = [
        (label, *group[: len(covariates)])
        for group in groups
        for label in ("control", *draw.sample(singles, 9), *draw.sample(pairs, 15))
        for _ in range(draw.randint(1, 3))
    ]
    draw.shuffle(rows)
    return pd.DataFrame(rows, columns=["condition", *covariates], index=[f"c{i}" for i in range(len(rows))])


def in_own_order(obs):
    """Categories in an order that is neither natural nor alphabetical, one of them without cells."""
    draw = random.Random(1)
    return obs.apply(lambda text: pd.Categorical(text, draw.sample([*text.unique(), "unused"], text.nunique() + 1)))


def numbered(obs):
    """Cell lines numbered 2, 10, 1, 30."""
    return obs.assign(cell_type=obs["cell_type"].map(dict(zip(MIXED_LINES, (2, 10, 1, 30), strict=True))))


KINDS = {
    "text": (lambda obs: obs, False),
    "categories in natural order": (lambda obs: obs, True),
    "categories in their own order": (in_own_order, True),
    "numbers": (numbered, False),
}


def through_file(obs, path, as_categories, **layout):
    """``obs`` written by AnnData and read by AnnData, and the cells that we read from the same file."""
    values = np.full((len(obs), 2), 0.5, dtype=np.float32)
    anndata.AnnData(values, obs=obs).write_h5ad(path, convert_strings_to_categoricals=as_categories)
    return SimpleNamespace(obs=anndata.read_h5ad(path).obs, cells=read_cells(path, **layout))


@pytest.fixture(scope="module", params=[(kind, both) for kind in KINDS for both in (False, True)], ids=str)
def written(request, tmp_path_factory):
    kind, both = request.param
    covariates = ["cell_type", "treatment"] if both else ["cell_type"]
    changed, as_categories = KINDS[kind]
    obs = changed(drawn_obs(covariates))
    return through_file(obs, tmp_path_factory.mktemp("obs") / "s.h5ad", as_categories, covariates=covariates)


def check_against_plain(task, cells, obs, seed, fraction):
    covariates = list(cells.layout.covariates)
    expected = plain_parts(obs, covariates, PLAIN[task](obs, covariates, seed, fraction), seed)
    np.testing.assert_array_equal(task(cells, seed, fraction).parts, expected.astype(str))


@pytest.mark.parametrize("task", PLAIN)
@pytest.mark.parametrize("fraction", [0.3, 0.5, 0.7])
def test_every_cell_goes_where_perturbench_sends_it(written, task, fraction):
    for seed in (0, 1, 42):
        check_against_plain(task, written.cells, written.obs, seed, fraction)


@pytest.mark.parametrize("changed", [lambda obs: obs, in_own_order])
def test_the_order_of_the_categories_decides_who_is_transferred(tmp_path, changed):
    file = through_file(changed(drawn_obs(["cell_type"])), tmp_path / "s.h5ad", True)
    alphabetical = replace(file.cells, label_order=())
    assert (transfer_split(file.cells, 0).parts != transfer_split(alphabetical, 0).parts).any()


@pytest.mark.parametrize("task", PLAIN)
def test_a_subset_keeps_the_order_of_the_file(tmp_path, task):
    file = through_file(in_own_order(drawn_obs(["cell_type"])), tmp_path / "s.h5ad", True)
    kept = np.flatnonzero(file.obs["cell_type"] != "L1")
    check_against_plain(task, file.cells.subset(kept), file.obs.iloc[kept], 0, 0.5)


@pytest.mark.parametrize("task", PLAIN)
def test_doses_of_one_label_are_held_out_together(tmp_path, task):
    obs = drawn_obs(["cell_type"])
    draw = random.Random(2)
    obs["dose"] = ["+".join(draw.choice(("0.1", "1")) for _ in label.split("+")) for label in obs["condition"]]
    file = through_file(obs, tmp_path / "s.h5ad", True, covariates=["cell_type"], dose="dose")
    assert len(file.cells.conditions) > len(obs.drop_duplicates(["condition", "cell_type"]))
    for seed in (0, 42):
        check_against_plain(task, file.cells, file.obs, seed, 0.5)


def test_no_more_than_two_hundred_combinations_of_a_group_are_held_out(tmp_path):
    labels = ["control"] * 8 + [f"G{i}+H{j}" for i in range(20) for j in range(15)]
    labels += [f"G{i}" for i in range(20)] + [f"H{j}" for j in range(15)]
    obs = pd.DataFrame({"condition": labels * 2, "cell_type": ["a"] * len(labels) + ["b"] * len(labels)})
    file = through_file(obs.set_index("c" + obs.index.astype(str)), tmp_path / "s.h5ad", True)
    assert len(held_out(file.cells, combo_split(file.cells, 42, 0.9))) == 400
    check_against_plain(combo_split, file.cells, file.obs, 42, 0.9)


# Computed with PerturBench's own splitter (commit 4dd6a03) on the same obs table, seed 42.
PERTURBENCH_COMBO = {
    "val": {"CEBPE+RUNX1T1", "SGK1+TBX3", "MAP2K3+SLC38A2", "BPGM+SAMD1", "CBL+CNN1"},
    "test": {"KLF1+MAP2K6", "MAP2K3+MAP2K6", "SET+KLF1", "ZBTB10+PTPN12", "KLF1+TGFBR2"},
}
PERTURBENCH_TRANSFER = {
    "val": {"TGFBR2 k562", "MAP3K21 A172", "SGK1 T98G", "MAP2K3 U87MG"},
    "test": {"MAP4K5 k562", "MAP2K6 A172", "PLK4 T98G", "MAP4K3 U87MG", "MAPK1 U87MG"},
}


def test_the_real_splits_hold_out_what_perturbench_holds_out(mirror):
    cells = read_cells(mirror / "perturbench-devel.h5ad")
    label = dict(zip(cells.conditions, cells.labels, strict=True))
    combo = held_out(cells, combo_split(cells, seed=42, fraction=0.7))
    transfer = held_out(cells, transfer_split(cells, seed=42, fraction=0.3))
    for part in ("val", "test"):
        assert {label[h.condition] for h in combo if h.part == part} == PERTURBENCH_COMBO[part]
        found = {f"{label[h.condition]} {h.condition.context}" for h in transfer if h.part == part}
        assert found == PERTURBENCH_TRANSFER[part]


@pytest.mark.parametrize("task", PLAIN)
@pytest.mark.parametrize("seed", [0, 42])
def test_every_real_cell_goes_where_perturbench_sends_it(mirror, task, seed):
    path = mirror / "perturbench-devel.h5ad"
    check_against_plain(task, read_cells(path), anndata.read_h5ad(path).obs, seed, 0.7)


def test_the_real_split_file_lists_the_k562_cells_only(mirror):
    cells = read_cells(mirror / "perturbench-devel.h5ad")
    with pytest.raises(DataError, match="does not name 2,586 of the 5,961 cells"):
        read_split(mirror / "k562-combo-split.csv", cells)
    split = read_split(mirror / "k562-combo-split.csv", cells, unlisted="train")
    assert split.leaks(cells) == ()
    found = held_out(cells, split)
    assert [h.singles for h in found if h.part == "test"] == [SinglesSeen.ALL] * 5
    assert len([h for h in found if h.part == "val"]) == 2
