"""Atari games from pixels, channels last."""

from keras_rlkit.environments.atari.atari_environment import AtariEnvironment


def atari(
    game: str,
    num_envs: int = 1,
    image_size: tuple[int, int] = (84, 84),
    frame_stack: int = 4,
    frame_skip: int = 4,
    sticky_actions: float = 0.0,
    noop_max: int = 30,
    max_episode_frames: int = 108_000,
    full_action_space: bool = False,
    grayscale: bool = True,
    num_threads: int = 0,
    seed: int | None = None,
) -> AtariEnvironment:
    """Make a vector environment of one Atari 2600 game, seen as pixels.

    The games run in C++ threads. Each step repeats its action for `frame_skip`
    frames of the emulator, takes the brighter of the last two frames for every
    pixel (sprites that blink stay visible), turns it grey, scales it and puts
    it behind the frames of the steps before. Rewards are the true changes of
    the score, and an episode lasts until the game is over: neither is clipped.
    A game that has ended starts again within the same step. If the game has a
    FIRE button, it is pressed once at each start.

    Args:
        game: Name of the game in ale-py's spelling, such as
            `"space_invaders"` or `"ms_pacman"`.
        num_envs: Number of games that are played side by side.
        image_size: Height and width of an observation in pixels.
        frame_stack: Number of frames in an observation, one per step. The
            frames before an episode's first are zero.
        frame_skip: Frames of the emulator per step, which shows 60 per second.
        sticky_actions: Probability in [0, 1] that the emulator ignores the new
            action in a frame and repeats the one before.
        noop_max: Each episode starts after a random number of frames, below
            this one, in which nothing is pressed.
        max_episode_frames: Frames of the emulator after which an episode is
            truncated, counted from its first observation. The step that
            reaches them is played to its end.
        full_action_space: Whether to offer all 18 actions of the console
            instead of those that matter in the game.
        grayscale: Whether observations are grey. With `False` they have a
            colour axis.
        num_threads: Number of threads; 0 takes one per game, up to the number
            of CPU cores.
        seed: Non-negative integer for the first `reset()`: game `i` gets
            `seed + i`. `None` draws one, following
            `keras.utils.set_random_seed`.

    Output shape:
        Observations are uint8 of shape
        [num_envs, height, width, frame_stack], or
        [num_envs, height, width, 3, frame_stack] in colour. The last axis runs
        from the oldest frame to the newest.

    Returns:
        An `AtariEnvironment`, which is a `gymnasium.vector.VectorEnv`.

    Raises:
        ValueError: If there is no such game, or another argument is out of
            its range.

    Example:

    ```python
    environment = rlk.environments.atari("space_invaders", num_envs=2, seed=0)
    observation, info = environment.reset()
    observation, reward, terminated, truncated, info = environment.step(
        np.array([1, 3])
    )
    print(observation.shape)  # (2, 84, 84, 4)
    environment.close()
    ```

    Reference:

    - Mnih et al., "Human-level control through deep reinforcement learning",
      2015, Methods, Preprocessing: https://doi.org/10.1038/nature14236
    - Machado et al., "Revisiting the Arcade Learning Environment", 2018,
      section 5 (sticky actions): https://arxiv.org/abs/1709.06009
    """
    return AtariEnvironment(
        {
            "game": game,
            "num_envs": num_envs,
            "image_size": image_size,
            "frame_stack": frame_stack,
            "frame_skip": frame_skip,
            "sticky_actions": sticky_actions,
            "noop_max": noop_max,
            "max_episode_frames": max_episode_frames,
            "full_action_space": full_action_space,
            "grayscale": grayscale,
            "num_threads": num_threads,
            "seed": seed,
        }
    )
