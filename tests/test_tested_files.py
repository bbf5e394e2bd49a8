"""Every file of the package has a test file of its name, or a reason."""

import pathlib

import pytest

import keras_rlkit

PACKAGE = pathlib.Path(keras_rlkit.__file__).parent
TESTS = pathlib.Path(__file__).parent
# Files without a test file of their own, by the one that tests their lines:
# families that share one contract, and parts that only their whole can show.
TESTED_ELSEWHERE = {
    "callbacks/test_structured.py": ("callbacks/policy_shapes.py",),
    "callbacks/test_collect_rollout.py": (
        "callbacks/model_outputs.py",
        "callbacks/on_policy_collector.py",
    ),
    "callbacks/test_collect_steps_priorities.py": (
        "models/td_error_record.py",
    ),
    "callbacks/test_recurrent.py": (
        "callbacks/acting_model.py",
        "policies/carried_state.py",
    ),
    "callbacks/test_log_time.py": ("callbacks/time_split.py",),
    "callbacks/test_resume_training.py": ("callbacks/model_state.py",),
    "environments/adapters/test_vector_adapter.py": (
        "environments/adapters/action_batches.py",
        "environments/adapters/as_vector.py",
        "environments/adapters/observation_arrays.py",
        "environments/adapters/space_checks.py",
        "environments/adapters/step.py",
        "environments/adapters/single_environment_adapter.py",
        "environments/adapters/vector_environment_adapter.py",
    ),
    "environments/atari/test_atari_environment.py": (
        "environments/atari/atari_argument_checks.py",
        "environments/atari/make_atari.py",
    ),
    "environments/copies/test_attribute_copies.py": (
        "environments/copies/attribute_restorer.py",
        "environments/copies/part_kinds.py",
        "environments/copies/parts_inside.py",
    ),
    "environments/test_check.py": (
        "environments/traps/atari_traps.py",
        "environments/traps/episode_traps.py",
        "environments/traps/finding.py",
        "environments/traps/image_traps.py",
        "environments/traps/observation_traps.py",
        "environments/traps/observation_watch.py",
        "environments/traps/random_play.py",
        "environments/traps/time_limit_traps.py",
        "environments/traps/random_actions.py",
        "environments/traps/time_limits.py",
        "environments/traps/wrapper_layers.py",
    ),
    "environments/film/test_filmed_copy.py": (
        "environments/film/colour_atari.py",
        "environments/copies/rebuilt_wrappers.py",
        "environments/copies/wrapper_state.py",
        "environments/copies/wrappers_around.py",
        "environments/film/film_step.py",
    ),
    "layers/distribution_heads/test_every_head.py": (
        "layers/distribution_heads/bernoulli_head.py",
        "layers/distribution_heads/categorical_head.py",
        "layers/distribution_heads/distribution_head.py",
        "layers/distribution_heads/log_normal_head.py",
        "layers/distribution_heads/mixture_normal_head.py",
        "layers/distribution_heads/multivariate_normal_head.py",
        "layers/distribution_heads/negative_binomial_head.py",
        "layers/distribution_heads/normal_head.py",
        "layers/distribution_heads/poisson_head.py",
        "layers/distribution_heads/student_t_head.py",
    ),
    "layers/test_value_heads.py": (
        "layers/value_heads/action_value_head.py",
        "layers/value_heads/categorical_value_head.py",
        "layers/value_heads/quantile_value_head.py",
    ),
    "layers/test_distribution_lambda.py": (
        "layers/distribution_heads/distribution_layer.py",
    ),
    "losses/test_policy_gradient_loss.py": ("losses/policy_loss.py",),
    "metrics/test_distribution_metrics.py": (
        "metrics/continuous_ranked_probability_score.py",
        "metrics/distribution_metric.py",
        "metrics/interval_coverage.py",
        "metrics/quantile_calibration_error.py",
    ),
    "models/test_actor_critic.py": (
        "models/action_evaluation.py",
        "models/actor_critic_networks.py",
        "models/actor_critic_objective.py",
        "models/kl_stop.py",
    ),
    "models/test_double_dqn.py": (
        "models/batch_checks.py",
        "models/q_learning_agent.py",
        "models/q_learning_checks.py",
        "models/q_network_agent.py",
        "models/target_network_agent.py",
    ),
    "models/test_recurrent_networks.py": (
        "models/recurrent_calls.py",
        "utils/recurrent_input.py",
    ),
    "models/test_distributional.py": (
        "models/categorical_dqn.py",
        "models/distributional_agent.py",
        "models/last_output.py",
        "models/own_loss.py",
        "models/quantile_dqn.py",
    ),
    "models/test_replicas.py": ("ops/replicas.py",),
    "networks/test_networks.py": (
        "networks/building_blocks.py",
        "networks/impala.py",
        "networks/mlp.py",
        "networks/nature.py",
        "networks/small.py",
    ),
    "ops/test_marginal_distributions.py": ("ops/mixture_components.py",),
    "ops/test_prediction_scores.py": ("ops/exact_crps.py",),
    "ops/test_q_learning.py": ("ops/arithmetic.py", "ops/shape_checks.py"),
    "ops/test_target_support.py": ("ops/target_forms.py",),
    "plots/test_learning_curve.py": ("plots/axes.py",),
    "policies/test_epsilon_greedy.py": ("policies/random_actions.py",),
    "policies/test_forward.py": (
        "policies/jax_forward.py",
        "policies/tf_forward.py",
    ),
    "policies/test_greedy.py": ("policies/action_scores.py",),
    "policies/test_masks.py": ("policies/acting.py",),
    "replay/storage/test_observation_layout.py": (
        "replay/storage/frame_groups.py",
    ),
    "replay/feeding/test_tf_dataset.py": ("replay/feeding/tf_layout.py",),
    "replay/sampling/test_prioritized.py": (
        "replay/sampling/beta_schedule.py",
    ),
    "replay/storage/test_storage_settings.py": (
        "replay/storage/frame_medium.py",
        "replay/storage/frames_in_memory.py",
    ),
    "replay/storage/test_transition_ring.py": (
        "replay/storage/frame_counts.py",
    ),
    "replay/test_episode_buffer.py": (
        "replay/epoch_memory.py",
        "replay/storage/epoch_forms.py",
        "replay/storage/epoch_steps.py",
    ),
    "replay/test_replay_buffer.py": (
        "replay/buffer.py",
        "replay/storage/draw.py",
        "replay/transition_memory.py",
    ),
    "replay/test_update_priorities.py": (
        "replay/sampling/priority_checks.py",
        "replay/sampling/sampler.py",
    ),
    "testing/test_small_environments.py": (
        "testing/chain_environment.py",
        "testing/counter_environment.py",
        "testing/gymnasium_base.py",
        "testing/target_environment.py",
    ),
    "testing/test_storages_and_buffers.py": (
        "testing/check_buffer.py",
        "testing/check_sampler.py",
        "testing/check_storage.py",
    ),
    "testing/test_contract.py": (
        "testing/check_callback.py",
        "testing/check_head.py",
        "testing/check_layer.py",
        "testing/check_loss.py",
        "testing/check_metric.py",
        "testing/check_model.py",
        "testing/check_policy.py",
        "testing/prediction_model.py",
    ),
    "testing/test_clauses.py": (
        "testing/comparisons.py",
        "testing/layer_clauses.py",
    ),
}


