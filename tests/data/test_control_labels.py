import pytest

from primeflow_core.data.control_labels import SURE_GROUP, UNSURE_GROUP, control_key, is_numbered, matcher


@pytest.mark.parametrize(
    ("label", "key"),
    [
        ("CONTROL", "control"),
        ("Dimethyl Sulfoxide", "dimethyl-sulfoxide"),
        ("[('DMSO_TF', 0.0, 'uM')]", "dmso-tf"),
        ("non-targeting_00001", "non-targeting"),
        ("NTC_3", "ntc"),
        ("sgNTC-12", "sgntc"),
        ("NegCtrl0", "negctrl"),
        ("neg_ctrl_7", "neg-ctrl"),
        ("safe-targeting_5", "safe-targeting"),
        ("NTg1", "nt"),
        ("AAVS1_2", "aavs1"),
        ("AAVS1", "aavs1"),
    ],
)
def test_spellings_and_numbers_do_not_count(label, key):
    assert control_key(label) == key
    assert key in SURE_GROUP or key in UNSURE_GROUP


@pytest.mark.parametrize("label", ["WT1", "NT3", "GFP2", "GATA1", "ZAP70_1", "CTRC", "day1"])
def test_genes_that_end_in_a_number_are_no_controls(label):
    assert not is_numbered(label)
    assert control_key(label) not in SURE_GROUP
    assert control_key(label) not in UNSURE_GROUP


@pytest.mark.parametrize(
    ("controls", "yes", "no"),
    [
        (("control",), ["control", "Control", "CONTROL", "control_2"], ["ctrl", "control A", "KLF1"]),
        (("NTC", "sgX*"), ["ntc", "NTC-4", "sgX1", "sgX"], ["sgY", "NTCP"]),
        (("C[S+](C)[O-]",), ["C[S+](C)[O-]"], ["CS", "CCO"]),
        (("day?",), ["day1"], ["day", "day10"]),
    ],
)
def test_a_label_matches_as_written_in_another_spelling_as_a_guide_or_by_a_pattern(controls, yes, no):
    assert all(map(matcher(controls), yes))
    assert not any(map(matcher(controls), no))
