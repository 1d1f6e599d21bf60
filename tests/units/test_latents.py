"""Latents of sparse autoencoders: the three formats against literal transcriptions, and what is refused."""

import json

import pytest
import torch
from safetensors.torch import save_file

from dgn import units
from dgn.base.errors import UserError
from dgn.units import latents
from dgn.units.score_table import ScoreTable

LATENTS, CHANNELS = 9, 5


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def sae_lens(folder, **about):
    """As `SAE.save_model` writes it, and its pre-activation of x in float64 (`process_sae_in`, then `encode`)."""
    w, b, decoder, shift = drawn(CHANNELS, LATENTS), drawn(LATENTS), drawn(LATENTS, CHANNELS), drawn(CHANNELS)
    save_file(
        {"W_enc": w, "b_enc": b, "W_dec": decoder, "b_dec": shift, "threshold": b.abs()},
        folder / "sae_weights.safetensors",
    )
    about = {"architecture": "jumprelu", "apply_b_dec_to_input": True, "normalize_activations": "none"} | about
    (folder / "cfg.json").write_text(json.dumps(about))

    def encode(x):
        pre = (x - shift.double() * about["apply_b_dec_to_input"]) @ w.double() + b.double()
        return pre * decoder.double().norm(dim=-1) if about.get("rescale_acts_by_decoder_norm") else pre

    return folder / "sae_weights.safetensors", encode


def sparsify(folder, **about):
    """As `SparseCoder.save_to_disk` writes it, and `encode` before its top-k."""
    w, b, shift = drawn(LATENTS, CHANNELS), drawn(LATENTS), drawn(CHANNELS)
    save_file({"encoder.weight": w, "encoder.bias": b, "W_dec": w.clone(), "b_dec": shift}, folder / "sae.safetensors")
    about = {"activation": "topk", "k": 3, "transcode": False, "d_in": CHANNELS} | about
    (folder / "cfg.json").write_text(json.dumps(about))

    def encode(x):
        x = x if about["transcode"] else x - shift.double()
        return torch.nn.functional.linear(x, w.double(), b.double())

    return folder / "sae.safetensors", encode


def dictionary_learning(folder, shift_name="bias", **_):
    """As its trainers write `ae.pt`, and `encode` before its ReLU."""
    w, b, shift = drawn(LATENTS, CHANNELS), drawn(LATENTS), drawn(CHANNELS)
    torch.save({"encoder.weight": w, "encoder.bias": b, "decoder.weight": w.T, shift_name: shift}, folder / "ae.pt")
    return folder / "ae.pt", lambda x: torch.nn.functional.linear(x - shift.double(), w.double(), b.double())


CASES = [
    (sae_lens, {}),
    (sae_lens, {"apply_b_dec_to_input": False}),
    (sae_lens, {"architecture": "topk", "rescale_acts_by_decoder_norm": True}),
    (sparsify, {}),
    (sparsify, {"transcode": True}),
    (dictionary_learning, {}),
    (dictionary_learning, {"shift_name": "b_dec"}),
]


@pytest.mark.parametrize(("write", "about"), CASES)
def test_a_latent_is_its_encoders_pre_activation(tmp_path, write, about):
    path, encode = write(tmp_path, **about)
    x = drawn(7, CHANNELS).double()
    encoder = latents.read(str(path), CHANNELS)
    for number in range(LATENTS):
        direction, offset = encoder.latent(number)
        torch.testing.assert_close(x @ direction.double() + offset, encode(x)[:, number], rtol=1e-6, atol=1e-6)
        if not about.get("rescale_acts_by_decoder_norm"):  # that is rounded to float32 once
            torch.testing.assert_close(x @ direction.double() + offset, encode(x)[:, number], rtol=1e-12, atol=1e-12)


