import sys

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import imread

from keras_lap.explanation.draw_maps import draw_maps

pytestmark = pytest.mark.torch_suffices

RNG = np.random.default_rng(0)
# What 8 bits can hold, as it is drawn.
IMAGES = RNG.integers(0, 256, (2, 6, 8, 3)) / 255
MAPS = RNG.random((2, 6, 8))


def overlay(figure, cell):
    """The values of the heat map in one of the figure's axes."""
    return figure.axes[cell].images[1].get_array()


def test_grid_of_one_row_per_image_and_one_column_per_set():
    figure = draw_maps(IMAGES, {"LAP": MAPS, "Grad-CAM": MAPS})
    assert isinstance(figure, Figure)
    grid, (bar,) = figure.axes[:-1], figure.axes[-1:]
    assert len(grid) == 2 * 3
    assert [ax.get_title() for ax in grid[:3]] == ["input", "LAP", "Grad-CAM"]
    assert [len(ax.images) for ax in grid] == [1, 2, 2, 1, 2, 2]
    assert [label.get_text() for label in bar.get_xticklabels()] == ["0", "max"]
    np.testing.assert_array_equal(grid[3].images[0].get_array(), IMAGES[1])


def test_each_map_is_scaled_by_its_own_maximum():
    maps = np.stack([MAPS[0] * 40 - 10, MAPS[1] * 1e-9])
    figure = draw_maps(IMAGES, {"LAP": maps})
    for row, cell in enumerate((1, 3)):
        positive = np.maximum(maps[row], 0)
        expected = positive / positive.max()
        np.testing.assert_allclose(overlay(figure, cell), expected, rtol=1e-14)
        assert figure.axes[cell].images[1].get_clim() == (0, 1)


def test_the_maximum_stands_in_the_corner_unless_the_scale_tells_it():
    maps = {"map": np.array([[[0.0, 0.012]], [[0.0, 3.0]], [[-1.0, -2.0]]])}
    for scale, told in (("own", ["max 0.012", "max 3", "max 0"]), ("unit", [])):
        drawn = {"map": maps["map"].clip(0, 1)} if scale == "unit" else maps
        axes = draw_maps(np.ones((3, 1, 2)), drawn, scale=scale).axes[:6]
        assert [text.get_text() for ax in axes for text in ax.texts] == told


def test_maps_of_a_common_scale_are_drawn_as_they_are():
    maps = np.stack([MAPS[0] * 0.1, MAPS[1]])
    figure = draw_maps(IMAGES, {"LAP": maps}, scale="unit")
    for row, cell in enumerate((1, 3)):
        np.testing.assert_array_equal(overlay(figure, cell), maps[row])
        assert figure.axes[cell].images[1].get_clim() == (0, 1)
    ticks = figure.axes[-1].get_xticklabels()
    assert [label.get_text() for label in ticks] == ["0", "1"]


@pytest.mark.parametrize("value", [0.0, -3.0])
@pytest.mark.filterwarnings("error")
def test_map_without_positive_value_is_drawn_as_zero(value):
    figure = draw_maps(IMAGES, {"LAP": np.full((2, 6, 8), value)})
    np.testing.assert_array_equal(overlay(figure, 1), np.zeros((6, 8)))


def test_opacity_and_colormap():
    figure = draw_maps(IMAGES, {"LAP": MAPS}, opacity=0.3, colormap="viridis")
    heat = figure.axes[1].images[1]
    assert heat.get_alpha() == 0.3
    assert heat.get_cmap().name == "viridis"


@pytest.mark.parametrize("shape", [(2, 6, 8), (2, 6, 8, 1)])
def test_grey_images(shape):
    grey = RNG.integers(0, 256, shape) / 255
    figure = draw_maps(grey, {"LAP": MAPS})
    expected = np.repeat(grey.reshape(2, 6, 8, 1), 3, axis=-1)
    for cell in (0, 1):
        drawn = figure.axes[cell].images[0].get_array()
        np.testing.assert_allclose(drawn, expected[0], rtol=1e-14)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_images_of_any_range(dtype):
    images = RNG.integers(0, 256, (2, 6, 8, 3)).astype(dtype)
    drawn = draw_maps(images, {"LAP": MAPS}).axes[0].images[0].get_array()
    np.testing.assert_allclose(drawn, np.float64(images[0]) / 255, rtol=1e-14)


def test_single_concept_axis_and_float16():
    expected = overlay(draw_maps(IMAGES, {"LAP": MAPS.astype("float16")}), 1)
    drawn = overlay(draw_maps(IMAGES, {"LAP": MAPS.astype("float16")[..., None]}), 1)
    np.testing.assert_array_equal(drawn, expected)


def outline(figure, cell):
    lines = [c for c in figure.axes[cell].collections if isinstance(c, LineCollection)]
    segments = [tuple(map(tuple, segment)) for segment in lines[-1].get_segments()]
    assert len(segments) == len(set(segments))
    return set(segments)


def test_mask_is_outlined_along_its_pixels():
    masks = np.zeros((2, 6, 8))
    masks[0, 2, 3:5] = 1
    figure = draw_maps(IMAGES, {"LAP": MAPS}, masks=masks)
    expected = {
        ((2.5, 1.5), (3.5, 1.5)),
        ((3.5, 1.5), (4.5, 1.5)),
        ((2.5, 2.5), (3.5, 2.5)),
        ((3.5, 2.5), (4.5, 2.5)),
        ((2.5, 1.5), (2.5, 2.5)),
        ((4.5, 1.5), (4.5, 2.5)),
    }
    assert outline(figure, 0) == outline(figure, 1) == expected
    assert outline(figure, 2) == outline(figure, 3) == set()


