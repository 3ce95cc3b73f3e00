"""What is said of the variables that a run starts from."""

import pytest

from jaxsent.run import experiment, initial


@pytest.mark.parametrize(("clip", "advised"), [(0.0, True), (1.0, False)])
def test_random_variables_are_told_before_training(clip, advised, tiny_config, capsys):
    tiny_config.optim.clip = clip
    initial.initial_variables(experiment.make(tiny_config))
    text = " ".join(capsys.readouterr().err.split())
    assert "No init.weights: starting from random ones, wsidnet on tiny." in text
    assert "--config.init.weights=hf:" in text
    assert ("--config random_start:CONFIG" in text) == advised
    assert ("--config.optim.clip=1" in text) == advised
