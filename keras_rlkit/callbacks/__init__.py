"""What happens around a training step: collect, evaluate, record."""

from keras_rlkit.callbacks.collect_episodes import CollectEpisodes
from keras_rlkit.callbacks.collect_rollout import CollectRollout
from keras_rlkit.callbacks.collect_steps import CollectSteps
from keras_rlkit.callbacks.collector import Collector
from keras_rlkit.callbacks.evaluate_policy import EvaluatePolicy
from keras_rlkit.callbacks.record_episode import RecordEpisode
from keras_rlkit.callbacks.resume_training import ResumeTraining

__all__ = [
    "CollectEpisodes",
    "CollectRollout",
    "CollectSteps",
    "Collector",
    "EvaluatePolicy",
    "RecordEpisode",
    "ResumeTraining",
]