@pytest.mark.parametrize("size, margin", [(16, 0), (64, 1), (224, 2)])
def test_outlines_of_small_pixels_cover_none_of_the_mask(size, margin):
    images, masks = np.zeros((1, size, size)), np.zeros((1, size, size))
    masks[0, 6, 9] = 1
    figure = draw_maps(images, {"LAP": images}, masks=masks)
    x, y = np.array([*outline(figure, 1)]).reshape(-1, 2).T
    reach = margin + 0.5
    assert (x.min(), x.max()) == (9 - reach, 9 + reach)
    assert (y.min(), y.max()) == (6 - reach, 6 + reach)


def test_mask_of_the_whole_image_is_outlined():
    figure = draw_maps(IMAGES, {"LAP": MAPS}, masks=np.ones((2, 6, 8), dtype=bool))
    assert len(outline(figure, 0)) == 2 * (6 + 8)


def test_captions():
    captions = ["label 3\npredicted 7", "label 1\npredicted 1"]
    figure = draw_maps(IMAGES, {"LAP": MAPS}, captions=captions)
    assert [figure.axes[cell].get_ylabel() for cell in (0, 2)] == captions


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 16, 48), (2, 48, 16)])
def test_saved_picture_shows_the_cells_at_their_size_without_overlap(tmp_path, shape):
    maps = RNG.random(shape)
    path = tmp_path / "maps.png"
    figure = draw_maps(
        maps, {"LAP": maps, "Grad-CAM": maps}, captions=["0"] * shape[0], path=path
    )
    assert imread(path).shape[:2] == pytest.approx(
        figure.get_size_inches()[::-1] * 150, abs=1
    )
    boxes = [ax.get_window_extent() for ax in figure.axes]
    widths = [box.width for box in boxes[:-1]]
    assert min(widths) == pytest.approx(max(widths), rel=1e-6)
    assert min(widths) > 0.8 * 1.8 * figure.dpi
    tops = {round(box.y0, 3) for box in boxes[:-1]}
    assert len(tops) == shape[0]
    assert boxes[-1].y1 < min(box.y0 for box in boxes[:-1])


def test_saved_picture_has_the_colours_of_the_map(tmp_path):
    maps = np.zeros((1, 8, 8))
    maps[0, :, :4] = 1
    path = tmp_path / "maps.png"
    figure = draw_maps(np.zeros((1, 8, 8)), {"LAP": maps}, opacity=1, path=path)
    picture = imread(path)[..., :3]
    box = figure.axes[1].get_window_extent()
    scale = 150 / figure.dpi
    row = round(len(picture) - (box.y0 + box.height / 2) * scale)
    columns = [round((box.x0 + box.width * part) * scale) for part in (0.25, 0.75)]
    heat = figure.axes[1].images[1]
    expected = heat.get_cmap()([1.0, 0.0])[:, :3]
    np.testing.assert_allclose(picture[row, columns], expected, atol=1 / 255)


def test_figure_is_not_registered_with_pyplot():
    before = pyplot.get_fignums()
    draw_maps(IMAGES, {"LAP": MAPS})
    assert pyplot.get_fignums() == before


def test_missing_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install \"keras-lap\[plot\]\""):
        draw_maps(IMAGES, {"LAP": MAPS})


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"images": IMAGES[0, 0]}, r"images of shape \(N, H, W\)"),
        ({"images": np.ones((0, 6, 8))}, r"at least one.* shape \(0, 6, 8\)"),
        ({"images": IMAGES * np.nan}, "finite images"),
        ({"columns": {}}, "at least one set"),
        ({"columns": {"LAP": MAPS[:, :3]}}, r"columns\['LAP'\] of shape \(2, 3, 8\)"),
        ({"columns": {"LAP": np.ones((2, 6, 8, 3))}}, r"one concept at a time"),
        ({"columns": {"LAP": MAPS * np.nan}}, r"NaN or infinite"),
        ({"columns": {"LAP": MAPS * 2}, "scale": "unit"}, r"maps in \[0, 1\]"),
        ({"columns": {"LAP": -MAPS}, "scale": "unit"}, r"maps in \[0, 1\]"),
        ({"scale": "max"}, "Received: scale='max'"),
        ({"captions": ["a"]}, "Received: 1 captions"),
        ({"masks": np.ones((2, 6, 7))}, r"masks of shape \(2, 6, 8\)"),
        ({"masks": np.full((2, 6, 8), 0.5)}, "zeros and ones only"),
        ({"opacity": 1.5}, "opacity from 0 to 1"),
        ({"cell_width": 0}, "above 0 inches"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        draw_maps(**{"images": IMAGES, "columns": {"LAP": MAPS}} | arguments)


def test_float_rounding_is_forgiven():
    images = np.full((2, 6, 8), 1 + 1e-6)
    drawn = draw_maps(images, {"LAP": MAPS}).axes[0].images[0].get_array()
    assert drawn.max() == 1


def test_maps_without_a_name(rng):
    images = rng.random((2, 8, 8, 3))
    with pytest.raises(ValueError, match=r"dict from names to maps.*Received: a nd"):
        draw_maps(images, images[..., 0])