def file_of_tests(path):
    return (TESTS / path).with_name(f"test_{pathlib.Path(path).name}")


def faults(files, elsewhere):
    """Return what is wrong with a list of reasons for some files."""
    found = []
    elsewhere = {
        path: where for where, paths in elsewhere.items() for path in paths
    }
    for path in files:
        own = file_of_tests(path)
        if own.exists() and path in elsewhere:
            found.append(f"{path} has a test file: take it off the list")
        if not own.exists() and path not in elsewhere:
            found.append(
                f"{path} needs {own.relative_to(TESTS)}, or an entry that says "
                "where it is tested"
            )
    for path, where in elsewhere.items():
        if path not in files:
            found.append(f"{path} is on the list and not in the package")
        if not (TESTS / where).exists():
            found.append(f"{where} is to test {path} and does not exist")
    return found


def test_every_file_has_its_tests():
    files = [
        file.relative_to(PACKAGE).as_posix()
        for file in sorted(PACKAGE.rglob("*.py"))
        if file.name != "__init__.py"
    ]
    assert len(files) > 100
    assert faults(files, TESTED_ELSEWHERE) == []


@pytest.mark.parametrize(
    "files, elsewhere, message",
    [
        (["ops/new.py"], {}, "needs ops/test_new.py"),
        (
            ["ops/returns.py"],
            {"conftest.py": ["ops/returns.py"]},
            "take it off",
        ),
        ([], {"conftest.py": ["ops/old.py"]}, "not in the package"),
        (["ops/a.py"], {"ops/test_a.py": ["ops/a.py"]}, "does not exist"),
    ],
)
def test_the_guard_sees_a_fault(files, elsewhere, message):
    assert any(message in fault for fault in faults(files, elsewhere))
