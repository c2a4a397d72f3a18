"""Files and folders that are there as a whole, or not at all."""

import pytest

from keras_lap.cli.new_file import new_file, new_folder

pytestmark = pytest.mark.torch_suffices


def test_what_a_link_leads_to_is_written(tmp_path):
    target, link = tmp_path / "elsewhere" / "model-1", tmp_path / "model.keras"
    target.parent.mkdir()
    link.symlink_to(target)
    for text in ("old", "new"):
        with pytest.raises(FileExistsError), new_file(link):
            pass
        with new_file(link, force=True) as new:
            assert new.name == link.name
            new.write_text(text)
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_folder_that_a_link_leads_to_is_filled(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "maps")
    with new_folder(tmp_path / "link") as folder:
        (folder / "0.png").touch()
    assert (tmp_path / "elsewhere" / "maps" / "0.png").exists()


@pytest.mark.parametrize("new", [new_file, new_folder])
def test_folders_made_are_removed_after_a_failure(new, tmp_path):
    (tmp_path / "old").mkdir()
    with pytest.raises(KeyError), new(tmp_path / "old" / "a" / "b" / "it"):
        raise KeyError
    assert list(tmp_path.rglob("*")) == [tmp_path / "old"]
    with pytest.raises(KeyError), new(tmp_path / "a" / "b" / "it"):
        (tmp_path / "a" / "kept").touch()
        raise KeyError
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["kept"]
