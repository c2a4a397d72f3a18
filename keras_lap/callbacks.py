"""Training callbacks, under their public name."""

from keras_lap.explanation.explanation_monitor import ExplanationMonitor
from keras_lap.injection.gate_anneal import GateAnneal
from keras_lap.injection.knowledge_injection import KnowledgeInjection

__all__ = ["ExplanationMonitor", "GateAnneal", "KnowledgeInjection"]
