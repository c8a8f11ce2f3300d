import gzip
import re
import shutil
from pathlib import Path

import anndata
import pytest
from streamlit.testing.v1 import AppTest

import pages
from primeflow_core.data.formats import local_file
from primeflow_core.data.formats.converted_files import converted_folder
from primeflow_core.data.simulated_screen import EXAMPLE_FILE, example_h5ad
from primeflow_core.user_data.uploads import upload_folder
from primeflow_core.user_data.user_cells import Own, Purpose, aligned
from tests import app as tested
from tests.app import WAIT, text_of
from tests.app_models import NAME
from tests.data.formats.written import zarr_zip
from tests.full_disk import files_of_at_most
from tests.own_files import LABELS, brought, counts, table

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _empty_shelf() -> None:
    pages.own_shelf.clear()


@pytest.fixture(scope="module")
def example() -> bytes:
    return example_h5ad()


def opened(**address: str) -> AppTest:
    app = tested.opened("pages/cells.py", **address)
    assert not app.exception
    return app


def upload(app: AppTest, content: bytes, name: str = "cells.h5ad") -> AppTest:
    app.file_uploader[0].set_value((name, content, "application/octet-stream")).run()
    assert not app.exception
    return app


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def choose(app: AppTest, label: str, option: str) -> AppTest:
    box = next(box for box in app.selectbox if box.label == label)
    box.select(next(shown for shown in box.options if shown.startswith(option))).run()
    assert not app.exception
    return app


def token_of(app: AppTest) -> str:
    token = app.query_params["own"]
    return token if isinstance(token, str) else token[0]


def in_use(app: AppTest) -> Own:
    own = pages.own_shelf().get(token_of(app))
    assert own is not None
    return own


def test_the_page_says_what_to_bring(models):
    app = opened()
    assert app.header[0].value == "Your cells"
    assert [box.label for box in app.selectbox] == ["Model to use with your cells"]
    assert "deleted when you say so" in text_of(app)
    assert not app.error


def test_the_example_is_ready_at_once_and_can_be_used(models, example):
    app = upload(opened(), example, EXAMPLE_FILE)
    said = text_of(app)
    assert "SIMULATED data" in said
    assert "500 of 500 model genes are in your file." in said
    assert "Used: sim-A as sim-A; sim-B as sim-B; sim-C as sim-C." in said
    assert "Fix]" not in said
    assert "own" not in app.query_params
    press(app, "Use these cells")
    assert "is in use as the cells you start from." in text_of(app)
    own = in_use(app)
    assert (own.purpose, own.model, own.simulated) == (Purpose.CONTEXT, NAME, True)
    cells = aligned(own, pages.library().models[NAME].manifest)
    assert len(cells.conditions) == 3


def test_as_truth_and_loaded_again_by_its_address(models, example):
    app = upload(opened(), example)
    app.radio(key="own_purpose").set_value(Purpose.TRUTH).run()
    assert "conditions with" in text_of(app)
    press(app, "Use these cells")
    token = token_of(app)
    again = opened(own=token)
    assert "cells.h5ad is in use as simulated cells." in text_of(again)
    press(again, "Stop using them")
    assert "own" not in again.query_params
    assert pages.own_shelf().get(token) is None
    assert "500 of 500" in text_of(again)


def test_the_conditions_are_listed_with_what_the_model_knows(models, example):
    table = upload(opened(), example).dataframe[0].value
    assert set(table["model"]) == {
        "control", "known: seen in training", "known: held out from training",
    }  # fmt: skip
    assert table["cells"].sum() == 1_500


def test_a_file_that_is_forgotten_is_deleted(models, example):
    app = press(upload(opened(), example), "Use these cells")
    app.radio(key="own_purpose").set_value(Purpose.TRUTH).run()
    press(app, "Use these cells")
    own = in_use(app)
    assert own.file.is_file()
    press(app, "Forget my file")
    assert not own.file.exists()
    assert "own" not in app.query_params
    assert "500 of 500" not in text_of(app)


