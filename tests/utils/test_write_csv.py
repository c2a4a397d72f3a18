from keras_lap.utils.write_csv import write_csv


def test_cells_stand_below_their_names(tmp_path):
    rows = [{"a": 1, "b": 2}, {"b": 4, "a": 3}]
    for header, given in ((rows[0], rows), (["a", "b"], [(1, 2), (3, 4)])):
        write_csv(tmp_path / "table.csv", header, given)
        assert (tmp_path / "table.csv").read_text() == "a,b\n1,2\n3,4\n"
