"""Which labels mean control: spellings of one label, numbered guides of a control, and patterns such as ``NTC*``."""

import re
from collections.abc import Callable
from functools import lru_cache

# Labels that mean the same stand together; the first group that a file has names its control.
_SURE = (
    ("control", "ctrl", "ctl", "control-cells", "control-guide", "control-sgrna"),
    ("non-targeting", "nontargeting", "non-targeting-control", "nontargeting-control", "non-target", "nontarget",
     "non-targeted", "non-targeting-guide", "non-targeting-sgrna", "no-target", "nt", "nt-control", "nt-ctrl", "ntc",
     "no-site", "sgntc", "sgnt", "sgnon-targeting", "sgnontargeting", "sgcontrol", "sgctrl"),
    ("dmso", "dmso-tf", "dimethyl-sulfoxide", "dimethyl-sulphoxide", "dimethylsulfoxide", "dmso-control",
     "control-dmso", "c[s+](c)[o-]", "cs(c)=o", "cs(=o)c"),
    ("vehicle", "vehicle-control", "veh", "ctl-vehicle", "trt-vehicle"),
    ("untreated", "untreated-control", "no-treatment", "not-treated", "ctl-untrt", "untrt"),
    ("unstimulated", "unstim", "nostim", "no-stim", "no-stimulation"),
    ("unperturbed", "no-perturbation", "non-perturbed"),
    ("mock", "mock-control", "mock-infected"), ("pbs", "pbs-control"),
    ("scramble", "scrambled", "scrambled-control", "scramble-control", "shscramble", "sgscramble"),
    ("safe-targeting", "safetargeting", "safe-targeting-control", "one-non-gene-site",
     "one-intergenic-site"),
    ("negative-control", "neg-control", "neg-ctrl", "negctrl", "negcontrol", "negativecontrol", "negative-ctrl"),
)  # fmt: skip
_UNSURE = (
    ("aavs1", "sgaavs1"), ("safe-harbor", "safe-harbour", "safeharbor", "safeharbour", "rosa26", "sgrosa26"),
    ("intergenic", "intergenic-control", "intergenic-site"),
    ("wt", "wildtype", "wild-type", "parental"), ("ev", "empty-vector", "ctl-vector"),
    ("gfp", "egfp", "gfp-control"), ("rfp", "mcherry", "bfp", "tagbfp"), ("lacz", "sglacz"),
    ("luciferase", "luc", "sgluc", "fluc"),
)  # fmt: skip
SURE_GROUP = {label: number for number, labels in enumerate(_SURE) for label in labels}
"""The group of each label that means control whatever else a file has, the commonest first."""
UNSURE_GROUP = {label: len(_SURE) + number for number, labels in enumerate(_UNSURE) for label in labels}
"""The group of each label that is a control in some screens and a perturbation in others."""

_LIST_AS_TEXT = re.compile(r"^\[\(['\"](?P<name>[^'\"]+)['\"]")
_NUMBER = re.compile(r"^(?P<name>.+?)(?P<mark>[-.:]+(?:guide-?|sgrna-?|sg|g)?|guide-?|sgrna-?|sg|g|)\d+$")
_LONG_ENOUGH = 3


def key_of(label: str) -> str:
    """A label without case, blanks and underscores; of a list written as text, its first name."""
    match = _LIST_AS_TEXT.match(label)
    return re.sub(r"[\s_-]+", "-", (match["name"] if match else label).strip().lower())


@lru_cache(maxsize=100_000)
def control_key(label: str) -> str:
    """The key of a label; of a numbered guide of a usual control, such as ``NegCtrl0``, the key of the control.

    A number without a mark before it is only taken off a long, sure label: ``WT1`` and ``NT3`` are genes.
    """
    key = key_of(label)
    match = None if key in SURE_GROUP or key in UNSURE_GROUP else _NUMBER.match(key)
    if match is None:
        return key
    name, marked = match["name"], match["mark"] != ""
    sure = name in SURE_GROUP and (marked or len(name) >= _LONG_ENOUGH)
    return name if sure or (marked and name in UNSURE_GROUP) else key


def is_numbered(label: str) -> bool:
    """Whether it is one of several guides of a usual control."""
    return control_key(label) != key_of(label)


def is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


@lru_cache(maxsize=1_000)
def matcher(controls: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a label is one of these: written so, in another spelling, a numbered guide of it, or by a pattern."""
    keys = frozenset(control_key(label) for label in controls if not is_pattern(label))
    patterns = [_regex(label) for label in controls if is_pattern(label)]

    def matches(label: str) -> bool:
        return label in controls or control_key(label) in keys or any(one.fullmatch(label) for one in patterns)

    return lru_cache(maxsize=100_000)(matches)


def _regex(pattern: str) -> re.Pattern[str]:
    """Only ``*`` and ``?`` mean anything: brackets belong to names, as in SMILES."""
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