def test_scores_at_places_in_sums_and_ranges(tmp_path):
    path, encode = sae_lens(tmp_path)
    maps = drawn(4, CHANNELS, 2, 3)
    items = [f"conv:{path}#3", f"conv:{path}#4@max", f"-2*conv:{path}#0@1x2+conv:1@0x0", f"conv:{path}#3-conv:{path}#4"]
    found = units.parse(items, maps.shape[1:], None)
    pre = encode(maps.double().movedim(1, 3)).float()
    expected = [pre[0, ..., 3].mean(), pre[1, ..., 4].max(), -2 * pre[2, 1, 2, 0] + maps[2, 1, 0, 0],
                (pre[3, ..., 3] - pre[3, ..., 4]).mean()]  # fmt: skip
    scores = units.Scorer(found, units.Logit())(maps)
    torch.testing.assert_close(scores, torch.stack(expected), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ScoreTable(found, units.Logit())(maps).diagonal(), scores)
    assert [unit.label for unit in found][:2] == ["sae_weights#3", "sae_weights#4@max"]
    for text, sign in ((f"conv:{path}#2-4@max", 1), (f"-conv:{path}#2-4@max", -1), (f"conv:-{path}#2-4@max", -1)):
        members = units.parse(text, maps.shape[1:], None)
        assert [unit.label.removeprefix("not ") for unit in members] == [f"sae_weights#{i}@max" for i in (2, 3, 4)]
        assert all(unit.terms[0].weight == sign for unit in members)
        again = units.parse([unit.text for unit in members], maps.shape[1:], None)
        assert [unit.text for unit in again] == [unit.text for unit in members]
    assert len(units.parse(f"{path}#all", (CHANNELS,), None)) == LATENTS
    tokens = drawn(1, 6, CHANNELS)
    (cls,) = units.parse(f"{path}#5@cls", tokens.shape[1:], None)
    torch.testing.assert_close(
        units.Scorer([cls], units.Logit())(tokens), encode(tokens[:, 0].double())[:, 5].float(), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    ("text", "channels", "words"),
    [
        ("#9", 5, r"there is no latent 9 in .*: set an index from 0 to 8"),
        ("#3-9", 5, r"there is no latent 9 in .*: set an index from 0 to 8"),
        ("#3-999999999", 5, "there is no latent 999999999"),
        ("#4-3", 5, r"is empty: set .*#3-4$"),
        ("#0", 6, "takes 5 values, and this layer has 6: set the layer that it was trained on"),
    ],
)
def test_a_latent_that_is_not_there(tmp_path, text, channels, words):
    path, _ = sparsify(tmp_path)
    with pytest.raises(UserError, match=words):
        units.parse(f"{path}{text}", (channels,), None)


def test_a_file_that_is_no_autoencoder(tmp_path):
    def refused(tensors, words, name="sae.safetensors"):
        if tensors:
            save_file(tensors, tmp_path / name)
        with pytest.raises(UserError, match=words):
            units.parse(f"conv:{tmp_path}/{name}#0", (CHANNELS,), None)

    lens = {"W_enc": drawn(5, 9), "b_enc": drawn(9), "b_dec": drawn(5)}
    refused(None, "no file .*none-of-them.safetensors: a latent needs", "none-of-them.safetensors")
    refused({"a": drawn(5)}, "is no sparse autoencoder that is known: save it by")
    refused({"encoder.weight": drawn(9, 5), "gate_bias": drawn(9)}, "a gated one has two encoders")
    refused(lens, "needs the cfg.json that was saved with it")
    (tmp_path / "cfg.json").write_text(json.dumps({"normalize_activations": "layer_norm"}))
    refused(lens, r"normalises its input \(layer_norm\)")
    (tmp_path / "cfg.json").write_text("{}")
    refused(lens | {"b_enc": drawn(8)}, r"biases of \(8,\) and \(5,\), which do not fit")
    refused(lens | {"b_enc": torch.full((9,), torch.nan)}, "NaN, inf or whole numbers")


def test_a_latent_is_scored_by_its_value_alone(tmp_path):
    path, _ = dictionary_learning(tmp_path)
    found = units.parse(f"{path}#1", (CHANNELS,), None)
    with pytest.raises(UserError, match="objective=logit"):
        units.Scorer(found, units.Margin())
