"""Event files, read back."""

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.loggers.job import job


def test_tensorboard_events_over_images(tmp_path):
    job(tmp_path, 1, 2, logger="tensorboard")
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss/pixel")] == [(32, 1.0), (64, 0.5)]
    assert {e.value for e in events.Scalars("iteration")} == {1.0, 2.0}
    shown = events.Images("reconstructions")[-1]
    assert (shown.step, shown.width, shown.height) == (64, 6, 4)
    assert b"0.15" in events.Tensors("config/text_summary")[0].tensor_proto.string_val[0]
