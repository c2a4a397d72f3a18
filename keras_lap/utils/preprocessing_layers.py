"""What Keras' preprocessing layers do to images, as far as several packages ask."""

from keras import layers

_CHANGES_COLOURS = (
    layers.AutoContrast,
    layers.ContrastLimitedAdaptiveHistogramEqualization,
    layers.Equalization,
    layers.Solarization,
)
_CHANGES_COLOURS_IN_TRAINING = (
    layers.RandomBrightness,
    layers.RandomColorDegeneration,
    layers.RandomColorJitter,
    layers.RandomContrast,
    layers.RandomErasing,
    layers.RandomGaussianBlur,
    layers.RandomGrayscale,
    layers.RandomHue,
    layers.RandomInvert,
    layers.RandomPosterization,
    layers.RandomSaturation,
    layers.RandomSharpness,
)
_MOVES_IN_TRAINING = (
    layers.RandAugment,
    layers.RandomFlip,
    layers.RandomPerspective,
    layers.RandomRotation,
    layers.RandomShear,
    layers.RandomTranslation,
    layers.RandomZoom,
)
# Layers behind which a mask does not fit its image, even if it went through them too,
# and what they do. All of them do it in training alone.
MASK_BREAKING = {
    layers.AugMix: "blends an image with moved copies of it",
    layers.CutMix: "puts parts of one image into another",
    layers.MixUp: "blends two images",
    layers.RandomElasticTransform: "distorts masks otherwise than the image",
}
# Layers that leave every pixel at its place.
IN_PLACE = (
    *_CHANGES_COLOURS,
    *_CHANGES_COLOURS_IN_TRAINING,
    layers.MaxNumBoundingBoxes,
)
# Layers that do nothing at inference. `RandomCrop` is none of them: it says that it
# changes the size at inference too.
AUGMENTATIONS = (*_CHANGES_COLOURS_IN_TRAINING, *_MOVES_IN_TRAINING, *MASK_BREAKING)