def test_a_file_that_somebody_else_uses_stays_for_them(models, example):
    other = in_use(press(upload(opened(), example), "Use these cells"))
    app = press(upload(opened(), example), "Use these cells")
    press(app, "Forget my file")
    assert other.file.is_file()
    assert "own" not in app.query_params


def test_an_old_link_says_so(models):
    app = opened(own="nothing")
    assert "no longer kept here" in app.error[0].value
    assert "own" not in app.query_params


@pytest.mark.parametrize(
    ("content", "name", "text"),
    [
        (
            gzip.compress(b"x", mtime=0),
            "cells.h5ad",
            r"^cells\.h5ad, unpacked: cells is in no format that is read here\.",
        ),
        (b"a,b\n1,2\n", "my *cells*.csv", r"^my \*cells\*.csv is not a .*In Python: adata.write_h5ad\('my \*cells\*"),
    ],
)
def test_what_is_no_anndata_is_refused_in_plain_words(models, content, name, text):
    app = upload(opened(), content, name)
    said = app.error[0].value
    assert "\\*" in said or "*" not in name
    assert re.search(text, said.replace("\\", "").replace("\N{ZERO WIDTH SPACE}", ""))
    assert not [file for file in upload_folder().glob("*") if file.stat().st_size < 100]


def test_an_upload_that_fills_the_disk_is_told_and_nothing_is_left(models, example):
    before = sorted(upload_folder().glob("*"))
    app = opened()
    with files_of_at_most(len(example) // 2):
        upload(app, example + b" ", "cells.h5ad")
    said = app.error[0].value.replace("\\", "")
    assert "cells.h5ad cannot be kept in" in said
    assert "the file is larger than is allowed there" in said
    assert sorted(upload_folder().glob("*")) == before
    assert "Nothing is used yet" not in text_of(app)


@pytest.mark.parametrize("listed", [True, False])
def test_a_conversion_that_fills_the_disk_is_told_and_nothing_is_left(models, tmp_path, monkeypatch, listed):
    path = zarr_zip(tmp_path)
    monkeypatch.setenv("PRIMEFLOW_DATA", str(tmp_path))
    monkeypatch.setattr(local_file, "LEAST_ROOM", 10**18)
    before = sorted(upload_folder().glob("*"))
    app = opened()
    if listed:
        choose(app, "or a file of the data folder", path.name)
    else:
        upload(app, path.read_bytes(), path.name)
    assert "the disk is full" in app.error[0].value
    assert sorted(upload_folder().glob("*")) == before


def test_a_file_whose_conversion_went_meanwhile_says_what_it_needs(models, tmp_path, monkeypatch):
    path = zarr_zip(tmp_path)
    app = upload(opened(), path.read_bytes(), path.name)
    assert "the disk is full" not in text_of(app)
    shutil.rmtree(converted_folder())
    pages.kept.clear()
    monkeypatch.setattr(local_file, "LEAST_ROOM", 10**18)
    app.run()
    assert not app.exception
    assert "the disk is full" in text_of(app)


def test_faults_are_mended_one_by_one(models, example, tmp_path):
    """Counts, symbols in another column, perturbations in an odd one, controls and context by other names."""
    path = tmp_path / EXAMPLE_FILE
    path.write_bytes(example)
    adata = anndata.read_h5ad(path)
    adata = adata[adata.obs["cell_type"] == "sim-A"].copy()
    adata.X = adata.X.toarray() * 30.25
    adata.var["symbol"] = adata.var_names
    adata.var_names = [f"ENSG{i:011d}" for i in range(adata.n_vars)]
    labels = adata.obs["condition"].astype(str).replace("control", "<b>nobody</b>")
    adata.obs = adata.obs[[]].assign(guide=labels)
    adata.write_h5ad(path)
    app = upload(opened(), path.read_bytes())
    said = text_of(app)
    assert "0 of 500 model genes are in your file (your names look like Ensembl ids). Choose the column" in said
    assert "not on the log scale. Normalise now?" in said
    assert "Nothing is used yet" in said
    assert "Fix]" in said
    choose(app, "Column with symbols", "symbol · 500 of 500")
    press(app, "Normalise now")
    choose(app, "Column with the perturbation", "guide")
    assert "Which cells are unperturbed?" in text_of(app)
    choose(app, "Label of the control cells", "<b>nobody</b>")
    choose(app, "Your cells are", "sim-A")
    assert "Used: all cells as sim-A." in text_of(app)
    press(app, "Use these cells")
    assert in_use(app).fixes.repair.gene_column == "symbol"
    press(app, "Undo my choices")
    assert "0 of 500 model genes" in text_of(app)


def test_text_of_a_file_stays_text(models, tmp_path):
    labels = [label.replace("control", "**ctl** [x](http://y)") for label in LABELS]
    path = brought(tmp_path, counts(), table(labels))
    app = upload(opened(), path.read_bytes(), "<script>.h5ad")
    written = [str(element.value) for element in (*app.markdown, *app.subheader)]
    assert not [text for text in written if "**ctl**" in text or "<script>" in text]
    assert "labels seen: **ctl** [x](http://y)" in text_of(app)


def test_a_file_of_the_data_folder_is_taken_by_its_name(models, example, tmp_path, monkeypatch):
    (tmp_path / "mine.h5ad").write_bytes(example)
    monkeypatch.setenv("PRIMEFLOW_DATA", str(tmp_path))
    app = opened()
    app.selectbox(key="own_listed").select("mine.h5ad").run()
    assert "500 of 500" in text_of(app)
    press(app, "Forget my file")
    assert (tmp_path / "mine.h5ad").is_file()
    assert "500 of 500" not in text_of(app)


def test_without_a_model_the_page_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    assert "There is no model yet" in opened().error[0].value


def test_the_page_can_be_presented_with_and_without_a_file(models, example):
    assert "There is nothing to present yet." in text_of(opened(present="1"))
    app = upload(opened(), example, "example.h5ad")
    app.query_params["present"] = "1"
    app.run()
    assert "example.h5ad: Tiny screen (simulated cells) knows" in text_of(app)
    assert "SIMULATED data" in text_of(app)
    app.button(key="end").click().run()
    assert "present" not in app.query_params
    assert "Forget my file" in [button.label for button in app.button]


def box_of(app: AppTest, label: str) -> str | None:
    """What a box of the checklist shows."""
    box = next(box for box in app.selectbox if box.label == label)
    return None if box.value is None else box.options[box.index]


def file_of(app: AppTest) -> str:
    token = app.query_params["file"]
    return token if isinstance(token, str) else token[0]


def test_a_named_data_set_needs_no_choice_and_the_page_says_why(models, mirror):
    content = (mirror / "kang18-ifnb-pbmc.h5ad").read_bytes()
    app = upload(opened(), content)
    said = text_of(app)
    assert "Read as it was read before" in said
    assert "in column 'group_id'" in said
    press(app, "Undo my choices")
    assert "Read as it was read before" not in text_of(app)


def test_a_file_that_is_only_looked_at_is_found_again_with_what_was_said_of_it(models, example, tmp_path):
    path = tmp_path / EXAMPLE_FILE
    path.write_bytes(example)
    adata = anndata.read_h5ad(path)
    adata.X = adata.X.toarray() * 30.25
    adata.write_h5ad(path)
    app = press(upload(opened(), path.read_bytes()), "Normalise now")
    again = opened(file=file_of(app))
    assert "converted to the log scale" in text_of(again)
    assert "own" not in again.query_params
    press(again, "Forget my file")
    assert "file" not in again.query_params
    gone = opened(file=file_of(app))
    assert "no longer kept here" in gone.error[0].value
    assert "file" not in gone.query_params
    assert not gone.run().error


def test_cells_that_were_stopped_elsewhere_are_still_there_and_after_a_reload(models, example):
    token = token_of(press(upload(opened(), example), "Use these cells"))

    def stopped_elsewhere() -> None:
        from pages.parts.shared.explore_sidebar import stop_using_own

        stop_using_own()

    app = AppTest.from_function(stopped_elsewhere, default_timeout=WAIT)
    app.session_state["_own"] = token
    app.run()
    here = AppTest.from_file(str(ROOT / "pages/cells.py"), default_timeout=WAIT)
    for key in ("_own", "_own_draft"):
        here.session_state[key] = app.session_state[key]
    here.run()
    assert "500 of 500" in text_of(here)
    assert "500 of 500" in text_of(opened(file=file_of(here)))


def test_another_file_takes_the_first_out_of_use_so_that_nothing_holds_it(models, example, tmp_path):
    app = press(upload(opened(), example), "Use these cells")
    first = in_use(app)
    upload(app, brought(tmp_path, counts(), table(LABELS)).read_bytes(), "other.h5ad")
    assert "own" not in app.query_params
    assert not pages.own_shelf().holds(first.sha256)
    press(upload(app, example), "Forget my file")
    assert not first.file.exists()


def test_a_file_that_somebody_else_looks_at_stays_until_they_forget_it(models, example):
    other, app = upload(opened(), example), upload(opened(), example)
    kept = pages.own_shelf().draft(file_of(other))
    assert kept is not None
    press(app, "Forget my file")
    assert kept.brought.path.is_file()
    assert "500 of 500" in text_of(other.run())
    press(other, "Forget my file")
    assert not kept.brought.path.exists()


def test_what_was_read_of_a_forgotten_file_is_let_go(models, example, monkeypatch):
    calls = []
    app = upload(opened(), example)
    monkeypatch.setattr(pages, "let_go_of_cells", lambda: calls.append(True))
    press(app, "Forget my file")
    assert calls == [True]


def test_boxes_show_what_is_in_force_also_after_it_was_undone(models, example, tmp_path):
    path = tmp_path / EXAMPLE_FILE
    path.write_bytes(example)
    adata = anndata.read_h5ad(path)
    adata.obs["guide"] = adata.obs["condition"].astype(str).replace("control", "nobody").to_numpy()
    adata.write_h5ad(path)
    app = upload(opened(), path.read_bytes())
    assert box_of(app, "Column with the perturbation") == "condition"
    columns = app.multiselect[0]
    before = list(columns.value)
    choose(app, "Column with the perturbation", "guide")
    assert box_of(app, "Column with the perturbation") == "guide"
    choose(app, "Label of the control cells", "nobody")
    assert box_of(app, "Label of the control cells") == "nobody"
    app.multiselect[0].set_value([]).run()
    assert app.multiselect[0].value == []
    press(app, "Undo my choices")
    assert box_of(app, "Column with the perturbation") == "condition"
    assert box_of(app, "Label of the control cells") == "control"
    assert list(app.multiselect[0].value) == before


def test_the_box_of_the_data_folder_lets_go_with_the_file(models, example, tmp_path, monkeypatch):
    (tmp_path / "mine.h5ad").write_bytes(example)
    monkeypatch.setenv("PRIMEFLOW_DATA", str(tmp_path))
    app = opened()
    for _ in range(2):
        app.selectbox(key="own_listed").select("mine.h5ad").run()
        assert "500 of 500" in text_of(app)
        press(app, "Forget my file")
        assert app.selectbox(key="own_listed").value is None
    app.selectbox(key="own_listed").select("mine.h5ad").run()
    upload(app, example)
    assert app.selectbox(key="own_listed").value is None


@pytest.mark.parametrize("here", [True, False])
def test_the_page_knows_whether_the_models_own_cells_are_here(models, example, monkeypatch, here):
    if not here:
        monkeypatch.setattr(pages, "cells_of", lambda model: None)
    said = text_of(upload(opened(), example))
    assert ("each experiment's own controls" in said) == here
    assert ("are not on this machine" in said) != here
