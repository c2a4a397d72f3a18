"""All kinds of knowledge, by name."""

from keras_lap.injection.knowledge.area import AREA
from keras_lap.injection.knowledge.box_concepts import BOX_CONCEPTS
from keras_lap.injection.knowledge.boxes import BOXES
from keras_lap.injection.knowledge.concepts import CONCEPTS
from keras_lap.injection.knowledge.mask import MASK

KINDS = {kind.name: kind for kind in (MASK, BOXES, BOX_CONCEPTS, CONCEPTS, AREA)}
