"""Knowledge losses, under their public name."""

from keras_lap.injection.losses.absence import Absence
from keras_lap.injection.losses.area_prior import AreaPrior
from keras_lap.injection.losses.box_supervision import BoxSupervision
from keras_lap.injection.losses.concept_labels import ConceptLabels
from keras_lap.injection.losses.consistency import Consistency
from keras_lap.injection.losses.cross_layer_loss import CrossLayerLoss
from keras_lap.injection.losses.exclusivity import Exclusivity
from keras_lap.injection.losses.function_loss import FunctionLoss
from keras_lap.injection.losses.input_gradient_loss import InputGradientLoss
from keras_lap.injection.losses.knowledge_loss import KnowledgeLoss
from keras_lap.injection.losses.mask_supervision import MaskSupervision
from keras_lap.injection.losses.necessity import Necessity
from keras_lap.injection.losses.perturbation_loss import PerturbationLoss
from keras_lap.injection.losses.presence import Presence
from keras_lap.injection.losses.right_reasons import RightReasons
from keras_lap.injection.losses.sufficiency import Sufficiency
from keras_lap.injection.losses.supervised_layer import SupervisedLayer

__all__ = [
    "Absence",
    "AreaPrior",
    "BoxSupervision",
    "ConceptLabels",
    "Consistency",
    "CrossLayerLoss",
    "Exclusivity",
    "FunctionLoss",
    "InputGradientLoss",
    "KnowledgeLoss",
    "MaskSupervision",
    "Necessity",
    "PerturbationLoss",
    "Presence",
    "RightReasons",
    "Sufficiency",
    "SupervisedLayer",
]
